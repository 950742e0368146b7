"""What is wrong with an archive, and with which file of it."""

from django.utils.translation import gettext as _

from project.http.errors import Unreadable


class ArchiveFault(Unreadable):
    """An archive that cannot be trusted or read; the message and the details name the file."""

    code = "release_unreadable"

    def __init__(self, file: str, problem: str) -> None:
        message = _("%(file)s: %(problem)s") % {"file": shown_name(file), "problem": problem}
        super().__init__(message, details={"file": shown_name(file)})


def shown_name(file: str) -> str:
    """Return the name of a file as it can be shown: printable, and not too long."""
    name = "".join(char if char.isprintable() else "\ufffd" for char in file)
    return name if len(name) <= 200 else f"{name[:199]}…"
