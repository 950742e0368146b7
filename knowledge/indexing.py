"""Bringing the index of nodes up to their versions.

1. `prepare_nodes`: outside any transaction, cut nodes into passages, analyse and embed them.
2. `swap`: in one transaction, put the passages in the place of the old ones, which move to those of
   past versions (`knowledge.past`). A search sees all of the old version or all of the new one.

Only published nodes are in the index. What fails before the swap leaves the old version serving.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from django.db import connection, transaction
from django.db.models import F

from knowledge import metrics
from knowledge.analysis import ANALYSIS_VERSION
from knowledge.binary import sequence_unpack, vector_pack
from knowledge.choices import GenerationStatus, NodeStatus
from knowledge.chunk_rows import COLUMNS, chunk_row
from knowledge.cuttings import Cuttings
from knowledge.generations import ensure_generation, generation_model, generations_written
from knowledge.models import IndexGeneration, Node, Space
from knowledge.passages import IndexedPassage, passages_of
from knowledge.past import ServedVersion, passages_retire, versions_serve
from knowledge.planning import passages_arrived
from knowledge.relabelling import passages_relabel
from knowledge.statistics import Difference, difference_append, mean_length, spoken_in, totals
from knowledge.vocabulary import words_learn
from knowledge.weights import word_counts
from project.events.services import emit
from project.inference.embeddings import embed_texts
from project.inference.types import EmbeddingModel, EmbeddingUnavailable, UsageContext

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

log = structlog.get_logger(__name__)

Progress = Callable[[int, int], None]


class GenerationMoved(Exception):
    """Another generation serves than the one that passages were prepared for."""


@dataclass(frozen=True, slots=True)
class PreparedNode:
    """A version of a node as the index will hold it; `vectors` by generation, a row a passage.

    `cutting` stands for how it was cut.
    """

    node_id: uuid.UUID
    space_id: uuid.UUID
    version: int
    passages: list[IndexedPassage]
    vectors: dict[uuid.UUID, npt.NDArray[np.float32]] = field(default_factory=dict)
    cutting: str = ""


@dataclass(frozen=True, slots=True)
class PreparedIndex:
    """Nodes that are ready to be swapped in."""

    nodes: list[PreparedNode]

    @property
    def passages(self) -> int:
        """Number of passages in all."""
        return sum(len(node.passages) for node in self.nodes)


def index_node(node_id: uuid.UUID, *, usage: UsageContext | None = None) -> bool:
    """Index the current version of a node if it is published and not indexed yet.

    Return whether the index changed. Raises EmbeddingUnavailable, and keeps what was there; a node
    that search does not know at all yet is found by its words until its vectors are made up for.
    """
    node = Node.objects.filter(pk=node_id, status=NodeStatus.PUBLISHED).first()
    if node is None or node.indexed_version == node.version:
        return False
    if node.indexed_version is not None and passages_relabel([node.pk]):
        return True  # the text is the same: nothing to embed
    try:
        prepared = prepare_nodes([node], usage=usage)
    except EmbeddingUnavailable:
        if node.indexed_version is not None:
            raise
        log.warning("node_indexed_without_vectors", node=str(node_id))
        prepared = PreparedIndex(nodes_cut([node]))
    return swap(prepared) > 0


def prepare_nodes(
    nodes: Sequence[Node],
    *,
    progress: Progress | None = None,
    usage: UsageContext | None = None,
) -> PreparedIndex:
    """Cut, analyse and embed nodes, in large batches across nodes; nothing can be found yet.

    The nodes need not be stored. `progress` is told how many passages are done, and of how many;
    whoever repeats this finds each batch of vectors in the cache of `project.inference`. Gives the
    database connection back while the models work. Raises EmbeddingUnavailable for a model that
    serves; what is built or kept beside it waits for nobody and is filled in later. Nodes of a
    space that was deleted meanwhile are left out.
    """
    prepared = nodes_cut(nodes)
    space_ids = [each for each in {node.space_id for node in prepared} if _has_generation(each)]
    prepared = [node for node in prepared if node.space_id in space_ids]
    by_model: dict[EmbeddingModel, list[IndexGeneration]] = {}
    for generation in generations_written(space_ids):
        with _may_be_away(generation):
            by_model.setdefault(generation_model(generation), []).append(generation)
    if not connection.in_atomic_block:
        connection.close()  # back to the pool while the models work
    for number, (model, generations) in enumerate(by_model.items()):
        spaces: dict[uuid.UUID, list[uuid.UUID]] = {}  # two of a space may be of one model
        for generation in generations:
            spaces.setdefault(generation.space_id, []).append(generation.pk)
        own = [node for node in prepared if node.space_id in spaces]
        pairs = [(node.node_id, passage.embedded) for node in own for passage in node.passages]
        with _may_be_away(*generations):
            vectors = embed_texts(
                model,
                [text for _node_id, text in pairs],
                purpose="document",
                usage=usage or UsageContext("index", space_id=space_ids[0]),
                subjects=[node_id for node_id, _text in pairs],
                progress=progress and _share(progress, number, len(by_model)),
            )
            at = 0
            for node in own:
                end = at + len(node.passages)
                node.vectors.update(dict.fromkeys(spaces[node.space_id], vectors[at:end]))
                at = end
    return PreparedIndex(prepared)


def swap(prepared: PreparedIndex, *, whole: bool = False) -> int:
    """Put prepared passages in the place of what the index has of their nodes, in one transaction.

    Part of the caller's transaction if there is one. Leaves out nodes that are not published any
    more, have another version by now, or are indexed in a newer one; and those whose vectors are of
    a generation that serves no longer: the sweep prepares them anew, and until then search finds
    what it found. Returns the number of nodes that were swapped. With `whole`, raises
    GenerationMoved instead of leaving out the latter.
    """
    with transaction.atomic():
        by_space: dict[uuid.UUID, list[PreparedNode]] = {}
        for node in _locked(prepared):
            by_space.setdefault(node.space_id, []).append(node)
        current = []
        for space_id in sorted(by_space):
            # First of all the lock of the space: from here on no generation can become active.
            Space.objects.filter(pk=space_id).update(index_revision=F("index_revision") + 1)
            usable = _with_served_vectors(space_id, by_space[space_id])
            if whole and len(usable) < len(by_space[space_id]):
                raise GenerationMoved
            if usable:
                _space_swap(space_id, usable)
            current += usable
        for cutting in {node.cutting for node in current}:
            ids = [node.node_id for node in current if node.cutting == cutting]
            Node.objects.filter(pk__in=ids).update(
                indexed_version=F("version"), indexed_cutting=cutting
            )
    count = sum(len(node.passages) for node in current)
    transaction.on_commit(lambda: metrics.indexed_chunks.inc(count), robust=True)
    transaction.on_commit(lambda: passages_arrived(count), robust=True)
    return len(current)


def unindex_node(node: Node) -> None:
    """Take a node out of the index, in the caller's transaction: that of its change of status."""
    unindex_nodes([node])


def unindex_nodes(nodes: Sequence[Node]) -> None:
    """Do the same for many, whose statuses have changed already."""
    if not nodes:
        return
    ids = [node.pk for node in nodes]
    with transaction.atomic():
        passages_retire(ids)
        removed = _passages_delete(ids)
        Node.objects.filter(pk__in=ids).update(indexed_version=None)
        for node in nodes:
            node.indexed_version = None
        for space_id in sorted(removed):
            difference_append(space_id, removed[space_id])
            Space.objects.filter(pk=space_id).update(index_revision=F("index_revision") + 1)


def nodes_cut(nodes: Sequence[Node]) -> list[PreparedNode]:
    cuttings = Cuttings(nodes)
    return [
        PreparedNode(
            node.pk,
            node.space_id,
            node.version,
            passages_of(node, cuttings.of(node)),
            cutting=cuttings.of(node).key,
        )
        for node in nodes
    ]


@contextmanager
def _may_be_away(*generations: IndexGeneration) -> Iterator[None]:
    """Go on without a model that none of the generations serves with."""
    try:
        yield
    except EmbeddingUnavailable as error:
        if any(generation.status == GenerationStatus.ACTIVE for generation in generations):
            raise
        log.warning("generation_left_behind", model=generations[0].model_key, reason=error.reason)


def _has_generation(space_id: uuid.UUID) -> bool:
    """See to it that a space has a generation; False for one that is gone."""
    try:
        ensure_generation(space_id)
    except Space.DoesNotExist:
        return False
    return True


def _share(progress: Progress, number: int, count: int) -> Progress:
    return lambda done, total: progress(number * total + done, count * total)


def _locked(prepared: PreparedIndex) -> list[PreparedNode]:
    """Lock the nodes' rows and return those whose prepared version is still wanted."""
    by_id = {node.node_id: node for node in prepared.nodes}
    rows = (
        Node.objects.filter(pk__in=by_id, status=NodeStatus.PUBLISHED)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", "space", "version", "indexed_version")
    )
    return [
        by_id[pk]
        for pk, space_id, version, indexed in rows
        if (space_id, version) == (by_id[pk].space_id, by_id[pk].version)
        and (indexed is None or indexed <= version)
    ]


def _with_served_vectors(space_id: uuid.UUID, nodes: list[PreparedNode]) -> list[PreparedNode]:
    """Return the nodes that have vectors of the active generation, or none at all."""
    active = IndexGeneration.objects.filter(space=space_id, status=GenerationStatus.ACTIVE)
    serving = active.values_list("pk", flat=True).first()
    return [node for node in nodes if not node.vectors or serving in node.vectors]


def _space_swap(space_id: uuid.UUID, nodes: list[PreparedNode]) -> None:
    """Swap nodes of a space whose lock is held."""
    space = Space.objects.only("average_tokens").get(pk=space_id)
    node_ids = [node.node_id for node in nodes]
    passages_retire(node_ids, staying=[(node.node_id, node.version) for node in nodes])
    removed = _passages_delete(node_ids)
    difference = removed.pop(space_id, None) or Difference()
    counts = {}
    lengths = dict.fromkeys(node_ids, 0.0)
    for node in nodes:
        for passage in node.passages:
            words = word_counts(sequence_unpack(passage.sequence))
            length = sum(words.values())
            counts[node.node_id, passage.passage.position] = words
            lengths[node.node_id] += length
            difference.count(words, length, passage.language, analysis=passage.analysis)
    if space.average_tokens is None:
        space.average_tokens = mean_length(totals([space_id]).plus(difference))
        space.save(update_fields=["average_tokens"])
    _passages_copy(nodes, counts, space.average_tokens)
    versions_serve([_served(node, lengths[node.node_id]) for node in nodes])
    words_learn(space_id, _spellings(nodes))
    difference_append(space_id, difference)
    for other, change in removed.items():  # a node that came from another space
        difference_append(other, change)
    emit(
        "knowledge.node.indexed",
        {"nodes": [{"node": str(node.node_id), "version": node.version} for node in nodes]},
        space_id=space_id,
        subject_id=nodes[0].node_id if len(nodes) == 1 else None,
    )


def _spellings(nodes: list[PreparedNode]) -> set[tuple[str, str]]:
    """Return the words of nodes with their terms; their titles' are in the embedded texts."""
    return {
        pair for node in nodes for passage in node.passages for pair in passage.spellings.items()
    }


def _served(node: PreparedNode, length: float) -> ServedVersion:
    analysis = min((each.analysis for each in node.passages), default=ANALYSIS_VERSION)
    language = spoken_in(node.passages[0].language, analysis) if node.passages else ""
    count = len(node.passages)
    return ServedVersion(
        node.node_id, node.space_id, node.version, count, round(length), language, analysis
    )


def _passages_delete(node_ids: list[uuid.UUID]) -> dict[uuid.UUID, Difference]:
    """Delete the passages of some nodes; return what that takes from each space's statistics."""
    removed: dict[uuid.UUID, Difference] = {}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM knowledge_embedding WHERE node_id = ANY(%s)", [node_ids])
        cursor.execute(
            "DELETE FROM knowledge_chunk WHERE node_id = ANY(%s) "
            "RETURNING space_id, language, sequence, analysis",
            [node_ids],
        )
        for space_id, language, sequence, analysis in cursor.fetchall():
            words = word_counts(sequence_unpack(sequence))
            difference = removed.setdefault(space_id, Difference())
            difference.count(words, sum(words.values()), language, -1, analysis=analysis)
    return removed


def _passages_copy(
    nodes: list[PreparedNode],
    counts: dict[tuple[uuid.UUID, int], dict[int, float]],
    average: float,
) -> None:
    ids = {node.node_id: [uuid.uuid4() for _passage in node.passages] for node in nodes}
    columns = ", ".join(name for name, _kind in COLUMNS)
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY knowledge_chunk ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([kind for _name, kind in COLUMNS])
            for node in nodes:
                for chunk_id, passage in zip(ids[node.node_id], node.passages, strict=True):
                    words = counts[node.node_id, passage.passage.position]
                    owner = (node.node_id, node.space_id, node.version)
                    copy.write_row(chunk_row(chunk_id, owner, passage, words, average))
        with cursor.copy(
            "COPY knowledge_embedding (chunk_id, node_id, generation_id, vector) "
            "FROM STDIN (FORMAT BINARY)"
        ) as copy:
            copy.set_types(["uuid", "uuid", "uuid", "bytea"])
            for node in nodes:
                for generation_id, vectors in node.vectors.items():
                    for chunk_id, vector in zip(ids[node.node_id], vectors, strict=True):
                        row = (chunk_id, node.node_id, generation_id, vector_pack(vector))
                        copy.write_row(row)
