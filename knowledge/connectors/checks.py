"""Checks of settings that several connectors share."""

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from knowledge.connectors.base import ConnectorFault
from knowledge.parsing import EXTENSIONS, PICTURES, Format


def address_check(url: str, field: str) -> None:
    """Raise ConnectorFault for what is no plain web address. The guard looks at it later."""
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        message = _("The address must start with http:// or https:// and name a host.")
        raise ConnectorFault(message, is_lasting=True, field=field)
    if "@" in parts.netloc:
        message = _("Give the secret in its own field, not inside the address.")
        raise ConnectorFault(message, is_lasting=True, field=field)


def folder_inside(text: str, field: str) -> Path:
    """Return a folder, all links followed, that is inside one of the operator's roots.

    Raises ConnectorFault: one answer for folders outside and for those that are not there.
    """
    try:
        path = Path(text).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        path = None
    roots = [Path(each).resolve() for each in settings.ACERVO_FEED_FOLDERS]
    if path is not None and path.is_dir():
        for root in roots:
            if path == root or root in path.parents:
                return path
    if not roots:
        message = _("The operator has opened no folders: ACERVO_FEED_FOLDERS names none.")
    else:
        message = _("There is no such folder in those that the operator has opened.")
    raise ConnectorFault(message, is_lasting=True, field=field)


def is_readable(name: str) -> bool:
    """Return whether a file of that name promises a format that is read here."""
    return _promised(name) is not None


def is_document(name: str) -> bool:
    """Return whether that is a format of texts: a site's pictures are no pages of it."""
    promised = _promised(name)
    return promised is not None and promised not in PICTURES


def _promised(name: str) -> Format | None:
    return EXTENSIONS.get(PurePosixPath(name).suffix.lower().removeprefix("."))
