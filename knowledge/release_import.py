"""Importing a release from an archive: checked as a whole first, then written as a whole or not.

What is here already with an equal history stays as it is, so the same archive twice doubles
nothing; what went another way here is listed, and nothing is written.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import BinaryIO

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from knowledge.exporting.checking import Checked, archive_check, entries, relations
from knowledge.exporting.zip_reader import ArchiveReader, Limits
from knowledge.models import Node, Release, Space
from knowledge.release_writing import release_close
from knowledge.restoring.groundwork import Ground, groups
from knowledge.restoring.nodes import NodeRestorer, links_settle_all
from knowledge.restoring.relations import relations_restore
from knowledge.restoring.sources import files_kept_on_success, sources_restore
from project.events.services import emit
from project.http.errors import Conflict
from project.locks import transaction_lock

Progress = Callable[[float], None]


class ReleaseArchive:
    """An open archive whose every part was checked. Raises ArchiveFault when it is made."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        limits: Limits | None = None,
        progress: Progress = lambda _share: None,
    ) -> None:
        self.reader = ArchiveReader(file, limits)
        self.checked: Checked = archive_check(self.reader, progress)
        self.release: SimpleNamespace = self.reader.manifest.release


def release_restore(
    archive: ReleaseArchive, space: Space, progress: Progress = lambda _share: None
) -> Ground:
    """Write what an archive holds and is not here yet; return what was done.

    `progress` is called within the transaction. Who may do it is decided above. Raises Conflict
    with all that stands in the way in its details, and has written nothing then.
    """
    with files_kept_on_success() as written, _contradictions_told(), transaction.atomic():
        transaction_lock(f"release:{space.pk}")
        ground = Ground(space)
        release_id = _release_compare(ground, archive.release)
        sources = list(archive.checked.sources.values())
        sources_restore(ground, archive.reader, sources, written)
        nodes = NodeRestorer(ground, archive.reader, release_id)
        touched: list[uuid.UUID] = []
        done = 0
        for group in groups(entries(archive.reader)):
            touched += [node.pk for node in nodes.restore(group)]
            done += len(group)
            progress(0.8 * done / max(1, len(archive.checked.nodes)))
        ground.require_none()  # relations need their nodes
        for group in groups(relations(archive.reader)):
            relations_restore(ground, group, release_id)
        ground.require_none()
        for ids in groups(touched):
            links_settle_all(list(Node.objects.filter(pk__in=ids).order_by("pk")))
        if release_id is not None:
            _release_write(ground, archive.release)
        ground.restored.is_new = release_id is not None
        if ground.restored.versions or ground.restored.relation_versions:
            Space.objects.filter(pk=space.pk).update(index_revision=F("index_revision") + 1)
        progress(1.0)
    return ground


@contextmanager
def _contradictions_told() -> Iterator[None]:
    """Turn what the database refuses into Conflict: an archive may be made by anybody."""
    try:
        yield
    except IntegrityError as error:
        name = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or "?"
        message = _("The archive contradicts itself or what is here: %(rule)s. Nothing was kept.")
        raise Conflict(message % {"rule": name}, code="release_conflicts") from None


def _release_compare(ground: Ground, release: SimpleNamespace) -> uuid.UUID | None:
    """Return the id of the release to write, or None when it is here already."""
    known = Release.objects.filter(pk=release.id).first()
    if known is not None:
        if known.space_id != ground.space.pk:
            message = _("The release “%(name)s” is in another space here.")
            ground.conflict("other_space", "release", release.id, message % {"name": release.name})
        elif known.checksum != release.checksum:
            message = _("The release “%(name)s” has another content here.")
            ground.conflict(
                "other_release", "release", release.id, message % {"name": release.name}
            )
        return None
    taken = Release.objects.filter(space=ground.space, name=release.name)
    if taken.exists():
        message = _("The space has another release with the name “%(name)s”.")
        ground.conflict("release_exists", "release", release.id, message % {"name": release.name})
    return release.id  # type: ignore[no-any-return]  # read as a UUID


def _release_write(ground: Ground, release: SimpleNamespace) -> None:
    """Store the release's row behind its entries. Raises RuntimeError for another checksum."""
    row = Release(
        id=release.id,
        space=ground.space,
        name=release.name,
        description=release.description,
        as_of=release.as_of,
        node_count=release.node_count,
        relation_count=release.relation_count,
        created_by_id=ground.account(release.created_by),
        author_name=release.created_by,
        created_at=release.created_at,
    )
    release_close(row)
    if row.checksum != release.checksum:
        message = f"release {release.id} was written otherwise than it was checked"
        raise RuntimeError(message)
    emit(
        "knowledge.release.imported",
        {"release": str(row.pk), "name": row.name, **ground.restored.as_json()},
        space_id=row.space_id,
        subject_id=row.pk,
    )
