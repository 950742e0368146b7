"""Taking in files. A source's row and its file come and go together."""

import errno
import hashlib
import os
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import structlog
from django.conf import settings
from django.core.files.base import File
from django.db import OperationalError, transaction
from django.utils.translation import gettext as _
from psycopg.errors import DiskFull

from knowledge import tasks
from knowledge.access import role_require
from knowledge.choices import JobKind, SourceKind
from knowledge.job_news import emit_updated
from knowledge.models import IngestJob, Source, Space
from knowledge.models.sources import source_path
from knowledge.node_fields import MAX_TAGS
from knowledge.parsing import UnreadableDocument, UnsupportedDocument, detect_format
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.events.services import emit
from project.http.errors import InsufficientStorage, Invalid, TooLarge, Unreadable, UnsupportedType
from project.tracing import current_trace_id

_HEAD = 64 * 1024  # bytes that tell the type of all but archives
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
log = structlog.get_logger(__name__)


class Uploaded(NamedTuple):
    """What an upload began; `duplicate_of` is an earlier source of the space with these bytes."""

    source: Source
    job: IngestJob
    duplicate_of: Source | None


def source_upload(
    *,
    acting_user: User,
    space: Space,
    file: File,
    filename: str,
    content_type: str = "",
    title: str = "",
    tags: Sequence[str] = (),
    language: str = "",
) -> Uploaded:
    """Store a file and queue the job that reads it.

    Raises NotFound, Forbidden, Invalid, TooLarge, UnsupportedType, Unreadable and
    InsufficientStorage; then neither a row nor a file is left.
    """
    role_require(acting_user, space, Role.EDITOR)
    source = Source(
        space=space,
        kind=SourceKind.UPLOAD,
        title=" ".join(title.split()),
        filename=_clean_name(filename),
        content_type=content_type[:127],
        language=language,
        tags=list(dict.fromkeys(tag.strip() for tag in tags if tag.strip())),
        created_by=acting_user,
    )
    _check(source)
    with _stored(source, file), _full_disks_told(), transaction.atomic():
        duplicate = (
            Source.objects.filter(space=space, sha256=source.sha256)
            .order_by("created_at", "pk")
            .first()
        )
        source.save(force_insert=True)
        emit(
            "knowledge.source.stored",
            {"source": str(source.pk), "sha256": source.sha256, "size": source.size},
            space_id=space.pk,
            subject_id=source.pk,
        )
        job = IngestJob.objects.create(
            kind=JobKind.SOURCE,
            space=space,
            source=source,
            created_by=acting_user,
            trace_id=current_trace_id(),
        )
        emit_updated(job)
        send_after_commit(tasks.ingest, str(job.pk))
    return Uploaded(source, job, duplicate)


def _check(source: Source) -> None:
    if "\0" in source.title or any("\0" in tag for tag in source.tags):
        raise Invalid(_("The character U+0000 cannot be stored."))
    if len(source.title) > 300:
        raise Invalid(_("A title has at most 300 characters."), field="title")
    if len(source.tags) > MAX_TAGS or any(len(tag) > 64 for tag in source.tags):
        message = _("At most %(count)s tags of at most 64 characters.") % {"count": MAX_TAGS}
        raise Invalid(message, field="tags")
    if len(source.language) > 10:
        raise Invalid(_("There is no such language."), field="language")


def _clean_name(filename: str) -> str:
    """Return the last part of a file name without control characters, its ending kept."""
    name = PurePosixPath(filename.replace("\\", "/")).name
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C").strip()
    path = PurePosixPath(name or "file")
    return path.stem[: 255 - len(path.suffix)] + path.suffix[:255]


@contextmanager
def _stored(source: Source, file: File) -> Iterator[None]:
    """Keep the file's bytes at the source's place for the block; without it if the block fails.

    The bytes are on the disk before the row is: a row never lacks its file. Fills in the
    source's size, hash and file.
    """
    name = source_path(source, "")
    final = Path(settings.MEDIA_ROOT) / name
    draft = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with _full_disks_told():
            draft.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("xb") as target:
                os.fchmod(target.fileno(), settings.FILE_UPLOAD_PERMISSIONS or 0o640)
                _copy(source, file, target)
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


def _copy(source: Source, file: File, target: BinaryIO) -> None:
    digest, size = hashlib.sha256(), 0
    for piece in file.chunks():
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
        detect_format(data, source.filename, source.content_type)
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


@contextmanager
def _full_disks_told() -> Iterator[None]:
    """Turn a full disk, here or below the database, into InsufficientStorage."""
    try:
        yield
    except (OSError, OperationalError) as error:
        cause = error.__cause__ if isinstance(error, OperationalError) else error
        is_full = isinstance(cause, DiskFull) or getattr(cause, "errno", None) in _NO_ROOM
        if not is_full:
            raise
        log.error("disk_full", error=str(cause))
        message = _("The server has no room for this file. Nothing was kept; tell its operator.")
        raise InsufficientStorage(message) from None
