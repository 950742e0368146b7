"""What the writes of chat share."""

from django.utils.translation import gettext as _

from project.http.errors import NotFound


def absent() -> NotFound:
    """Return the one answer for what does not exist and for what is not yours."""
    return NotFound(_("There is no such object, or it is not yours to see."))


def as_title(text: str, *, limit: int = 200) -> str:
    """Return a text as a title: one line, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > limit // 2 else cut).rstrip(" ,;:.") + "…"
