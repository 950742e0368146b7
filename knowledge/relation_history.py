"""Relations as they stood at a moment, and how those of two versions of a node differ."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from knowledge.models import NodeVersion, RelationVersion
from knowledge.versions import relation_state_of


@dataclass(frozen=True, slots=True)
class RelationChange:
    """A relation that differs; `old` or `new` is None where it was not there."""

    old: Any
    new: Any

    @property
    def version(self) -> Any:
        """The newer of the two that there is."""
        return self.new or self.old


def relations_at(
    node_id: uuid.UUID, moment: datetime.datetime | None, *, both_ways: bool = False
) -> dict[uuid.UUID, Any]:
    """Return the versions of a node's relations that were current just before a moment, by id.

    None is now. Of relations from the node to others; with `both_ways` those to it, too.
    """
    ends = Q(source_id=node_id) | Q(target_id=node_id) if both_ways else Q(source_id=node_id)
    rows = RelationVersion.objects.filter(ends)
    if moment is not None:
        rows = rows.filter(history_date__lt=moment)
    latest = rows.order_by("id", "-version").distinct("id")
    return {row.id: row for row in latest if row.history_type != "-"}


def relation_changes(old: Any, new: Any) -> list[RelationChange]:
    """Return how the relations of two versions of one node differ, as each version had them last.

    That is just before the next version, or now for the current one: a text's links become
    relations right after its version is written.
    """
    before = relations_at(old.id, _end_of(old))
    after = relations_at(new.id, _end_of(new))
    changes = []
    for pk in sorted({*before, *after}):
        was, becomes = before.get(pk), after.get(pk)
        if was is None or becomes is None or relation_state_of(was) != relation_state_of(becomes):
            changes.append(RelationChange(was, becomes))
    return changes


def _end_of(version: Any) -> datetime.datetime | None:
    following = NodeVersion.objects.filter(id=version.id, version__gt=version.version)
    dates = following.order_by("version").values_list("history_date", flat=True)
    end: datetime.datetime | None = dates.first()
    return end
