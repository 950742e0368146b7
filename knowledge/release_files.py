"""Exported releases as files without a name: they go with the process that holds them."""

import errno
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from django.conf import settings
from django.utils.translation import gettext as _

from knowledge.exporting.names import slug_of
from knowledge.models import Release
from knowledge.release_export import ENDINGS, export_archive
from knowledge.release_git import export_git
from project.http.errors import InsufficientStorage, Invalid

_TYPES = {"zip": "application/zip", "git": "application/x-git-bundle"}
_EXPORTS: dict[str, Callable[[Release, BinaryIO], None]] = {
    "zip": export_archive,
    "git": export_git,
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class ExportedFile(NamedTuple):
    """An open file at its beginning, with the name and type to send it under."""

    file: BinaryIO
    name: str
    content_type: str


def release_file(release: Release, kind: str) -> ExportedFile:
    """Export a release as `zip` or `git`. Raises Invalid and InsufficientStorage."""
    if kind not in ENDINGS:
        raise Invalid(_("A release is exported as “zip” or as “git”."), field="format")
    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - the caller closes it
    try:
        _EXPORTS[kind](release, file)
    except OSError as error:
        file.close()
        if error.errno not in _NO_ROOM:
            raise
        message = _("The server has no room for this file. Nothing was kept; tell its operator.")
        raise InsufficientStorage(message) from None
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = "-".join(filter(None, [release.space.slug, slug_of(release.name)]))
    return ExportedFile(file, f"{name}{ENDINGS[kind]}", _TYPES[kind])
