"""Keeping the bytes of sources: a row never lacks its file, and a file is whole or not there.

Raises the errors of `project.http.errors`, for uploads and jobs alike.
"""

import errno
import hashlib
import os
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import structlog
from django.conf import settings
from django.db import OperationalError
from django.utils.translation import gettext as _
from psycopg.errors import DiskFull

from knowledge.models import Source
from knowledge.models.sources import source_path
from knowledge.parsing import UnreadableDocument, UnsupportedDocument, check_upload
from project.events.services import emit_many
from project.events.types import NewEvent
from project.http.errors import InsufficientStorage, TooLarge, Unreadable, UnsupportedType

_HEAD = 64 * 1024  # bytes that tell the type of all but archives
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
log = structlog.get_logger(__name__)


def name_cleaned(filename: str) -> str:
    """Return the last part of a file name without control characters, its ending kept."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C").strip()
    path = PurePosixPath(name or "file")
    return path.stem[: 255 - len(path.suffix)] + path.suffix[:255]


def source_insert(source: Source) -> None:
    """Store the row of a source whose file is in place, and the news of it."""
    source.save(force_insert=True)
    emit_many([stored_news(source)])


def stored_news(source: Source) -> NewEvent:
    """Return the event that tells of a new source."""
    return NewEvent(
        "knowledge.source.stored",
        {"source": str(source.pk), "sha256": source.sha256, "size": source.size},
        space_id=source.space_id,
        subject_id=source.pk,
    )


@contextmanager
def file_stored(source: Source, pieces: Iterable[bytes]) -> Iterator[None]:
    """Keep the file's bytes at the source's place for the block; without it if the block fails.

    The bytes are on the disk before the row is: a row never lacks its file. Fills in the
    source's size, hash and file.
    """
    name = source_path(source, "")
    final = Path(settings.MEDIA_ROOT) / name
    draft = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with full_disks_told():
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as target:
                os.fchmod(target.fileno(), settings.FILE_UPLOAD_PERMISSIONS or 0o640)
                _copy(source, pieces, target)
                target.flush()
                os.fsync(target.fileno())
            _check_type(source, draft)
            draft.replace(final)
            _sync_folder(final.parent)
        source.file.name = name
        yield
    except BaseException:
        for path in (draft, final):
            with suppress(FileNotFoundError):
                path.unlink()
        raise


def _copy(source: Source, pieces: Iterable[bytes], target: BinaryIO) -> None:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > settings.ACERVO_MAX_UPLOAD_BYTES:
            limit = settings.ACERVO_MAX_UPLOAD_BYTES // 2**20
            raise TooLarge(
                _("A file may have at most %(limit)s MB.") % {"limit": limit}, field="file"
            )
        digest.update(piece)
        target.write(piece)
    if not size:
        raise Unreadable(_("The file is empty."), code="empty", field="file")
    source.size, source.sha256 = size, digest.hexdigest()


def _check_type(source: Source, path: Path) -> None:
    with path.open("rb") as stored:
        head = stored.read(_HEAD)
        is_archive = head.startswith((b"PK", b"\xd0\xcf\x11\xe0"))
        data = head + stored.read() if is_archive else head
    try:
        check_upload(data, source.filename, source.content_type)
    except UnsupportedDocument as error:
        raise UnsupportedType(error.message, code=error.code, field="file") from None
    except UnreadableDocument as error:
        raise Unreadable(error.message, code=error.code, field="file") from None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_disk_full(error: BaseException) -> bool:
    """Return whether something failed for want of room, here or below the database."""
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    return isinstance(cause, DiskFull) or getattr(cause, "errno", None) in _NO_ROOM


@contextmanager
def full_disks_told() -> Iterator[None]:
    """Turn a full disk, here or below the database, into InsufficientStorage."""
    try:
        yield
    except (OSError, OperationalError) as error:
        if not is_disk_full(error):
            raise
        log.error("disk_full", error=str(error))
        message = _("The server has no room for this file. Nothing was kept; tell its operator.")
        raise InsufficientStorage(message) from None
