"""Taking in nodes from a stream of lines, however long it is.

Lines come in batches: while one is embedded here, a second thread stores the rows of the next and
puts the passages of the last in place. Three batches are in memory at a time.

Each batch is stored in one transaction, so a kill loses nothing that was said to be done, and a
second run passes over what is there: a line with an external id updates its node or leaves it as it
is, one without makes a node whose id follows from what it says.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q

from knowledge.bulk import rows_check, rows_write
from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.database_lane import Lane
from knowledge.import_lines import Line
from knowledge.indexing import PreparedIndex, prepare_nodes, swap
from knowledge.models import Node, Space
from knowledge.relabelling import passages_relabel
from knowledge.types import Origin
from project.accounts.models import User
from project.http.errors import ApiError, Invalid
from project.inference.types import EmbeddingUnavailable, UsageContext

log = structlog.get_logger(__name__)

BATCH = 128  # lines
FIRST = 32  # of the first batch: the model waits for it
BATCH_CHARACTERS = 1_000_000


@dataclass(slots=True)
class Imported:
    """What became of the lines of an import so far; `id` is the origin of the versions it made."""

    id: uuid.UUID = field(default_factory=uuid.uuid4)
    lines: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    passages: int = 0
    lacks_vectors: bool = False
    is_stopped: bool = False

    @property
    def stored(self) -> int:
        """Lines whose node is as the line says."""
        return self.created + self.updated + self.unchanged


@dataclass(slots=True)
class NodeImport:
    """An import of lines into a space, on behalf of a user.

    `refused` is told each line that cannot be stored, by its number, and why; `stored` the counts
    after each batch. With `is_trial` nothing is stored; with `stops_on_error` what comes after the
    first refused line is not.
    """

    user: User
    space: Space
    refused: Callable[[int, str], None]
    stored: Callable[[Imported], None]
    is_trial: bool = False
    stops_on_error: bool = False
    counts: Imported = field(default_factory=Imported)

    def run(self, lines: Iterator[Line]) -> Imported:
        """Take in all lines. Raises what the reading of them raises."""
        batches = _batches(lines)
        with Lane() as lane:
            coming = lane.start(self._next, batches)
            putting: Future[None] | None = None
            while (nodes := coming.result()) is not None:
                coming = lane.start(self._next, batches)
                prepared = self._prepared(nodes)
                if putting is not None:
                    putting.result()
                putting = lane.start(self._put, prepared)
            if putting is not None:
                putting.result()
        return self.counts

    def _next(self, batches: Iterator[list[Line]]) -> list[Node] | None:
        """Store the next batch; return its nodes that are to be indexed, None after the last."""
        if self.counts.is_stopped or (batch := next(batches, None)) is None:
            return None
        good, tried = self._checked(batch)
        self.counts.lines += len(batch)
        if self.is_trial:
            self.counts.unchanged += len(good)
            return []
        try:
            return self._written(good, tried)
        except ApiError:
            # Somebody was quicker, or rows of one batch do not go together: one after the other.
            nodes = []
            for line in good:
                try:
                    nodes += self._written([line])
                except ApiError as error:
                    self._refuse(line.number, error.message)
            return nodes

    def _checked(self, batch: Sequence[Line]) -> tuple[list[Line], list[Node] | None]:
        """Return the lines that can be stored, and their nodes if that is all; tell of others."""
        problems = {line.number: line.problem for line in batch if line.problem}
        good = [line for line in batch if not line.problem]
        try:
            if good:
                tried = rows_check(self.user, self.space, [line.values for line in good])
                if not problems:
                    return good, tried
        except Invalid as error:
            if not error.details:
                raise
            for place, found in error.details.items():
                problems[good[int(place)].number] = _sentence(found)
        if self.stops_on_error and problems:
            first = min(problems)
            problems = {first: problems[first]}
            good = [line for line in good if line.number < first]
            self.counts.is_stopped = True
        for number in sorted(problems):
            self._refuse(number, problems[number])
        return [line for line in good if line.number not in problems], None

    def _refuse(self, number: int, problem: str) -> None:
        self.counts.refused += 1
        self.refused(number, problem)

    @transaction.atomic
    def _written(self, lines: Sequence[Line], tried: list[Node] | None = None) -> list[Node]:
        ids = [self._id(line.values) for line in lines]
        rows = {pk: line.values for pk, line in zip(ids, lines, strict=True)}  # the same but once
        if len(rows) < len(lines):
            tried = None
        named = [row["external_id"] for row in rows.values() if row.get("external_id")]
        before = dict(
            Node.objects.filter(Q(space=self.space, external_id__in=named) | Q(pk__in=rows))
            .order_by()
            .values_list("pk", "updated_at")
        )
        origin = Origin(VersionOrigin.IMPORT, self.counts.id)
        nodes = rows_write(
            self.user, self.space, [*rows.values()], ids=[*rows], tried=tried, origin=origin
        )
        created = sum(node.pk not in before for node in nodes)
        updated = sum(node.updated_at != before.get(node.pk, node.updated_at) for node in nodes)
        self.counts.created += created
        self.counts.updated += updated
        self.counts.unchanged += len(lines) - created - updated
        behind = [
            node
            for node in nodes
            if node.status == NodeStatus.PUBLISHED and node.indexed_version != node.version
        ]
        indexed = [node.pk for node in behind if node.indexed_version is not None]
        relabelled = set(passages_relabel(indexed)) if indexed else set()
        return [node for node in behind if node.pk not in relabelled]

    def _id(self, row: Mapping[str, Any]) -> uuid.UUID:
        """Return the id that a row's node gets if it is new."""
        if row.get("external_id"):
            return uuid.uuid4()
        written = json.dumps(row, sort_keys=True, ensure_ascii=False).encode()
        return uuid.uuid5(self.space.pk, hashlib.sha256(written).hexdigest())

    def _prepared(self, nodes: list[Node]) -> PreparedIndex:
        """Cut and embed nodes; without a model at hand they are left to the sweep."""
        if nodes and not self.counts.lacks_vectors:
            usage = UsageContext("ingest", self.user.pk, self.space.pk)
            try:
                return prepare_nodes(nodes, usage=usage)
            except EmbeddingUnavailable as error:
                log.warning("import_left_to_the_sweep", reason=error.reason)
                self.counts.lacks_vectors = True
        return PreparedIndex([])

    def _put(self, prepared: PreparedIndex) -> None:
        if prepared.nodes:
            swap(prepared)
        self.counts.passages += prepared.passages
        self.stored(self.counts)


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Yield lines in batches bounded by number and size, with no external id twice in any."""
    batch: list[Line] = []
    named: set[str] = set()
    characters, most = 0, min(FIRST, BATCH)
    for line in lines:
        name = line.values.get("external_id")
        is_full = len(batch) >= most or characters > BATCH_CHARACTERS
        if batch and (is_full or (name and name in named)):
            yield batch
            batch, named, characters = [], set(), 0
            most = min(BATCH, 2 * most)
        batch.append(line)
        characters += len(line.values.get("content", ""))
        if name:
            named.add(name)
    if batch:
        yield batch


def _sentence(found: Any) -> str:
    """Return what is wrong with a row as one line: `{"field": ["…"]}`, or nested."""
    if isinstance(found, dict):
        return "; ".join(f"{name}: {_sentence(each)}" for name, each in found.items())
    if isinstance(found, (list, tuple)):
        return " ".join(_sentence(each) for each in found)
    return str(found)
