"""What the cache of searches saves, what it costs when it does not help, and how often it helps.

Usage: python benchmarks/search_cache.py [NODES] [QUESTIONS]

1. The same questions found by a search, from Redis and from the process; then what a miss costs:
   each new question is asked with and without the cache, in turns.
2. A stream of questions by Zipf's law in a space that is changed now and then, without and with the
   usual ones made ready after each change; a second process answers every other question.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import stage

os.environ["ACERVO_SEARCH_CACHE_SECONDS"] = "600"

DISTINCT = 300  # questions of the stream
CHANGE_EVERY = 100  # questions


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    asked = int(sys.argv[2]) if len(sys.argv) > 2 else 1500
    stage.begin()
    machine = stage.machine()
    from django.contrib.auth.models import AnonymousUser

    from project.inference.embeddings import default_model, embed_texts

    writer = stage.Writer()
    space = stage.make_space("search-cache")
    rows = [
        (str(row), " ".join(writer.words(4)).capitalize(), writer.text(60)) for row in range(count)
    ]
    stage.index(stage.make_nodes(space, rows))
    embed_texts(default_model(), ["warm up"], purpose="query")
    user = AnonymousUser()
    questions = [writer.question() for _ in range(DISTINCT)]
    _latencies(questions[:150], user, f"{count} passages; {machine}")
    _costs([writer.question() for _ in range(200)], user)
    _streams(questions, asked, space, user, writer)


def _ask(question: str, user: Any, *, fresh: bool = False) -> float:
    from knowledge.retrieval import search
    from knowledge.types import SearchRequest

    began = time.perf_counter()
    search(SearchRequest(question), user=user, fresh=fresh)
    return (time.perf_counter() - began) * 1000


def _latencies(questions: list[str], user: Any, title: str) -> None:
    from knowledge.retrieval._cache import cache

    def from_redis(question: str) -> float:
        cache.clear()
        return _ask(question, user)

    ways: list[tuple[str, Callable[[str], float]]] = [
        ("searched, its vector known", lambda question: _ask(question, user, fresh=True)),
        ("miss", lambda question: _ask(question, user)),
        ("from Redis", from_redis),
        ("from the process", lambda question: _ask(question, user)),
    ]
    for question in questions:
        _ask(question, user, fresh=True)  # its vector is known from here on
    rows = []
    for name, way in ways:
        if name == "from the process":
            for question in questions:
                _ask(question, user)
        took = [way(question) for question in questions]
        rows.append([name, *(f"{stage.percentile(took, share):.2f}" for share in (0.5, 0.95))])
    stage.table(f"Milliseconds a search; {title}", ["", "P50", "P95"], rows)


def _costs(questions: list[str], user: Any) -> None:
    without, with_cache = [], []
    for number, question in enumerate(questions):
        _ask(question, user, fresh=True)  # for its vector
        pair = [("fresh", without), ("miss", with_cache)]
        for name, took in pair if number % 2 else reversed(pair):
            took.append(_ask(question, user, fresh=name == "fresh"))
    medians = [stage.percentile(took, 0.5) for took in (without, with_cache)]
    more = medians[1] - medians[0]
    stage.table(
        "What a miss costs",
        ["without the cache, median ms", "with it", "more", "share"],
        [[*(f"{each:.2f}" for each in medians), f"{more:.2f}", f"{more / medians[0]:.1%}"]],
    )


def _streams(questions: list[str], asked: int, space: Any, user: Any, writer: stage.Writer) -> None:
    from project.aio import sync_redis

    weights = [1 / rank for rank in range(1, len(questions) + 1)]
    rows = []
    for is_warmed in (False, True):
        sync_redis().flushdb()
        levels, seconds = _stream(
            random.Random(5).choices(questions, weights, k=asked),
            space, user, writer, is_warmed=is_warmed,
        )  # fmt: skip
        hits = sum(levels[level] for level in ("l1", "l2", "waited"))
        rows.append(
            [
                "yes" if is_warmed else "no",
                f"{hits / asked:.1%}",
                *(f"{levels[level] / asked:.1%}" for level in ("l1", "l2", "miss")),
                f"{seconds / asked * 1000:.1f}",
            ]
        )
    stage.table(
        f"{asked} questions, {len(questions)} different by Zipf's law, two processes, a change "
        f"every {CHANGE_EVERY}",
        ["usual ones made ready", "hits", "process", "Redis", "miss", "mean ms"],
        rows,
    )


def _stream(
    stream: list[str], space: Any, user: Any, writer: stage.Writer, *, is_warmed: bool
) -> tuple[Counter[str], float]:
    """Return where the answers were, and the seconds that all of them took."""
    from knowledge.retrieval import searches_warm, tally
    from knowledge.retrieval._cache import cache

    levels: Counter[str] = Counter()
    counted, tally.count = tally.count, lambda level: levels.update([level])  # type: ignore[method-assign]
    processes = [(cache._entries, cache._size), (type(cache._entries)(), 0)]
    cache.clear()
    took = 0.0
    for number, question in enumerate(stream):
        cache._entries, cache._size = processes[number % 2]
        took += _ask(question, user)
        processes[number % 2] = (cache._entries, cache._size)
        if number % CHANGE_EVERY == CHANGE_EVERY - 1:
            cache.send_riders()
            cache.send_riders()
            name = f"{is_warmed}-{number}"
            stage.index(stage.make_nodes(space, [(name, name, writer.text(60))]))
            if is_warmed:
                before = Counter(levels)
                searches_warm(space.pk)
                levels.clear()
                levels.update(before)
    tally.count = counted  # type: ignore[method-assign]
    return levels, took / 1000


if __name__ == "__main__":
    main()
