"""Writing the rows of versions: numbered, chained, and never touched again.

Works alike for nodes and relations, in the caller's transaction, which holds the locks of what the
versions are of.
"""

import datetime
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.utils import timezone

from knowledge.models import Node, NodeVersion, Relation, RelationVersion
from knowledge.models.versioning import WrittenVersions
from knowledge.types import Origin
from knowledge.versions import chain_of
from project.accounts.models import User
from project.database.rows import rows_add
from project.tracing import current_trace_id

NO_MERGES: Mapping[uuid.UUID, int] = {}

Holder = Node | Relation


def versions_insert(
    holders: Sequence[Holder],
    kind: str,
    *,
    author: User | None,
    reason: str = "",
    origin: Origin | None = None,
    merged_from: Mapping[uuid.UUID, int] = NO_MERGES,
) -> datetime.datetime:
    """Write the version that each of some nodes, or relations, is now; return their common time.

    `kind` is "+", "~" or "-" as django-simple-history has it. Parents are the version before and,
    where it is another, that of `merged_from`. The time is later than those of the versions before.
    Raises RuntimeError for a number that does not follow the last one.
    """
    model: Any = NodeVersion if isinstance(holders[0], Node) else RelationVersion
    last = _last(model, [each.pk for each in holders if each.version > 1])
    now = _after(date for _number, _chain, date in last.values())
    names = [field.attname for field in model.tracked_fields]
    origin, trace_id = origin or Origin(), current_trace_id()
    rows = []
    for each in holders:
        number, chain, _date = last.get(each.pk, (0, "", None))
        if each.version != number + 1:
            message = f"Version {each.version} of {each.pk} does not follow {number}."
            raise RuntimeError(message)
        begun = merged_from.get(each.pk)
        parents = [number] if number else []
        row = model(
            history_date=now,
            history_type=kind,
            history_relation_id=each.pk,
            history_user=author,
            history_change_reason=reason,
            parents=[*parents, begun] if begun not in (None, number) else parents,
            author_name=author.get_username() if author else "",
            change_origin=origin.kind,
            change_origin_id=origin.id,
            trace_id=trace_id,
            **{name: getattr(each, name) for name in names},
        )
        row.chain = chain_of(chain, row)
        rows.append(row)
    rows_add(rows)
    return now


@contextmanager
def version_written(holder: Holder) -> Iterator[None]:
    """Let the row of a node or relation be saved or deleted by whoever writes its version, too."""
    setattr(holder, WrittenVersions.WRITING, True)
    try:
        yield
    finally:
        delattr(holder, WrittenVersions.WRITING)


def _last(
    model: Any, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[int, str, datetime.datetime]]:
    if not ids:
        return {}
    rows = (
        model.objects.filter(id__in=ids)
        .order_by("id", "-version")
        .distinct("id")
        .values_list("id", "version", "chain", "history_date")
    )
    return {pk: (number, chain, date) for pk, number, chain, date in rows}


def _after(dates: Iterator[datetime.datetime]) -> datetime.datetime:
    """Return the time now, or the next moment after all of `dates` on a clock that went back."""
    step = datetime.timedelta(microseconds=1)
    return max([timezone.now(), *(date + step for date in dates)])
