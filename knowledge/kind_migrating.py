"""Changing the schema of a kind with all its nodes, and back: everything at once, or nothing.

1. Lock the rows of the nodes, then the kind, so that nobody writes one of them meanwhile.
2. Try every node again as it is now; one that would not fit ends it all.
3. Keep the old metadata, write the new versions, let their passages stand for them, and put the
   new schema in force, in the same transaction.

The way back is the same with the old schema. A node that was edited since keeps that edit: its
metadata is merged, from the migrated one on both sides.
"""

import copy
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import (
    KindMigrationStatus,
    KindMigrationWork,
    MigratedState,
    VersionOrigin,
)
from knowledge.kind_backups import backup_write
from knowledge.kind_plans import Change, counts_of, problems_json, rows_store
from knowledge.kinds import kind_lock, nodes_of
from knowledge.merging.tree import MISSING, TreeConflict, is_same, merge_trees
from knowledge.metadata.schemas import MetadataSchema, Problem, schema_of
from knowledge.models import Kind, KindMigration, MigratedNode, Node
from knowledge.relabelling import passages_relabel
from knowledge.row_updates import rows_update
from knowledge.types import Origin
from knowledge.writing import nodes_write
from project.events.services import emit
from project.http.errors import Conflict, InsufficientStorage

BATCH = 250
LOCK_TRIES = 5
_CHECKED, _WRITTEN = 0.2, 0.9  # shares done at the end of those parts
log = structlog.get_logger(__name__)

Progress = Callable[[float], None]
Current = tuple[uuid.UUID, str, int, dict[str, Any]]
"""Id, title, version and metadata of a stored node."""


class NodesRefuse(Exception):
    """Nodes stand in the way; `rows` say which and why."""

    def __init__(self, rows: Sequence[MigratedNode]) -> None:
        super().__init__(f"{len(rows)} nodes")
        self.rows = list(rows)


@transaction.atomic
def migration_apply(migration: KindMigration, progress: Progress) -> None:
    """Migrate every node of the kind.

    Raises NodesRefuse, InsufficientStorage, and Conflict for a schema that is not the one that was
    planned from or writers who never let go; then nothing was changed.
    """
    kind = _kind_locked(migration, migration.from_version, migration.old_schema)
    change = Change.of(migration)
    rows = [change.row(migration, *each) for each in _nodes_locked(kind)]
    refusing = [row for row in rows if row.state == MigratedState.INVALID]
    if refusing:
        raise NodesRefuse(rows)
    progress(_CHECKED)
    migration.backup = _backup(migration, rows)
    targets = {row.node_id: row.after or {} for row in rows if row.state == MigratedState.CHANGED}
    versions = _metadata_write(migration, targets, progress)
    for row in rows:
        row.version_after = versions.get(row.node_id)
    rows_store(migration, rows)
    migration.counts = counts_of(rows, len(migration.steps))
    _schema_set(kind, migration, migration.new_schema, migration.to_version)
    _settle(migration, KindMigrationStatus.COMPLETED, "knowledge.kind.migrated")


@transaction.atomic
def migration_undo(migration: KindMigration, progress: Progress) -> None:
    """Give every migrated node its old metadata back, with later edits merged in.

    Raises NodesRefuse for edits that meet the way back (unless the migration keeps those) and for
    nodes that the old schema refuses, and Conflict as `migration_apply` does; then nothing changed.
    """
    kind = _kind_locked(migration, migration.to_version, migration.new_schema)
    schema = schema_of(migration.old_schema)
    written = {row.node_id: row for row in migration.nodes.exclude(version_after=None)}
    targets: dict[uuid.UUID, dict[str, Any]] = {}
    refusing: list[MigratedNode] = []
    for current in _nodes_locked(kind):
        row = written.get(current[0])
        target, problems = _way_back(migration, current, row, schema)
        if problems:
            refusing.append(_refusing(migration, current, row, problems))
        elif not is_same(target, current[3]):
            targets[current[0]] = target
    if refusing:
        raise NodesRefuse(refusing)
    progress(_CHECKED)
    versions = _metadata_write(migration, targets, progress)
    for pk, version in versions.items():
        if pk in written:
            written[pk].version_undone = version
    rows_update(list(written.values()), ["version_undone"])
    conflicts_clear(migration)
    _schema_set(kind, migration, migration.old_schema, migration.from_version)
    _settle(migration, KindMigrationStatus.ROLLED_BACK, "knowledge.kind.rolled_back")


def _backup(migration: KindMigration, rows: Sequence[MigratedNode]) -> str:
    try:
        return backup_write(migration, rows)
    except OSError as error:
        log.warning("kind_backup_failed", migration=str(migration.pk), exc_info=error)
        message = _("The old metadata could not be kept in a file; nothing was changed.")
        raise InsufficientStorage(message, code="backup_failed") from None


def conflicts_clear(migration: KindMigration) -> None:
    """Forget what stood in the way of an earlier try to roll back."""
    rows = migration.nodes.filter(state=MigratedState.CONFLICT)
    rows.filter(version_after=None).delete()
    rows.update(state=MigratedState.CHANGED, problems=[])


def conflicts_store(migration: KindMigration, rows: Sequence[MigratedNode]) -> None:
    """Keep what stands in the way of rolling back."""
    conflicts_clear(migration)
    known = [row for row in rows if row.pk is not None]
    rows_update(known, ["state", "problems"])
    MigratedNode.objects.bulk_create([row for row in rows if row.pk is None], batch_size=1000)


def _kind_locked(migration: KindMigration, version: int, schema: Any) -> Kind:
    """Return the kind, if its schema is still the one that the migration begins from."""
    kind = Kind.objects.select_for_update(no_key=True).get(pk=migration.kind_id)
    if kind.schema_version != version or not is_same(kind.metadata_schema, schema):
        message = _("The schema of the kind is another by now: version %(version)s.")
        raise Conflict(message % {"version": kind.schema_version}, code="schema_changed")
    migration.kind = kind
    return kind


def _nodes_locked(kind: Kind) -> list[Current]:
    """Return the nodes of a kind, with all writers of the kind kept out.

    Writers lock rows first and the kind then, so the same order is kept here; a node that came in
    between is locked in another try. Raises Conflict when that never ends.
    """
    for _try in range(LOCK_TRIES):
        point = transaction.savepoint()
        rows = nodes_of(kind).order_by("pk").select_for_update(no_key=True)
        found = list(rows.values_list("pk", "title", "version", "metadata"))
        kind_lock(kind.name)
        ids = {each[0] for each in found}
        if set(nodes_of(kind).values_list("pk", flat=True)) == ids:
            transaction.savepoint_commit(point)
            return found
        transaction.savepoint_rollback(point)
    message = _("The nodes of this kind are being written all the time. Try again later.")
    raise Conflict(message, code="kind_busy")


def _metadata_write(
    migration: KindMigration, targets: Mapping[uuid.UUID, dict[str, Any]], progress: Progress
) -> dict[uuid.UUID, int]:
    """Write new metadata of locked nodes as versions; return their numbers."""
    ids = sorted(targets)
    origin = Origin(VersionOrigin.MIGRATION, migration.pk)
    versions: dict[uuid.UUID, int] = {}
    for at in range(0, len(ids), BATCH):
        pairs = []
        for node in Node.objects.filter(pk__in=ids[at : at + BATCH]).order_by("pk"):
            before = copy.copy(node)
            node.metadata = targets[node.pk]
            pairs.append((node, before))
        written = nodes_write(
            pairs, author=migration.started_by, reason=_reason(migration), origin=origin
        )
        versions |= {node.pk: node.version for node in written}
        progress(_CHECKED + (_WRITTEN - _CHECKED) * (at + len(pairs)) / len(ids))
    for at in range(0, len(ids), BATCH):
        passages_relabel(ids[at : at + BATCH])
    return versions


def _way_back(
    migration: KindMigration,
    current: Current,
    row: MigratedNode | None,
    schema: MetadataSchema | None,
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the metadata that a node gets, and what stands in the way of it."""
    _pk, _title, _version, metadata = current
    target, problems = metadata, []
    if row is not None:
        merged = merge_trees(row.after, metadata, row.before)
        target = merged.value
        if not migration.keeps_later:
            problems = [_problem(conflict) for conflict in merged.conflicts]
    if not problems and schema is not None:
        problems = schema.problems_of(target)
    return target, problems


def _problem(conflict: TreeConflict) -> Problem:
    message = _("Edited since the migration: now %(ours)s, before it %(theirs)s.")
    facts = {"ours": _shown(conflict.ours), "theirs": _shown(conflict.theirs)}
    return Problem(conflict.path, message % facts)


def _shown(value: Any) -> str:
    return _("nothing") if value is MISSING else repr(value)[:80]


def _refusing(
    migration: KindMigration,
    current: Current,
    row: MigratedNode | None,
    problems: Sequence[Problem],
) -> MigratedNode:
    pk, title, version, metadata = current
    if row is None:
        row = MigratedNode(
            migration=migration, node_id=pk, title=title, version_before=version, before=metadata
        )
    row.state = MigratedState.CONFLICT
    row.problems = problems_json(problems)
    return row


def _schema_set(kind: Kind, migration: KindMigration, schema: Any, version: int) -> None:
    kind.metadata_schema, kind.schema_version = schema, version
    kind.updated_by = migration.started_by
    kind.save(update_fields=["metadata_schema", "schema_version", "updated_by", "updated_at"])


def _settle(migration: KindMigration, status: KindMigrationStatus, event: str) -> None:
    migration.status = status
    migration.error_code = migration.error_message = ""
    migration.finished_at = timezone.now()
    migration.save()
    emit(
        event,
        {"migration": str(migration.pk), "kind": migration.kind.name, "counts": migration.counts},
        space_id=migration.kind.space_id,
        subject_id=migration.kind_id,
    )


def _reason(migration: KindMigration) -> str:
    facts = {
        "kind": migration.kind.name,
        "old": migration.from_version,
        "new": migration.to_version,
    }
    if migration.work == KindMigrationWork.ROLLBACK:
        return _("Metadata of “%(kind)s” back from schema %(new)s to %(old)s.") % facts
    return _("Metadata of “%(kind)s” from schema %(old)s to %(new)s.") % facts
