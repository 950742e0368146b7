"""Planning a change of a kind's schema: what its steps make of every node, without writing any."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from knowledge.choices import KindMigrationStatus, MigratedState
from knowledge.kinds import nodes_of
from knowledge.merging.tree import is_same
from knowledge.metadata.schemas import MOST_PROBLEMS, MetadataSchema, Problem, schema_of
from knowledge.metadata.steps import Step, steps_apply, steps_of
from knowledge.models import Kind, KindMigration, MigratedNode

BATCH = 1000
PLANNED_FIELDS = ("pk", "title", "version", "metadata")


@dataclass(frozen=True, slots=True)
class Change:
    """The steps of a migration and the schema after it, read and checked."""

    steps: list[Step]
    schema: MetadataSchema | None

    @classmethod
    def of(cls, migration: KindMigration) -> "Change":
        """Return the change that a migration describes."""
        return cls(steps_of(migration.steps), schema_of(migration.new_schema))

    def row(
        self, migration: KindMigration, pk: Any, title: str, version: int, metadata: dict[str, Any]
    ) -> MigratedNode:
        """Return the unsaved row of what the change is to one node."""
        row = MigratedNode(
            migration=migration,
            node_id=pk,
            title=title,
            version_before=version,
            before=metadata,
        )
        result = steps_apply(self.steps, metadata)
        row.changed_by = result.changed_by
        if result.problem is not None:
            row.state, row.problems = MigratedState.INVALID, problems_json([result.problem])
            return row
        row.after = result.value
        problems = self.schema.problems_of(result.value) if self.schema is not None else []
        if problems:
            row.state, row.problems = MigratedState.INVALID, problems_json(problems)
        elif is_same(metadata, result.value):
            row.state = MigratedState.UNCHANGED
        else:
            row.state = MigratedState.CHANGED
        return row


def plan_rows(migration: KindMigration, kind: Kind) -> Iterator[MigratedNode]:
    """Yield the unsaved rows of all nodes of the kind, drafts and archived ones as well."""
    change = Change.of(migration)
    rows = nodes_of(kind).order_by("pk").values_list(*PLANNED_FIELDS)
    for fields in rows.iterator(chunk_size=BATCH):
        yield change.row(migration, *fields)


def counts_of(rows: Iterable[MigratedNode], steps: int) -> dict[str, Any]:
    """Return how many nodes there are in all, by state, and changed by each step."""
    states: Counter[str] = Counter()
    by_step = [0] * steps
    for row in rows:
        states[str(row.state)] += 1
        for number in row.changed_by:
            by_step[number] += 1
    known = {state.value: states[state.value] for state in MigratedState}
    return {"nodes": sum(states.values()), **known, "steps": by_step}


@transaction.atomic
def plan_write(migration: KindMigration) -> None:
    """Store what the migration is to each node, in the place of an earlier plan.

    It is validated when every node would fit, and stays planned otherwise.
    """
    rows = list(plan_rows(migration, migration.kind))
    rows_store(migration, rows)
    migration.counts = counts_of(rows, len(migration.steps))
    is_fit = not migration.counts[MigratedState.INVALID]
    migration.status = KindMigrationStatus.VALIDATED if is_fit else KindMigrationStatus.PLANNED
    migration.save()


def rows_store(migration: KindMigration, rows: Sequence[MigratedNode]) -> None:
    """Put rows in the place of those that the migration has."""
    MigratedNode.objects.filter(migration=migration).delete()
    MigratedNode.objects.bulk_create(rows, batch_size=BATCH)


def problems_json(problems: Sequence[Problem]) -> list[dict[str, str]]:
    """Return problems as rows keep them: path and message."""
    found = [{"path": each.path, "message": each.message} for each in problems]
    return found[:MOST_PROBLEMS]
