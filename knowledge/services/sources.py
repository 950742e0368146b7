"""Taking in files. A source's row and its file come and go together."""

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from knowledge import tasks
from knowledge.access import role_require
from knowledge.choices import JobKind, SourceKind
from knowledge.job_news import emit_status
from knowledge.models import IngestJob, Source, Space
from knowledge.node_fields import MAX_TAGS, language_require
from knowledge.replacing import replaceable_require
from knowledge.source_files import file_stored, full_disks_told, name_cleaned, stored_news
from knowledge.upload_rows import upload_insert
from knowledge.upload_rush import upload_counted
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Invalid
from project.tracing import current_trace_id


class Uploaded(NamedTuple):
    """What an upload began; `duplicate_of` is an earlier source of the space with these bytes."""

    source: Source
    job: IngestJob
    duplicate_of: uuid.UUID | None


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
    replaces: Source | None = None,
) -> Uploaded:
    """Store a file and queue the job that reads it.

    With `replaces`, the nodes of that source get new versions from this file. Raises NotFound,
    Forbidden, Invalid, TooLarge, UnsupportedType, Unreadable and InsufficientStorage; then neither
    a row nor a file is left.
    """
    role_require(acting_user, space, Role.EDITOR)
    source = Source(
        space=space,
        kind=SourceKind.UPLOAD,
        title=" ".join(title.split()),
        filename=name_cleaned(filename),
        content_type=content_type[:127],
        language=language,
        tags=list(dict.fromkeys(tag.strip() for tag in tags if tag.strip())),
        created_by=acting_user,
    )
    _check(source)
    if replaces is not None:
        source.replaces = replaceable_require(acting_user, space, replaces)
    job = IngestJob(
        kind=JobKind.SOURCE,
        space=space,
        source=source,
        created_by=acting_user,
        trace_id=current_trace_id(),
    )
    with (
        upload_counted(),
        file_stored(source, file.chunks()),
        full_disks_told(),
        transaction.atomic(),
    ):
        earlier = upload_insert(source, job)
        job.earlier_source = earlier  # type: ignore[attr-defined]  # known
        emit_status(job, stored_news(source))
        send_after_commit(tasks.ingest, str(job.pk))
    return Uploaded(source, job, earlier)


def _check(source: Source) -> None:
    if "\0" in source.title or any("\0" in tag for tag in source.tags):
        raise Invalid(_("The character U+0000 cannot be stored."))
    if len(source.title) > 300:
        raise Invalid(_("A title has at most 300 characters."), field="title")
    if len(source.tags) > MAX_TAGS or any(len(tag) > 64 for tag in source.tags):
        message = _("At most %(count)s tags of at most 64 characters.") % {"count": MAX_TAGS}
        raise Invalid(message, field="tags")
    if source.language:
        language_require(source.language)
    if len(source.language) > 10:
        raise Invalid(_("There is no such language."), field="language")


def source_named(user: User, space: Space, filename: str) -> Source | None:
    """Return the newest upload of a space with a file's name, of those that a user may see."""
    rows = Source.objects.visible_to(user).filter(space=space, kind=SourceKind.UPLOAD)
    return rows.filter(filename=name_cleaned(filename)).order_by("-created_at", "pk").first()
