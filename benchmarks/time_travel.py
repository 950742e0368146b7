"""How long a search of the past takes beside a plain one, at 10,000 nodes of 5 versions each.

Usage: python benchmarks/time_travel.py [NODES] [VERSIONS]

Every node is a passage, and every edit changes a fifth of its words. All versions are written and
indexed by the product, in rounds: after each round there is a moment at which just that version of
every node was public. The passages carry random unit vectors, which costs a search the same as real
ones; the questions are embedded by the model. Every method answers every question in turn, so that
what else the machine does meets all of them alike. "As of now" asks for the state of this moment,
which is all served; an older one lies in the past wholly.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import stage

QUESTIONS = 100
WARM_UP = 20
BATCH = 250
WORDS = 85
CHANGED = 0.2


class Library:
    """Nodes with their words, written and indexed in rounds."""

    def __init__(self, count: int) -> None:
        import numpy as np

        from knowledge.generations import ensure_generation
        from project.accounts.models import User

        self.writer = stage.Writer()
        self.space = stage.make_space("time-travel")
        self.generation = ensure_generation(self.space.pk)
        self.author = User.objects.create_superuser(username="bench", password=None)
        self._numbers = np.random.default_rng(7)
        self._random = random.Random(7)
        self._texts = [self.writer.words(WORDS) for _ in range(count)]
        self._nodes: list[Any] = []
        self.searched = 0.0

    def first_round(self) -> None:
        """Write and index version 1 of every node."""
        from django.db import transaction

        from knowledge.choices import NodeStatus
        from knowledge.models import Node
        from knowledge.writing import nodes_insert

        self._nodes = [
            Node(
                space=self.space,
                title=" ".join(self.writer.words(4)).capitalize(),
                content=" ".join(words),
                language="en",
                status=NodeStatus.PUBLISHED,
            )
            for words in self._texts
        ]
        for at in range(0, len(self._nodes), BATCH):
            batch = self._nodes[at : at + BATCH]
            with transaction.atomic():
                nodes_insert(batch, author=self.author)
            self._index(batch)

    def next_round(self) -> None:
        """Write and index another version of every node."""
        import copy

        from django.db import transaction

        from knowledge.writing import nodes_write

        for at in range(0, len(self._nodes), BATCH):
            pairs = []
            for number in range(at, min(at + BATCH, len(self._nodes))):
                node = self._nodes[number]
                before = copy.copy(node)
                node.content = " ".join(self._edited(number))
                pairs.append((node, before))
            with transaction.atomic():
                nodes_write(pairs, author=self.author)
            self._index([node for node, _before in pairs])

    def _edited(self, number: int) -> list[str]:
        words = self._texts[number]
        places = self._random.sample(range(len(words)), round(CHANGED * len(words)))
        for place, word in zip(places, self.writer.words(len(places)), strict=True):
            words[place] = word
        return words

    def _index(self, nodes: list[Any]) -> None:
        import numpy as np

        from knowledge.indexing import PreparedIndex, PreparedNode, swap
        from knowledge.passages import passages_of

        prepared = []
        for node in nodes:
            passages = passages_of(node)
            vectors = self._numbers.standard_normal((len(passages), self.generation.dimensions))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            held = {self.generation.pk: vectors.astype(np.float32)}
            prepared.append(PreparedNode(node.pk, self.space.pk, node.version, passages, held))
        started = time.perf_counter()
        swap(PreparedIndex(prepared))
        self.searched += time.perf_counter() - started


def fill(count: int, versions: int) -> tuple[Library, list[datetime], list[float]]:
    """Return a filled library, the moments after each round, and the seconds its swaps took."""
    from django.db import connection
    from django.utils import timezone

    from knowledge.statistics import statistics_fold

    library = Library(count)
    moments, seconds = [], []
    for number in range(versions):
        library.searched = 0.0
        if number:
            library.next_round()
        else:
            library.first_round()
        moments.append(timezone.now())
        seconds.append(library.searched)
    statistics_fold()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return library, moments, seconds


def searches(moments: list[datetime]) -> dict[str, Callable[[str], None]]:
    """Return the searches to compare, the plain one first."""
    from django.contrib.auth.models import AnonymousUser

    from knowledge.retrieval import search
    from knowledge.types import SearchRequest

    def asking(as_of: datetime | None) -> Callable[[str], None]:
        def run(text: str) -> None:
            search(SearchRequest(query=text, as_of=as_of), user=AnonymousUser())

        return run

    methods = {"plain": asking(None), "as of now": asking(moments[-1])}
    for back, moment in enumerate(reversed(moments[:-1]), start=1):
        methods[f"as of {back} version{'s' if back > 1 else ''} ago"] = asking(moment)
    return methods


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    versions = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    stage.begin()
    machine = stage.machine()
    library, moments, seconds = fill(count, versions)
    from project.inference.embeddings import forget_cached_queries

    methods = searches(moments)
    spent: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(WARM_UP + QUESTIONS):
        text = library.writer.question()
        for name, method in methods.items():
            forget_cached_queries()
            started = time.perf_counter()
            method(text)
            if number >= WARM_UP:
                spent[name].append((time.perf_counter() - started) * 1000)
    half = {name: stage.percentile(values, 0.5) for name, values in spent.items()}
    most = {name: stage.percentile(values, 0.95) for name, values in spent.items()}
    stage.table(
        f"Search at {count:,} nodes of {versions} versions, {QUESTIONS} questions; {machine}",
        ["", "P50 ms", "P95 ms", "P50 beside plain", "P95 beside plain"],
        [
            [
                name,
                f"{half[name]:.1f}",
                f"{most[name]:.1f}",
                f"{half[name] / half['plain']:.2f}",
                f"{most[name] / most['plain']:.2f}",
            ]
            for name in methods
        ],
    )
    stage.table(
        "Putting a round of versions in place, without embedding",
        ["version", "passages/s", "beside version 1"],
        [
            [str(number), f"{count / each:.0f}", f"{seconds[0] / each:.2f}"]
            for number, each in enumerate(seconds, start=1)
        ],
    )


if __name__ == "__main__":
    main()
