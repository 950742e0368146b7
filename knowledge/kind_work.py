"""Working off a migration in a worker: one at a time a kind, whatever dies, with its outcome told.

A worker holds the kind's advisory lock for as long as its session lives. What it does is one
transaction, so one that dies leaves everything as it was; the migration is then begun again, and
failed after MAX_TRIES.
"""

import uuid

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.access import not_found
from knowledge.choices import KindMigrationStatus, KindMigrationWork, MigratedState
from knowledge.kind_backups import backup_remove
from knowledge.kind_migrating import (
    NodesRefuse,
    conflicts_store,
    migration_apply,
    migration_undo,
)
from knowledge.kind_plans import counts_of, plan_write, rows_store
from knowledge.kind_progress import progress_set
from knowledge.kinds import kind_permit
from knowledge.models import KindMigration
from project.http.errors import ApiError
from project.locks import try_lock
from project.tracing import bind_trace

MAX_TRIES = 3
log = structlog.get_logger(__name__)


def migration_work(migration_id: uuid.UUID) -> None:
    """Do what a running migration is waiting for, if no other worker does it.

    Its outcome is on its row. Raises what the database raises when it goes away: the sweep then
    begins it again.
    """
    kind_id = KindMigration.objects.filter(pk=migration_id).values_list("kind", flat=True).first()
    if kind_id is None:
        return
    with try_lock(_lock_name(kind_id)) as held:
        migration = _claim(migration_id) if held else None
        if migration is None:
            return
        user = migration.started_by
        language = user.language if user is not None else ""
        with (
            bind_trace(migration.trace_id),
            translation.override(language or settings.LANGUAGE_CODE),
        ):
            _work(migration)


def migrations_unattended() -> list[uuid.UUID]:
    """Return the running migrations that no worker holds, oldest first."""
    rows = KindMigration.objects.filter(status=KindMigrationStatus.RUNNING).order_by("started_at")
    return [pk for pk, kind_id in rows.values_list("pk", "kind") if not _is_held(kind_id)]


def _claim(migration_id: uuid.UUID) -> KindMigration | None:
    with transaction.atomic():
        rows = KindMigration.objects.select_related("kind__space", "started_by")
        migration = (
            rows.select_for_update(of=("self",))
            .filter(pk=migration_id, status=KindMigrationStatus.RUNNING)
            .first()
        )
        if migration is None:
            return None
        migration.attempts += 1
        migration.save(update_fields=["attempts"])
    if migration.attempts > MAX_TRIES:
        why = _("It was interrupted too often; nothing was changed.")
        _fail(migration, "gave_up", why)
        return None
    return migration


def _work(migration: KindMigration) -> None:
    try:
        if migration.started_by is None:
            raise not_found()
        kind_permit(migration.started_by, migration.kind.space)
        _DO[KindMigrationWork(migration.work)](migration)
    except NodesRefuse as refusal:
        _refuse(migration, refusal)
    except ApiError as error:
        _fail(migration, error.code, error.message)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("kind_migration_failed", migration=str(migration.pk), exc_info=error)
        message = _("It failed for a reason that the server's log has under its trace id.")
        _fail(migration, "internal", message)


def _plan(migration: KindMigration) -> None:
    plan_write(migration)
    KindMigration.objects.filter(pk=migration.pk).update(finished_at=timezone.now())


def _apply(migration: KindMigration) -> None:
    migration_apply(migration, lambda share: progress_set(migration.pk, share))


def _rollback(migration: KindMigration) -> None:
    migration_undo(migration, lambda share: progress_set(migration.pk, share))


@transaction.atomic
def _refuse(migration: KindMigration, refusal: NodesRefuse) -> None:
    """Keep which nodes stand in the way, and why."""
    if migration.work == KindMigrationWork.ROLLBACK:
        conflicts_store(migration, refusal.rows)
        count = len(refusal.rows)
        message = ngettext(
            "%(count)s node stands in the way of going back; nothing was changed.",
            "%(count)s nodes stand in the way of going back; nothing was changed.",
            count,
        )
        _fail(migration, "nodes_conflict", message % {"count": count})
        return
    rows_store(migration, refusal.rows)
    migration.counts = counts_of(refusal.rows, len(migration.steps))
    KindMigration.objects.filter(pk=migration.pk).update(counts=migration.counts)
    count = migration.counts[MigratedState.INVALID]
    message = ngettext(
        "%(count)s node would not fit the new schema; nothing was changed.",
        "%(count)s nodes would not fit the new schema; nothing was changed.",
        count,
    )
    _fail(migration, "nodes_invalid", message % {"count": count})


def _fail(migration: KindMigration, code: str, message: str) -> None:
    """Write that it came to nothing. A migration that cannot be undone stays completed."""
    is_undo = migration.work == KindMigrationWork.ROLLBACK
    KindMigration.objects.filter(pk=migration.pk).update(
        status=KindMigrationStatus.COMPLETED if is_undo else KindMigrationStatus.FAILED,
        error_code=code,
        error_message=message,
        finished_at=timezone.now(),
    )
    if not is_undo:
        backup_remove(migration)


def _lock_name(kind_id: uuid.UUID) -> str:
    return f"kind-migration:{kind_id}"


def _is_held(kind_id: uuid.UUID) -> bool:
    with try_lock(_lock_name(kind_id)) as free:
        return not free


_DO = {
    KindMigrationWork.PLAN: _plan,
    KindMigrationWork.APPLY: _apply,
    KindMigrationWork.ROLLBACK: _rollback,
}
