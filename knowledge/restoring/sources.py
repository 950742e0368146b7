"""Restoring sources and their stored files. A file is on the disk before its row is."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.models import Source
from knowledge.models.sources import source_path
from knowledge.restoring.groundwork import BATCH, Ground, groups, times_set

_FIELDS = (
    "id", "kind", "title", "filename", "content_type", "size", "sha256", "origin", "language",
    "tags",
)  # fmt: skip


@contextmanager
def files_kept_on_success() -> Iterator[list[Path]]:
    """Yield a list of files; those in it go again if the block fails."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            with suppress(FileNotFoundError):
                path.unlink()
        raise


def sources_restore(
    ground: Ground,
    reader: ArchiveReader,
    found: Sequence[SimpleNamespace],
    written: list[Path],
) -> None:
    """Store the sources that are not here yet, with their files; add those to `written`."""
    for group in groups(found):
        known: dict[uuid.UUID, Any] = Source.objects.in_bulk([each.id for each in group])
        new = []
        for each in group:
            row = known.get(each.id)
            if row is None:
                new.append(each)
            elif row.space_id != ground.space.pk:
                message = _("The source “%(name)s” is in another space here.")
                ground.conflict("other_space", "source", each.id, message % {"name": each.filename})
            elif row.sha256 != each.sha256:
                message = _("The source “%(name)s” has another content here.")
                ground.conflict(
                    "other_source", "source", each.id, message % {"name": each.filename}
                )
        if not ground.conflict_count:
            _insert(ground, reader, new, written)


def _insert(
    ground: Ground, reader: ArchiveReader, found: Sequence[SimpleNamespace], written: list[Path]
) -> None:
    rows = []
    for each in found:
        row = Source(space=ground.space, **{name: getattr(each, name) for name in _FIELDS})
        row.created_by_id = ground.account(each.created_by)
        row.file.name = source_path(row, "")
        if each.file is not None:
            path = Path(settings.MEDIA_ROOT) / row.file.name
            _file_write(reader, each.file, path, written)
        rows.append(row)
    Source.objects.bulk_create(rows, batch_size=BATCH)
    times_set("knowledge_source", ["created_at"], [(each.id, each.created_at) for each in found])
    ground.restored.sources += len(rows)


def _file_write(reader: ArchiveReader, name: str, path: Path, written: list[Path]) -> None:
    """Copy a member to its place; raises ArchiveFault, and leaves nothing then."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    written.extend([draft, path])
    with draft.open("xb") as target:
        os.fchmod(target.fileno(), settings.FILE_UPLOAD_PERMISSIONS or 0o640)
        for piece in reader.pieces(name):
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    draft.replace(path)
