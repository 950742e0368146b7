"""The part of relations in taking changes out: to remove, to make again, to change back."""

import copy
import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from knowledge.models import Node, Relation, RelationVersion

CHANGED = ("kind", "weight", "metadata", "status")


def relation_plan(
    rows: QuerySet,
) -> tuple[list[Relation], list[Relation], list[tuple[Relation, Relation]]]:
    """Return what taking out some versions of relations comes to.

    Relations to remove, as they are stored; those to make again; and pairs of new and stored values
    of those that go back to what they were, field by field, where nobody has changed it since.
    """
    made = rows.filter(history_type="+").values("id")
    removed = list(Relation.objects.filter(pk__in=made).order_by("pk"))
    gone = rows.filter(history_type="-").exclude(id__in=made).order_by("id")
    return removed, [each for each in map(_made_again, gone) if each], _changed_back(rows, made)


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of consecutive numbers, newest run first."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs[::-1]


def _made_again(row: Any) -> Relation | None:
    """Return a removed relation anew; None where an end is gone or others made it again."""
    ends = Node.objects.filter(pk__in=[row.source_id, row.target_id]).count()
    same = Relation.objects.filter(source_id=row.source_id, target_id=row.target_id, kind=row.kind)
    if ends < 2 or same.exists():
        return None
    fields = {name: copy.deepcopy(getattr(row, name)) for name in CHANGED}
    return Relation(source_id=row.source_id, target_id=row.target_id, **fields)


def _changed_back(rows: QuerySet, made: QuerySet) -> list[tuple[Relation, Relation]]:
    numbers: dict[uuid.UUID, list[int]] = {}
    edits = rows.filter(history_type="~").exclude(id__in=made).order_by("id", "version")
    for pk, number in edits.values_list("id", "version"):
        numbers.setdefault(pk, []).append(number)
    pairs = []
    stored = Relation.objects.filter(pk__in=numbers).order_by("pk").select_related("source")
    for relation in stored:
        versions = {row.version: row for row in RelationVersion.objects.filter(id=relation.pk)}
        becomes = copy.deepcopy(relation)
        for first, last in runs_of(numbers[relation.pk]):
            before, after = versions.get(first - 1), versions[last]
            for name in CHANGED if before is not None else ():
                if getattr(becomes, name) == getattr(after, name):
                    setattr(becomes, name, copy.deepcopy(getattr(before, name)))
        same = Relation.objects.filter(
            source=relation.source_id, target=relation.target_id, kind=becomes.kind
        )
        if any(getattr(becomes, name) != getattr(relation, name) for name in CHANGED) and not (
            same.exclude(pk=relation.pk).exists()
        ):
            pairs.append((becomes, relation))
    return pairs
