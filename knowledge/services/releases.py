"""Writes of releases: curators make them, managers delete them whole and bring others in."""

import datetime
import uuid
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge import tasks
from knowledge.access import not_found, role_require
from knowledge.choices import JobKind
from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.job_files import JobFolder
from knowledge.job_news import emit_updated
from knowledge.models import IngestJob, Release, Space
from knowledge.release_writing import release_write, releases_removable
from knowledge.stored_work import RELEASE_FILE
from project.accounts.choices import Role
from project.accounts.models import User
from project.celery import send_after_commit
from project.events.services import emit
from project.http.errors import Conflict, Invalid, TooLarge
from project.tracing import current_trace_id

MAX_NAME = 120
MAX_DESCRIPTION = 10_000


@transaction.atomic
def release_create(
    *,
    acting_user: User,
    space: Space,
    name: str,
    description: str = "",
    as_of: datetime.datetime | None = None,
) -> Release:
    """Name the published state of a space, now or as of a moment, for good.

    Needs a curator. Raises NotFound, Forbidden, Invalid, and Conflict for a taken name.
    """
    role_require(acting_user, space, Role.CURATOR)
    release = Release(
        space=space,
        name=release_name(name),
        description=_description(description),
        created_by=acting_user,
        author_name=acting_user.get_username(),
        created_at=timezone.now(),
    )
    if as_of is not None and as_of > release.created_at:
        raise Invalid(_("A release is of now, or of a moment in the past."), field="as_of")
    try:
        with transaction.atomic():
            release_write(release, at=as_of)
    except IntegrityError as error:
        if "one_release_a_name_and_space" not in str(error):
            raise
        message = _("The space has a release of that name already.")
        raise Conflict(message, code="release_exists", field="name") from None
    if not release.node_count:
        message = _("Nothing was published in the space then: a release would be empty.")
        raise Invalid(message, code="release_empty", field="as_of")
    emit(
        "knowledge.release.created",
        {"release": str(release.pk), "name": release.name, "by": acting_user.pk},
        space_id=space.pk,
        subject_id=release.pk,
    )
    return release


@transaction.atomic
def release_describe(*, acting_user: User, release: Release, description: str) -> Release:
    """Word the description of a release anew: nothing else of it can change. Needs a curator.

    Raises NotFound, Forbidden, Invalid.
    """
    row = _opened(acting_user, release, Role.CURATOR)
    row.description = _description(description)
    row.save(update_fields=["description"])
    return row


@transaction.atomic
def release_delete(*, acting_user: User, release: Release) -> None:
    """Delete a release as a whole; the versions that it held stay. Needs a manager.

    Raises NotFound and Forbidden.
    """
    row = _opened(acting_user, release, Role.MANAGER)
    emit(
        "knowledge.release.deleted",
        {"release": str(row.pk), "name": row.name, "by": acting_user.pk},
        space_id=row.space_id,
        subject_id=row.pk,
    )
    with releases_removable():
        row.delete()


def release_import(*, acting_user: User, space: Space, file: File) -> IngestJob:
    """Queue a job that restores a release from an exported archive, as a whole or not at all.

    Needs a manager: an archive brings its own history along, with the names of its authors. What
    the archive says of itself is read at once, all else by the job. Raises NotFound, Forbidden,
    TooLarge and ArchiveFault; then nothing is kept.
    """
    role_require(acting_user, space, Role.MANAGER)
    if (file.size or 0) > settings.ACERVO_MAX_UPLOAD_BYTES:
        limit = settings.ACERVO_MAX_UPLOAD_BYTES // 2**20
        raise TooLarge(_("A file may have at most %(limit)s MB.") % {"limit": limit}, field="file")
    with ArchiveReader(cast("BinaryIO", file)) as archive:
        name = archive.manifest.release.name
    job_id = uuid.uuid4()
    folder = JobFolder(job_id)
    try:
        folder.file_keep(RELEASE_FILE, file.chunks())
        with transaction.atomic():
            job = IngestJob.objects.create(
                id=job_id,
                kind=JobKind.RELEASE,
                space=space,
                created_by=acting_user,
                payload={"release": name},
                trace_id=current_trace_id(),
            )
            emit_updated(job)
            send_after_commit(tasks.ingest, str(job.pk))
    except BaseException:
        folder.remove()
        raise
    return job


def release_name(name: str) -> str:
    """Return a name as it is stored. Raises Invalid."""
    name = " ".join(name.split())
    if not name or len(name) > MAX_NAME or not name.isprintable():
        message = _("A release has a name of at most %(count)s characters.")
        raise Invalid(message % {"count": MAX_NAME}, field="name")
    return name


def _description(text: str) -> str:
    text = text.strip()
    if "\0" in text or len(text) > MAX_DESCRIPTION:
        message = _("A description has at most %(count)s characters.")
        raise Invalid(message % {"count": MAX_DESCRIPTION}, field="description")
    return text


def _opened(user: User, release: Release, role: Role) -> Release:
    row = Release.objects.visible_to(user).filter(pk=release.pk).first()
    if row is None:
        raise not_found()
    role_require(user, row.space, role)
    return row
