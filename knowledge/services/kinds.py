"""Writes of kinds and of the changes of their schemas.

Managers of a space change its kinds, superusers those of all spaces.
"""

from dataclasses import dataclass
from typing import Any, Unpack

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import tasks
from knowledge.access import not_found
from knowledge.choices import KindMigrationStatus, KindMigrationWork, MigratedState
from knowledge.kind_checks import nodes_require, schema_require, steps_require
from knowledge.kind_fields import KindFields, kind_fields_set, previews_forget
from knowledge.kind_plans import counts_of, plan_rows, plan_write
from knowledge.kinds import kind_lock, kind_permit, nodes_of
from knowledge.models import Kind, KindMigration, MigratedNode, Space
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Conflict
from project.tracing import current_trace_id

PLANNED_AT_ONCE = 2000
"""Nodes of a kind up to which a plan is made in the call; a worker makes larger ones."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A plan that was only tried: `migration` is not stored; what does not fit comes first."""

    migration: KindMigration
    rows: list[MigratedNode]


@transaction.atomic
def kind_create(
    *, acting_user: User, space: Space | None, name: str, **fields: Unpack[KindFields]
) -> Kind:
    """Store a kind; nodes that have its name already must fit its schema.

    Raises NotFound, Forbidden, Invalid, and Conflict for a taken name or nodes that do not fit.
    """
    kind_permit(acting_user, space)
    kind = Kind(space=space, name=name, updated_by=acting_user)
    kind_fields_set(kind, fields)
    kind_lock(name)
    nodes_require(kind)
    try:
        with transaction.atomic():
            kind.save()
    except IntegrityError:
        raise Conflict(
            _("There is a kind of that name already."), code="kind_exists", field="name"
        ) from None
    _cutting_follow(kind)
    return kind


@transaction.atomic
def kind_update(*, acting_user: User, kind: Kind, **changes: Unpack[KindFields]) -> Kind:
    """Change a kind and return its stored row; its schema only while it has no nodes.

    Raises NotFound, Forbidden, Invalid, and Conflict (`migration_needed`) for another schema of a
    kind with nodes.
    """
    row = _locked(acting_user, kind)
    old, cutting = row.metadata_schema, row.cutting_key
    kind_fields_set(row, changes)
    if row.metadata_schema != old:
        kind_lock(row.name)
        if nodes_of(row).exists():
            message = _("Nodes have this kind: plan a change of its schema, so that they follow.")
            raise Conflict(message, code="migration_needed", field="metadata_schema")
        row.schema_version += 1
    row.updated_by = acting_user
    row.save()
    if row.cutting_key != cutting:
        _cutting_follow(row)
    return row


def _cutting_follow(kind: Kind) -> None:
    """Have the nodes of a kind cut anew that were cut otherwise, when this is committed."""
    previews_forget(kind)
    send_after_commit(tasks.nodes_recut)


@transaction.atomic
def kind_delete(*, acting_user: User, kind: Kind) -> None:
    """Delete a kind; its nodes keep their metadata and are then free, or of the kind of all spaces.

    Raises NotFound, Forbidden, and Conflict for a kind with a history of migrations, or whose
    nodes would not fit the kind of all spaces.
    """
    row = _locked(acting_user, kind)
    done = [KindMigrationStatus.COMPLETED, KindMigrationStatus.ROLLED_BACK]
    if row.migrations.filter(status__in=done).exists():
        message = _("Nodes were migrated for this kind, and its history keeps it.")
        raise Conflict(message, code="kind_has_history")
    kind_lock(row.name)
    if row.space_id is not None:
        shared = Kind.objects.filter(name=row.name, space=None).first()
        if shared is not None:
            nodes_require(Kind(name=row.name, metadata_schema=shared.metadata_schema), of=row)
    row.delete()


def kind_migration_try(
    *, acting_user: User, kind: Kind, schema: Any, steps: Any, limit: int = 200
) -> Trial:
    """Return what a change of a schema would be to the nodes of a kind, storing nothing.

    Of the rows `limit` are returned. Raises NotFound, Forbidden and Invalid.
    """
    kind_permit(acting_user, kind.space)
    migration = _migration(acting_user, kind, schema, steps)
    rows = list(plan_rows(migration, kind))
    migration.counts = counts_of(rows, len(migration.steps))
    is_fit = not migration.counts[MigratedState.INVALID]
    migration.status = KindMigrationStatus.VALIDATED if is_fit else KindMigrationStatus.PLANNED
    order = [MigratedState.INVALID, MigratedState.CHANGED, MigratedState.UNCHANGED]
    rows.sort(key=lambda row: order.index(MigratedState(row.state)))
    return Trial(migration, rows[:limit])


def kind_migration_plan(*, acting_user: User, kind: Kind, schema: Any, steps: Any) -> KindMigration:
    """Store a plan to change a kind's schema, with what it is to every node.

    A plan for many nodes is made by a worker; its status tells. Raises NotFound, Forbidden,
    Invalid, and Conflict while another migration of the kind runs.
    """
    with transaction.atomic():
        row = _locked(acting_user, kind)
        migration = _migration(acting_user, row, schema, steps)
        migration.save()
        return _plan_make(acting_user, migration)


def kind_migration_replan(*, acting_user: User, migration: KindMigration) -> KindMigration:
    """Make a plan anew, as its nodes are now. Raises NotFound, Forbidden and Conflict."""
    with transaction.atomic():
        row = _migration_locked(acting_user, migration)
        open_ = {
            KindMigrationStatus.PLANNED,
            KindMigrationStatus.VALIDATED,
            KindMigrationStatus.FAILED,
        }
        if row.status not in open_:
            raise _not_now(row)
        _schema_require(row, row.from_version, row.old_schema)
        row.error_code = row.error_message = ""
        return _plan_make(acting_user, row)


def kind_migration_apply(*, acting_user: User, migration: KindMigration) -> KindMigration:
    """Have a worker migrate all nodes at once, or none of them.

    Raises NotFound, Forbidden, and Conflict for a plan that is not validated, a schema that was
    changed since, or another migration of the kind that runs.
    """
    with transaction.atomic():
        row = _migration_locked(acting_user, migration)
        if row.status == KindMigrationStatus.PLANNED and row.counts.get(MigratedState.INVALID):
            raise _misfits(row)
        if row.status != KindMigrationStatus.VALIDATED:
            raise _not_now(row)
        _schema_require(row, row.from_version, row.old_schema)
        return _start(acting_user, row, KindMigrationWork.APPLY)


def kind_migration_rollback(
    *, acting_user: User, migration: KindMigration, keep_later: bool = False
) -> KindMigration:
    """Have a worker give all nodes their old metadata back, later edits merged in, or none.

    `keep_later` settles where an edit and the way back meet. Raises NotFound, Forbidden, and
    Conflict for a migration that is not completed, or not the last of its kind.
    """
    with transaction.atomic():
        row = _migration_locked(acting_user, migration)
        if row.status != KindMigrationStatus.COMPLETED:
            raise _not_now(row)
        _schema_require(row, row.to_version, row.new_schema)
        row.keeps_later = keep_later
        return _start(acting_user, row, KindMigrationWork.ROLLBACK)


def _plan_make(user: User, migration: KindMigration) -> KindMigration:
    if nodes_of(migration.kind).count() > PLANNED_AT_ONCE:
        return _start(user, migration, KindMigrationWork.PLAN)
    migration.work = KindMigrationWork.PLAN
    plan_write(migration)
    return migration


def _start(user: User, migration: KindMigration, work: KindMigrationWork) -> KindMigration:
    migration.status, migration.work = KindMigrationStatus.RUNNING, work
    migration.attempts = 0
    migration.error_code = migration.error_message = ""
    migration.started_by, migration.trace_id = user, current_trace_id()
    migration.started_at, migration.finished_at = timezone.now(), None
    try:
        with transaction.atomic():
            migration.save()
    except IntegrityError:
        raise _running() from None
    send_after_commit(tasks.kind_migration_work, str(migration.pk))
    return migration


def _migration(user: User, kind: Kind, schema: Any, steps: Any) -> KindMigration:
    """Return an unsaved migration of readable steps to a usable schema. Raises Invalid."""
    schema_require(schema, "schema")
    steps_require(steps)
    return KindMigration(
        kind=kind,
        from_version=kind.schema_version,
        to_version=kind.schema_version + 1,
        old_schema=kind.metadata_schema,
        new_schema=schema,
        steps=steps,
        created_by=user,
        trace_id=current_trace_id(),
    )


def _locked(user: User, kind: Kind) -> Kind:
    """Return the stored row, locked; a running migration holds it, and is not waited for."""
    rows = Kind.objects.visible_to(user).select_related("space").filter(pk=kind.pk)
    seen = rows.first()
    if seen is None:
        raise not_found()
    kind_permit(user, seen.space)
    _running_refuse(seen)
    row = rows.select_for_update(of=("self",), no_key=True).first()
    if row is None:
        raise not_found()
    return row


def _migration_locked(user: User, migration: KindMigration) -> KindMigration:
    rows = KindMigration.objects.visible_to(user).select_related("kind__space")
    row = rows.select_for_update(of=("self",), no_key=True).filter(pk=migration.pk).first()
    if row is None:
        raise not_found()
    return row


def _schema_require(migration: KindMigration, version: int, schema: Any) -> None:
    kind = migration.kind
    if kind.schema_version != version or kind.metadata_schema != schema:
        message = _("The schema of the kind is another by now: version %(version)s.")
        raise Conflict(message % {"version": kind.schema_version}, code="schema_changed")
    _running_refuse(kind)


def _running_refuse(kind: Kind) -> None:
    if kind.migrations.filter(status=KindMigrationStatus.RUNNING).exists():
        raise _running()


def _running() -> Conflict:
    return Conflict(_("Another migration of this kind is running."), code="migration_running")


def _misfits(migration: KindMigration) -> Conflict:
    count = migration.counts[MigratedState.INVALID]
    message = ngettext(
        "%(count)s node would not fit the new schema; nothing was changed.",
        "%(count)s nodes would not fit the new schema; nothing was changed.",
        count,
    )
    details = {"status": migration.status, "invalid": count}
    return Conflict(message % {"count": count}, code="nodes_invalid", details=details)


def _not_now(migration: KindMigration) -> Conflict:
    message = _("This cannot be done to a migration that is: %(status)s.")
    return Conflict(
        message % {"status": migration.get_status_display()},
        code="migration_status",
        details={"status": migration.status},
    )
