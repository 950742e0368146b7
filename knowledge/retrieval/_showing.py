"""The passages that a search shows, with the titles of their versions."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.db.models.expressions import RawSQL

from knowledge.models import Chunk, Node, NodeVersion, PastChunk, PreviewChunk, PreviewNode, Space
from knowledge.places import label_sql, labels_read, place_name
from knowledge.retrieval._found import Found
from knowledge.retrieval._gaps import GapPassage
from knowledge.retrieval._scope import Reader, Scope
from knowledge.retrieval._shelves import Statement

FIELDS = ("version", "heading_path", "start", "end", "page", "language", "text")


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as results name it; title and external id are those of its version."""

    chunk: uuid.UUID
    node: uuid.UUID
    version: int
    title: str
    external_id: str | None
    heading_path: tuple[str, ...]
    start: int
    end: int
    page: int | None
    language: str
    text: str
    label: str = ""
    state: str = ""

    @property
    def place(self) -> str:
        """The name of where in its source it stands, if it has one."""
        return place_name(self.label)

    @property
    def url(self) -> str:
        """The address of the reading page of the version, at the passage, in the state found."""
        span = f"&start={self.start}&end={self.end}{self.state}"
        return f"/knowledge/nodes/{self.node}/?version={self.version}{span}"


def shown(found: Found, chunks: Iterable[uuid.UUID], user: Reader) -> dict[uuid.UUID, Shown]:
    """Return passages that were found, as far as they are still there and permitted."""
    ids = list(chunks)
    if found.moment is None or found.moment.proposal is not None:
        if found.moment is None and found.scope is not None:
            return _in_scope(ids, found.scope)
        rows = _served(ids, user)
        if found.moment is not None:
            rows |= _previewed(ids, found.moment.proposal, user)
        return rows
    in_gaps = _in_gaps([found.gaps[pk] for pk in ids if pk in found.gaps])
    state = f"&{urlencode(found.moment.query)}"
    rows = _past(ids, user) | in_gaps
    return {pk: replace(row, state=state) for pk, row in rows.items()}


def _in_scope(ids: list[uuid.UUID], scope: Scope) -> dict[uuid.UUID, Shown]:
    """Do the same with the gate of the search itself, which is written in SQL already."""
    if not ids:
        return {}
    statement = Statement()
    statement.add(
        "SELECT chunk.id, chunk.node_id, chunk.version, node.title, node.external_id, "
        'heading_path, start, "end", page, chunk.language, text, '
    )
    statement.add(label_sql("chunk"))
    statement.add(
        " FROM knowledge_chunk AS chunk "
        "JOIN knowledge_node AS node ON node.id = chunk.node_id "
        "WHERE chunk.id = ANY(%s) AND node.id IN (",
        ids,
    )
    statement.add(scope.permitted, *scope.parameters)
    statement.add(")")
    rows = statement.run_prepared() if scope.is_open else statement.run()
    return {row[0]: _of_row(*row) for row in rows}


def _of_row(
    chunk: uuid.UUID,
    node: uuid.UUID,
    version: int,
    title: str,
    external_id: str | None,
    heading_path: list[str],
    *passage: Any,
) -> Shown:
    return Shown(chunk, node, version, title, external_id, tuple(heading_path), *passage)


def _placed(rows: Any) -> Any:
    """Have passages brought with the labels of their places."""
    label = RawSQL(label_sql(rows.model._meta.db_table), ())  # noqa: S611 - a fixed text
    return rows.annotate(label=label)


def _served(ids: list[uuid.UUID], user: Reader) -> dict[uuid.UUID, Shown]:
    rows = _placed(
        Chunk.objects.filter(pk__in=ids, node__in=Node.objects.searchable_by(user))
        .select_related("node")
        .only(*FIELDS, "node__title", "node__external_id")
        .order_by()
    )
    return {row.pk: _shown(row, row.node) for row in rows}


def _past(ids: list[uuid.UUID], user: Reader) -> dict[uuid.UUID, Shown]:
    """Return passages of versions; one may have been moved to the past just now."""
    spaces = list(Space.objects.visible_to(user).values_list("pk", flat=True))
    rows: list[Any] = []
    for model in (Chunk, PastChunk):
        found = model._default_manager.filter(pk__in=ids, space__in=spaces)
        rows += _placed(found.only(*FIELDS, "node_id").order_by())
    versions = _titles({(row.node_id, row.version) for row in rows})
    return {
        row.pk: _shown(row, versions[row.node_id, row.version])
        for row in rows
        if (row.node_id, row.version) in versions
    }


def _titles(pairs: set[tuple[uuid.UUID, int]]) -> dict[tuple[uuid.UUID, int], Any]:
    """Return versions that are not erased, without their texts."""
    rows = NodeVersion.objects.filter(
        id__in={pair[0] for pair in pairs}, version__in={pair[1] for pair in pairs}, erased_at=None
    ).only("id", "version", "title", "external_id")
    return {(row.id, row.version): row for row in rows if (row.id, row.version) in pairs}


def _previewed(ids: list[uuid.UUID], proposal: Any, user: Reader) -> dict[uuid.UUID, Shown]:
    found = PreviewChunk.objects.filter(
        pk__in=ids, proposal=proposal, space__in=Space.objects.editable_by(user)
    )
    rows = _placed(found.only(*FIELDS, "node_id"))
    nodes = {
        row.node_id: row
        for row in PreviewNode.objects.filter(
            proposal=proposal, node_id__in=[row.node_id for row in rows]
        )
    }
    return {row.pk: _shown(row, nodes[row.node_id]) for row in rows if row.node_id in nodes}


def _shown(row: Any, titled: Any) -> Shown:
    return Shown(
        chunk=row.pk,
        node=row.node_id,
        version=row.version,
        title=titled.title,
        external_id=titled.external_id,
        heading_path=tuple(row.heading_path),
        start=row.start,
        end=row.end,
        page=row.page,
        language=row.language,
        text=row.text,
        label=row.label,
    )


def _in_gaps(passages: list[GapPassage]) -> dict[uuid.UUID, Shown]:
    spans = [(each.node, each.version, each.indexed.passage.start) for each in passages]
    pairs = zip(passages, labels_read(spans), strict=True)
    return {each.id: _in_gap(each, label) for each, label in pairs}


def _in_gap(held: GapPassage, label: str) -> Shown:
    passage = held.indexed.passage
    return Shown(
        chunk=held.id,
        node=held.node,
        version=held.version,
        title=held.title,
        external_id=held.external_id,
        heading_path=passage.heading_path,
        start=passage.start,
        end=passage.end,
        page=passage.page,
        language=held.indexed.language,
        text=passage.text,
        label=label,
    )
