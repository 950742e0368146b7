"""Reading all that a release holds, in order and a few rows at a time, for its export.

Versions never change; what stands beside them (tags, owners, ends of publications) may, so it is
read in one transaction that sees one state.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby, islice
from types import SimpleNamespace
from typing import Any, cast

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from knowledge.exporting.names import CROWD, FileNames
from knowledge.models import (
    Node,
    NodeVersion,
    Publication,
    Relation,
    RelationVersion,
    Release,
    ReleaseEntry,
    ReleaseRelation,
    Source,
    VersionTag,
)
from knowledge.release_writing import Held, held_nodes, held_relations
from project.accounts.models import User

GROUP = 100  # nodes or relations whose facts are read together
_ROWS = 50  # versions read at a time: each holds a whole text


@contextmanager
def one_state() -> Iterator[None]:
    """Let the block see one state of the database, unless it is in a transaction already."""
    is_first = not connection.in_atomic_block
    with transaction.atomic():
        if is_first:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@dataclass(slots=True)
class ReleasedNode:
    """A node of a release: what stands beside its versions, and the versions, read as they come.

    The versions must be read before the next node is asked for.
    """

    held: Held
    row: Any  # the node as it is now; None where it is gone
    versions: Iterator[Any]
    publications: list[Any]
    tags: list[Any]
    relations: list[Any] = field(default_factory=list)


class ReleaseReader:
    """What a release holds. Use it inside `one_state`."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self._names: dict[int, str] = {}

    def paths(self) -> dict[uuid.UUID, str]:
        """Return the path of each node's text: by its kind and title as released."""
        rows = self._released_nodes().order_by("id")
        crowded = rows.order_by().values("kind").annotate(count=Count("id")).filter(count__gt=CROWD)
        names = FileNames(set(crowded.values_list("kind", flat=True)))
        facts = rows.values_list("id", "kind", "title").iterator(chunk_size=2000)
        return {pk: names.node(pk, kind, title) for pk, kind, title in facts}

    def nodes(self) -> Iterator[ReleasedNode]:
        """Yield the nodes by ascending ids, each with its versions up to the released one."""
        for group in _groups(held_nodes(self.release.pk)):
            ids = [held.id for held in group]
            rows = Node.objects.defer("content", "anchors", "wiki_links").in_bulk(ids)
            publications, tags = self._publications(group), self._tags(group)
            relations = self._relations_from(ids)
            versions = _versions_by_id(NodeVersion, ids)
            for held, (pk, found) in zip(group, versions, strict=True):
                assert held.id == pk
                yield ReleasedNode(
                    held,
                    rows.get(pk),
                    _up_to(held.version, found),
                    publications[pk],
                    tags[pk],
                    relations[pk],
                )

    def relations(self) -> Iterator[tuple[Held, Any, list[Any]]]:
        """Yield by ascending ids: what is held, the relation as it is now or None, its versions."""
        for group in _groups(held_relations(self.release.pk)):
            ids = [held.id for held in group]
            rows = Relation.objects.in_bulk(ids)
            versions = _versions_by_id(RelationVersion, ids)
            for held, (pk, found) in zip(group, versions, strict=True):
                yield held, rows.get(pk), list(_up_to(held.version, found))

    def history(self) -> Iterator[Any]:
        """Yield all versions of nodes and relations in the order in which they were made."""
        entries = self._entries(ReleaseEntry, "node_id", version__gte=OuterRef("version"))
        joined = self._entries(ReleaseRelation, "relation_id", version__gte=OuterRef("version"))
        order = ("history_date", "id", "version")
        nodes = NodeVersion.objects.filter(Exists(entries)).order_by(*order)
        relations = RelationVersion.objects.filter(Exists(joined)).order_by(*order)
        yield from merge(
            nodes.iterator(chunk_size=_ROWS),
            relations.iterator(chunk_size=_ROWS),
            key=lambda row: row.history_date,
        )

    def version_count(self) -> int:
        """Return how many versions `history` yields."""
        entries = self._entries(ReleaseEntry, "node_id", version__gte=OuterRef("version"))
        joined = self._entries(ReleaseRelation, "relation_id", version__gte=OuterRef("version"))
        nodes: int = NodeVersion.objects.filter(Exists(entries)).count()
        relations: int = RelationVersion.objects.filter(Exists(joined)).count()
        return nodes + relations

    def sources(self) -> Iterator[Source]:
        """Yield the sources that any of the versions came from, by ascending ids."""
        entries = self._entries(ReleaseEntry, "node_id", version__gte=OuterRef("version"))
        versions = NodeVersion.objects.filter(Exists(entries)).exclude(source=None)
        rows = Source.objects.filter(pk__in=versions.values("source_id")).order_by("pk")
        yield from rows.iterator(chunk_size=_ROWS)

    def user_name(self, pk: int | None) -> str:
        """Return the user name behind an id; empty for none, or an account that is gone."""
        if pk is None:
            return ""
        if pk not in self._names:
            found = User.objects.filter(pk=pk).values_list("username", flat=True).first()
            self._names[pk] = found or ""
        return self._names[pk]

    def _entries(self, model: Any, name: str, **more: Any) -> QuerySet:
        key = {name: OuterRef("id")}
        return cast("QuerySet", model.objects.filter(release=self.release, **key, **more))

    def _released_nodes(self) -> QuerySet:
        entries = self._entries(ReleaseEntry, "node_id", version=OuterRef("version"))
        return cast("QuerySet", NodeVersion.objects.filter(Exists(entries)))

    def _relations_from(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Any]]:
        held = self._entries(ReleaseRelation, "relation_id", version=OuterRef("version"))
        rows = RelationVersion.objects.filter(Exists(held), source_id__in=ids)
        return _by(rows.order_by("kind", "target_id", "id"), "source_id")

    def _publications(self, group: Sequence[Held]) -> dict[uuid.UUID, list[Any]]:
        """Return the times of publication up to the release; those that go on then are open."""
        moment = self.release.as_of
        rows = Publication.objects.filter(
            node_id__in=[held.id for held in group], started_at__lte=moment
        ).order_by("started_at", "id")
        numbers = {held.id: held.version for held in group}
        found = _by((row for row in rows if row.version <= numbers[row.node_id]), "node_id")
        for times in found.values():
            last = times[-1]
            if last.ended_at is not None and last.ended_at > moment:
                last.ended_at = None
        return found

    def _tags(self, group: Sequence[Held]) -> dict[uuid.UUID, list[Any]]:
        numbers = {held.id: held.version for held in group}
        rows = VersionTag.objects.filter(node_id__in=list(numbers)).order_by("version", "name")
        kept = [row for row in rows if row.version <= numbers[row.node_id]]
        return _by(
            (
                SimpleNamespace(
                    node_id=row.node_id,
                    version=row.version,
                    name=row.name,
                    created_at=row.created_at,
                    created_by=self.user_name(row.created_by_id),
                )
                for row in kept
            ),
            "node_id",
        )


def _groups(rows: Iterator[Held]) -> Iterator[list[Held]]:
    while group := list(islice(rows, GROUP)):
        yield group


def _versions_by_id(
    model: Any, ids: Sequence[uuid.UUID]
) -> Iterator[tuple[uuid.UUID, Iterator[Any]]]:
    rows = model.objects.filter(id__in=ids).order_by("id", "version")
    return groupby(rows.iterator(chunk_size=_ROWS), key=lambda row: row.id)


def _up_to(number: int, rows: Iterator[Any]) -> Iterator[Any]:
    return (row for row in rows if row.version <= number)


def _by(rows: Iterable[Any], name: str) -> dict[uuid.UUID, list[Any]]:
    found: dict[uuid.UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[getattr(row, name)].append(row)
    return found
