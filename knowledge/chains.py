"""Checking that nothing in the history was changed: the numbers, checksums and chains of versions.

A text that was changed behind the database's guard no longer has its checksum; facts, a missing row
or a row too many break the chain from there on. What somebody rewrites from end to end with new
checksums and chains shows only against something kept elsewhere: the checksum of a release, or the
last chain of each node (`heads`).
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from django.db.models import QuerySet

from knowledge.models import (
    Erasure,
    Node,
    NodeVersion,
    Publication,
    Relation,
    RelationVersion,
    Space,
)
from knowledge.versions import (
    chain_of,
    checksum_of,
    relation_checksum_of,
    relation_state_of,
    state_of,
)

Kind = Literal["node", "relation"]
ROWS = 200  # read at a time: versions hold whole texts


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written; `version` is None where it concerns the whole."""

    kind: Kind
    id: uuid.UUID
    version: int | None
    code: str
    message: str


@dataclass(slots=True)
class Counts:
    """How much was checked."""

    nodes: int = 0
    relations: int = 0
    versions: int = 0
    erased: int = 0
    heads: dict[uuid.UUID, str] = field(default_factory=dict)


def history_problems(counts: Counts, space: Space | None = None) -> Iterator[Problem]:
    """Check every version of a space, or of all, and yield what is wrong; count along.

    Read it inside one REPEATABLE READ transaction where writers are at work.
    """
    nodes = Node.objects.all()
    node_rows = NodeVersion.objects.all()
    relations = Relation.objects.all()
    relation_rows = RelationVersion.objects.all()
    if space is not None:
        nodes, node_rows = nodes.filter(space=space), node_rows.filter(space=space)
        inside = NodeVersion.objects.filter(space=space).values("id")
        relations = relations.filter(source__space=space)
        relation_rows = relation_rows.filter(source_id__in=inside)
    found = _Walk("node", node_rows, nodes, counts)
    yield from found.problems()
    counts.nodes = found.count
    yield from _publication_problems(nodes)
    found = _Walk("relation", relation_rows, relations, counts)
    yield from found.problems()
    counts.relations = found.count


class _Walk:
    """All versions of nodes, or of relations, in order, beside the rows as they are now."""

    def __init__(self, kind: Kind, rows: QuerySet, current: QuerySet, counts: Counts) -> None:
        self._kind, self._rows, self._current, self._counts = kind, rows, current, counts
        self._checksum_of = checksum_of if kind == "node" else relation_checksum_of
        self._state_of = state_of if kind == "node" else relation_state_of
        self._erasures: set[tuple[uuid.UUID, int]] = set()
        self.count = 0

    def problems(self) -> Iterator[Problem]:
        if self._kind == "node":  # nobody erases a version of a relation
            erasures = Erasure.objects.values_list("node_id", "versions").iterator()
            self._erasures = {(pk, number) for pk, numbers in erasures for number in numbers}
        rows = self._rows.order_by("id", "version").iterator(chunk_size=ROWS)
        group: list[tuple[uuid.UUID, Any]] = []
        seen: set[uuid.UUID] = set()
        for pk, versions in groupby(rows, key=lambda row: row.id):
            self.count += 1
            seen.add(pk)
            last = None
            for problem, row in self._chain(pk, versions):
                last = row
                if problem is not None:
                    yield problem
            group.append((pk, last))
            if len(group) >= ROWS:
                yield from self._against_rows(group)
                group.clear()
        yield from self._against_rows(group)
        for pk in self._current.values_list("pk", flat=True).iterator():
            if pk not in seen:
                yield self._problem(pk, None, "no_history", "has no version at all")

    def _chain(self, pk: uuid.UUID, versions: Any) -> Iterator[tuple[Problem | None, Any]]:
        """Yield every version, with what is wrong with it."""
        chain, number = "", 0
        for row in versions:
            self._counts.versions += 1
            if row.version != number + 1:
                text = f"follows version {number}: what was between them is gone"
                yield self._problem(pk, row.version, "gap", text), row
            number = row.version
            if row.erased_at is not None:
                self._counts.erased += 1
                if (pk, row.version) not in self._erasures:
                    text = "is empty, and nothing says who erased it"
                    yield self._problem(pk, row.version, "erased_by_nobody", text), row
            elif self._checksum_of(row) != row.checksum:
                text = "no longer has the content that it was written with"
                yield self._problem(pk, row.version, "content_changed", text), row
            if chain_of(chain, row) != row.chain:
                text = "does not continue the chain: its facts or a version before it were changed"
                yield self._problem(pk, row.version, "chain_broken", text), row
            chain = row.chain  # one report for a broken link, not one for all that follow
            yield None, row
        self._counts.heads[pk] = chain

    def _against_rows(self, group: list[tuple[uuid.UUID, Any]]) -> Iterator[Problem]:
        current = self._current.in_bulk([pk for pk, _last in group])
        for pk, last in group:
            row = current.get(pk)
            if row is None:
                if last.history_type != "-":
                    text = "is gone, and no version says who deleted it"
                    yield self._problem(pk, last.version, "gone", text)
            elif last.history_type == "-" or row.version != last.version:
                text = f"is at version {row.version}, its history ends with {last.version}"
                yield self._problem(pk, row.version, "not_the_last", text)
            elif row.checksum != last.checksum or (
                last.erased_at is None and self._state_of(row) != self._state_of(last)
            ):
                yield self._problem(pk, row.version, "not_its_version", "differs from its version")

    def _problem(self, pk: uuid.UUID, version: int | None, code: str, text: str) -> Problem:
        name = f"{self._kind} {pk}" + (f" version {version}" if version is not None else "")
        return Problem(self._kind, pk, version, code, f"{name} {text}.")


def _publication_problems(nodes: QuerySet) -> Iterator[Problem]:
    """Yield the published nodes without the open publication of their version, and the reverse."""
    open_rows = dict(
        Publication.objects.filter(ended_at=None, node_id__in=nodes.values("pk")).values_list(
            "node_id", "version"
        )
    )
    for pk, version, status in nodes.values_list("pk", "version", "status").iterator():
        expected = version if status == "published" else None
        if open_rows.get(pk) != expected:
            text = f"node {pk} is {status} at version {version}, its publication says otherwise."
            yield Problem("node", pk, version, "publication", text)
