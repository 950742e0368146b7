"""Passages without meaning, in any number, within minutes: for the benchmarks of scale.

Texts follow Zipf's law, and a third of their words belong to their topic. Vectors lie in topics and
subjects, more along some directions than along others, as those of real texts do; so do those of
the questions, which are made of the words and the vector of a passage, and of noise. Rows are
packed by the functions of the product and written by COPY; indexes are made afterwards.
"""

import itertools
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import stage

WORDS = 85  # of a passage
PER_NODE = 4
TITLE = 4
VOCABULARY = 100_000
TOPIC_WORDS = 60
TOPIC_SHARE = 0.35
DIMENSIONS = 384
PER_TOPIC = 1000  # passages
BATCH = 500  # nodes
TABLES = ("knowledge_chunk", "knowledge_embedding", "knowledge_node")


@dataclass(frozen=True)
class Question:
    """A question, its vector, and the topic of the passage it was made of."""

    text: str
    vector: Any
    topic: int


class World:
    """What all passages are drawn from; the same for the same size on every machine."""

    def __init__(self, count: int, seed: int = 7) -> None:
        self.seed = seed
        self.topics = max(12, count // PER_TOPIC)
        numbers = np.random.default_rng(seed)
        self.words = np.array(stage.Writer(seed, VOCABULARY).vocabulary, dtype=object)
        self.odds = np.cumsum(1 / (np.arange(len(self.words)) + 25.0))
        self.odds /= self.odds[-1]
        self.own_words = numbers.integers(200, 20_000, size=(self.topics, TOPIC_WORDS))
        spread = (np.arange(DIMENSIONS) + 12.0) ** -0.5
        self.spread = (spread / np.linalg.norm(spread)).astype(np.float32)
        self.middle = self._drawn(numbers, 1)[0]
        self.centres = self._drawn(numbers, self.topics)
        self.subjects = self._drawn(numbers, self.topics * 8).reshape(self.topics, 8, DIMENSIONS)

    def _drawn(self, numbers: Any, count: int) -> Any:
        drawn = numbers.standard_normal((count, DIMENSIONS), dtype=np.float32)
        return drawn * self.spread

    def numbers_of(self, topics: Any, numbers: Any, count: int) -> Any:
        """Return the numbers of `count` words for each topic, (n, count)."""
        common = np.searchsorted(self.odds, numbers.random((len(topics), count)))
        # Words of a topic are of unlike use, too: squares favour the first.
        place = (numbers.random((len(topics), count)) ** 2 * TOPIC_WORDS).astype(int)
        own = self.own_words[np.asarray(topics)[:, None], place]
        return np.where(numbers.random((len(topics), count)) < TOPIC_SHARE, own, common)

    def vectors(self, topics: Any, numbers: Any) -> Any:
        """Return a unit vector for each topic given."""
        topics = np.asarray(topics)
        subject = numbers.integers(0, 8, size=len(topics))
        vectors = (
            0.4 * self.middle
            + 0.55 * self.centres[topics]
            + 0.45 * self.subjects[topics, subject]
            + 0.6 * self._drawn(numbers, len(topics))
        )
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def questions(self, count: int, seed: int = 1) -> list[Question]:
        """Return different questions: three to seven words each, half of them the topic's."""
        numbers = np.random.default_rng((self.seed, seed))
        topics = numbers.integers(0, self.topics, size=count)
        vectors = 0.75 * self.vectors(topics, numbers) + 0.65 * self._drawn(numbers, count)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = []
        for row, topic in enumerate(topics.tolist()):
            asked = self.numbers_of([topic], numbers, int(numbers.integers(3, 8)))[0]
            text = f"What is the {' '.join(self.words[asked])}?"
            found.append(Question(text, vectors[row].astype(np.float32), topic))
        return found


def fill(world: World, spaces: Sequence[tuple[Any, int]], tags: Sequence[float] = ()) -> None:
    """Index that many passages in each space, in two processes; no HNSW index is made.

    Nodes get the tag ``s<share>`` with the chance of each share, and ``t<share>`` when their topic
    is among the first of that share of all topics.
    """
    from django.db import connection

    from knowledge.generations import ensure_generation
    from knowledge.statistics import mean_length, statistics_fold, totals

    for space, _count in spaces:
        ensure_generation(space.pk)
    with _without_indexes():
        connection.close()
        connection.close_pool()  # not to be shared by the processes
        children = []
        for part in range(2):
            child = os.fork()
            if child == 0:
                _work(world, spaces, tags, part)
            children.append(child)
        for child in children:
            if os.waitpid(child, 0)[1]:
                sys.exit("Loading failed.")
    statistics_fold()
    for space, _count in spaces:
        space.average_tokens = mean_length(totals([space.pk]))
        space.save(update_fields=["average_tokens"])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _work(
    world: World, spaces: Sequence[tuple[Any, int]], tags: Sequence[float], part: int
) -> None:
    """Load every second batch, and end this process."""
    from knowledge.statistics import Difference, difference_append

    status = 1
    differences: dict[Any, Difference] = {space.pk: Difference() for space, _count in spaces}
    try:
        batches = itertools.chain.from_iterable(
            ((space, min(BATCH * PER_NODE, count - at)) for at in range(0, count, BATCH * PER_NODE))
            for space, count in spaces
        )
        for number, (space, count) in enumerate(batches):
            if number % 2 == part:
                numbers = np.random.default_rng((world.seed, 2, number))
                _load(world, space, count, tags, numbers, differences[space.pk])
        for space_id, difference in differences.items():
            difference_append(space_id, difference)
        status = 0
    finally:
        if status:
            import traceback

            traceback.print_exc()
        os._exit(status)


def _load(
    world: World,
    space: Any,
    count: int,
    tags: Sequence[float],
    numbers: Any,
    difference: Any,
) -> None:
    from django.db import connection, transaction

    from knowledge.choices import NodeStatus
    from knowledge.chunk_rows import COLUMNS, chunk_row
    from knowledge.generations import ensure_generation
    from knowledge.models import Node
    from knowledge.weights import word_counts

    generation = ensure_generation(space.pk)
    topics = numbers.integers(0, world.topics, size=-(-count // PER_NODE))
    of_passages = np.repeat(topics, PER_NODE)[:count]
    titles = world.numbers_of(topics, numbers, TITLE)
    texts = world.numbers_of(of_passages, numbers, WORDS)
    vectors = world.vectors(of_passages, numbers)
    nodes, rows, embeddings = [], [], []
    for row, topic in enumerate(topics.tolist()):
        passages = [
            _sentences(world.words[text]) for text in texts[row * PER_NODE : (row + 1) * PER_NODE]
        ]
        title = " ".join(world.words[titles[row]]).capitalize()
        node = Node(
            space=space,
            title=title,
            content="\n\n".join(passages),
            kind="policy" if numbers.random() < 0.1 else "article",
            status=NodeStatus.PUBLISHED,
            checksum="",
            indexed_version=1,
            tags=[f"s{share:g}" for share in tags if numbers.random() < share]
            + [f"t{share:g}" for share in tags if topic < share * world.topics],
        )
        nodes.append(node)
        for position, text in enumerate(passages):
            at = row * PER_NODE + position
            indexed = _passage(world, position, text, titles[row], texts[at])
            words = word_counts(np.frombuffer(indexed.sequence, dtype="<u4"))
            difference.count(words, sum(words.values()), "en")
            chunk_id = uuid.UUID(bytes=numbers.bytes(16), version=4)
            rows.append(chunk_row(chunk_id, (node.pk, space.pk, 1), indexed, words, 94.0))
            embeddings.append((chunk_id, node.pk, generation.pk, vectors[at]))
    with transaction.atomic(), connection.cursor() as cursor:
        Node.objects.bulk_create(nodes, batch_size=BATCH)
        names = ", ".join(name for name, _kind in COLUMNS)
        with cursor.copy(f"COPY knowledge_chunk ({names}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types([kind for _name, kind in COLUMNS])
            for values in rows:
                copy.write_row(values)
        _copy_vectors(cursor, embeddings)


def _copy_vectors(cursor: Any, embeddings: list[tuple[Any, ...]]) -> None:
    from knowledge.binary import vector_pack

    with cursor.copy(
        "COPY knowledge_embedding (chunk_id, node_id, generation_id, vector) "
        "FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["uuid", "uuid", "uuid", "bytea"])
        for *owner, vector in embeddings:
            copy.write_row((*owner, vector_pack(vector)))


def _sentences(words: Any) -> str:
    """Return words as sentences of twelve."""
    parts = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
    return ". ".join(part.capitalize() for part in parts) + "."


def _passage(world: World, position: int, text: str, title: Any, words: Any) -> Any:
    from knowledge.binary import sequence_pack
    from knowledge.chunking import Passage
    from knowledge.passages import IndexedPassage

    terms, keys = _analysed(world)
    at = position * (len(text) + 2)
    return IndexedPassage(
        Passage(position, at, at + len(text), text, (), WORDS, None, ""),
        "en",
        "",
        sequence_pack(keys[title].tolist(), (), keys[words].tolist()),
        frozenset(terms[title]) | frozenset(terms[words]),
    )


_known: dict[int, tuple[Any, Any]] = {}


def _analysed(world: World) -> tuple[Any, Any]:
    """Return the term and its number for each word of the vocabulary."""
    from knowledge.analysis import term_key, term_of

    if id(world) not in _known:
        terms = [term_of(word, "en") or word for word in world.words]
        keys = np.array([term_key(term) for term in terms], dtype=np.uint32)
        _known[id(world)] = (np.array(terms, dtype=object), keys)
    return _known[id(world)]


@contextmanager
def _without_indexes() -> Iterator[None]:
    """Drop indexes and foreign keys of the large tables, and make them again at the end."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid = ANY(%s::regclass[])",
            [list(TABLES)],
        )
        keys = cursor.fetchall()
        cursor.execute(
            "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique",
            [list(TABLES)],
        )
        indexes = cursor.fetchall()
        for table, name, _definition in keys:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        for name, _definition in indexes:
            cursor.execute(f"DROP INDEX {name}")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _name, definition in indexes:
            cursor.execute(definition)
        for table, name, definition in keys:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
