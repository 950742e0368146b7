"""Comparing what releases hold: two of them, or one and what its space publishes now.

Only numbers and checksums of versions are compared, in the database; versions are read for the
page that somebody looks at, and the difference of a text for the one node that they open.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from django.db import connection
from django.utils import timezone

from knowledge.models import NodeVersion, RelationVersion, Release, Space
from knowledge.versions import VersionDiff, compare, relation_state_of, state_of

Held = Literal["nodes", "relations"]
ChangeKind = Literal["added", "removed", "changed"]
KINDS: tuple[ChangeKind, ...] = ("added", "removed", "changed")


class Side(NamedTuple):
    """What is compared: a release, or with None what its space publishes now."""

    space: Space
    release: Release | None = None


@dataclass(slots=True)
class Change:
    """A node or relation that differs; a version is None where that side does not hold it.

    `old` and `new` are the versions themselves, `fields` the names of those that differ.
    """

    id: uuid.UUID
    kind: ChangeKind
    old_version: int | None
    new_version: int | None
    old: Any = None
    new: Any = None
    fields: list[str] = field(default_factory=list)

    @property
    def shown(self) -> Any:
        """The newer of the versions that there are."""
        return self.new or self.old


class Difference(NamedTuple):
    """How one node differs between two sides."""

    old: Any
    new: Any
    difference: VersionDiff


class Page(NamedTuple):
    """Changes in the order of their ids, and whether more come before and after them."""

    changes: list[Change]
    has_before: bool
    has_after: bool


# Two statements for each table: what a release holds, and what is published now. They are fixed
# texts; every value is a parameter.
_RELEASED = {
    "nodes": """
        SELECT node_id AS id, version, checksum FROM knowledge_releaseentry
        WHERE release_id = %s""",
    "relations": """
        SELECT relation_id AS id, version, checksum FROM knowledge_releaserelation
        WHERE release_id = %s""",
}
_PUBLISHED = """
        SELECT node.id, node.version, node.checksum FROM knowledge_node AS node
        WHERE node.space_id = %s AND node.status = 'published'
            AND (node.valid_from IS NULL OR node.valid_from <= %s)
            AND (node.valid_until IS NULL OR node.valid_until > %s)"""
_NOW = {
    "nodes": _PUBLISHED,
    "relations": f"""
        SELECT r.id, r.version, r.checksum FROM knowledge_relation AS r
        WHERE r.source_id IN (SELECT id FROM ({_PUBLISHED}) AS source_nodes)
            AND r.target_id IN (SELECT id FROM ({_PUBLISHED}) AS target_nodes)""",  # noqa: S608
}
_KIND = """CASE WHEN old.id IS NULL THEN 'added' WHEN new.id IS NULL THEN 'removed'
        ELSE 'changed' END"""


def change_counts(old: Side, new: Side) -> dict[str, dict[str, int]]:
    """Return how many nodes and relations were added, removed and changed."""
    counts: dict[str, dict[str, int]] = {}
    for what in ("nodes", "relations"):
        joined, values = _joined(what, old, new)
        statement = f"SELECT {_KIND}, count(*) FROM {joined} GROUP BY 1"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            found = dict(cursor.fetchall())
        counts[what] = {kind: found.get(kind, 0) for kind in KINDS}
    return counts


def changes(
    what: Held,
    old: Side,
    new: Side,
    *,
    limit: int,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    kind: ChangeKind | None = None,
) -> Page:
    """Return a page of what differs: the first one after an id, or the last one before an id."""
    joined, values = _joined(what, old, new)
    name = "COALESCE(old.id, new.id)"
    edge = after or before
    sign, order = ("<", "DESC") if before is not None else (">", "ASC")
    statement = f"""
        SELECT {name}, {_KIND}, old.version, new.version FROM {joined}
        AND (%s::uuid IS NULL OR {name} {sign} %s) AND (%s::text IS NULL OR {_KIND} = %s)
        ORDER BY {name} {order} LIMIT %s"""  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement, [*values, edge, edge, kind, kind, limit + 1])
        rows = cursor.fetchall()
    has_more = len(rows) > limit
    found = [Change(*row) for row in rows[:limit]]
    if before is not None:
        found.reverse()
    _versions_add(what, found)
    return (
        Page(found, has_more, has_after=True)
        if before is not None
        else Page(found, after is not None, has_more)
    )


def node_difference(node_id: uuid.UUID, old: Side, new: Side) -> Difference | None:
    """Return how a node differs, with the unified difference of its text; None if neither has it.

    The version of a side that does not hold it is blank, with the number 0.
    """
    before, after = (_held_version(node_id, side) for side in (old, new))
    if before is None and after is None:
        return None
    blank = NodeVersion(version=0, kind="", title="", language="", content="", tags=[], metadata={})
    before, after = before or blank, after or blank
    return Difference(before, after, compare(before, after))


def titles_of(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the newest titles of nodes, of those that are gone, too."""
    rows = NodeVersion.objects.filter(id__in=set(ids)).order_by("id", "-version").distinct("id")
    return dict(rows.values_list("id", "title"))


def _joined(what: str, old: Side, new: Side) -> tuple[str, list[Any]]:
    """Return the rows of both sides joined where they differ, and the values in that."""
    (left, left_values), (right, right_values) = _rows(what, old), _rows(what, new)
    text = f"""({left}) AS old FULL JOIN ({right}) AS new ON old.id = new.id
        WHERE (old.version, old.checksum) IS DISTINCT FROM (new.version, new.checksum)"""
    return text, [*left_values, *right_values]


def _rows(what: str, side: Side) -> tuple[str, list[Any]]:
    if side.release is not None:
        return _RELEASED[what], [side.release.pk]
    now = timezone.now()
    one = [side.space.pk, now, now]
    return _NOW[what], one if what == "nodes" else [*one, *one]


def _versions_add(what: Held, found: Sequence[Change]) -> None:
    """Read the versions of a page of changes, and say which fields differ."""
    model: Any = NodeVersion if what == "nodes" else RelationVersion
    state = state_of if what == "nodes" else relation_state_of
    ids = [change.id for change in found]
    numbers = {each for row in found for each in (row.old_version, row.new_version) if each}
    rows = model.objects.filter(id__in=ids, version__in=numbers)
    known = {(row.id, row.version): row for row in rows}
    for change in found:
        change.old = known.get((change.id, change.old_version))
        change.new = known.get((change.id, change.new_version))
        if change.old is not None and change.new is not None:
            before, after = state(change.old), state(change.new)
            change.fields = [name for name in before if before[name] != after[name]]


def _held_version(node_id: uuid.UUID, side: Side) -> Any:
    rows, values = _rows("nodes", side)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT version FROM ({rows}) AS held WHERE id = %s", [*values, node_id])  # noqa: S608
        row = cursor.fetchone()
    return NodeVersion.objects.filter(id=node_id, version=row[0]).first() if row else None
