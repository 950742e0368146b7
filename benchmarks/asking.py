"""Clients that ask questions without a pause: over HTTP, or as bare SQL on the same tables."""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

WARM_UP = 2.0  # seconds
Method = Callable[[Any], None]


class Taker:
    """Gives each question once, to whichever thread asks next."""

    def __init__(self, questions: list[Any]) -> None:
        self._questions = iter(questions)
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            return next(self._questions, None)


def ask(
    method: Callable[[], tuple[Callable[[Any], Any], Method]],
    taker: Taker,
    clients: int,
    seconds: float,
) -> list[float]:
    """Have so many clients ask one question after the other; return the milliseconds of each.

    They ask for `seconds`, after a warm-up that does not count.
    """
    spent: list[float] = []
    begun = time.monotonic() + WARM_UP
    errors: list[BaseException] = []

    def client() -> None:
        try:
            prepare, run = method()
            while time.monotonic() < begun + seconds:
                question = taker()
                if question is None:
                    return
                prepared = prepare(question)
                started = time.perf_counter()
                run(prepared)
                if time.monotonic() > begun:
                    spent.append((time.perf_counter() - started) * 1000)
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return spent


def over_http(addresses: list[str], key: str) -> Callable[[], tuple[Any, Method]]:
    """Return what makes a client that asks the next of the web processes."""
    from http.client import HTTPConnection
    from itertools import cycle
    from urllib.parse import urlsplit

    following = cycle(addresses)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def client() -> tuple[Any, Method]:
        address = urlsplit(next(following))
        connection = HTTPConnection(address.hostname or "", address.port or 80)

        def run(body: str) -> None:
            connection.request("POST", "/api/v1/search/", body, headers)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"The server answered {answer.status}: {text[:300]!r}")

        return (lambda question: json.dumps({"query": question.text})), run

    return client


class Bare:
    """The two legs as bare SQL, on one connection a client, about the same questions again."""

    def __init__(
        self, space: Any, generation: Any, questions: list[Any], *, same_words: bool
    ) -> None:
        self.space, self.generation, self.same_words = space, generation, same_words
        self.known = [self.prepared(question) for question in questions]

    def __call__(self) -> tuple[Any, Method]:
        import psycopg

        connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("SET hnsw.ef_search = 200")
        vectors = (
            f"SELECT chunk_id FROM knowledge_embedding WHERE generation_id = '{self.generation.pk}'"
            f" ORDER BY (vector::halfvec({self.generation.dimensions})) <#> %s::halfvec LIMIT 100"
        )
        words = (
            f"SELECT id FROM knowledge_chunk WHERE space_id = '{self.space.pk}' "
            "AND search @@ %s::tsquery ORDER BY terms <#> %s::sparsevec LIMIT 100"
        )

        def run(prepared: tuple[str, str, str]) -> None:
            vector, query, weights = prepared
            connection.execute(vectors, [vector]).fetchall()
            connection.execute(words, [query, weights]).fetchall()

        return (lambda question: self.known[hash(question.text) % len(self.known)]), run

    def prepared(self, question: Any) -> tuple[str, str, str]:
        """Return the vector, the words and their weights as SQL has them."""
        from knowledge.binary import sparse_text, vector_text
        from knowledge.retrieval._keywords import formula_for, query_of
        from knowledge.retrieval._question import keys_of, question_of, readings_of
        from knowledge.retrieval._route import Route
        from knowledge.statistics import totals

        spoken, readings = readings_of(question.text, ["en"])
        counted = totals([self.space.pk], keys_of(readings))
        asked = question_of(spoken, readings, counted)
        route = Route(counted.passages, counted.passages, is_exact=False)
        formula = formula_for(asked, counted, route)
        query = (
            query_of(formula)
            if self.same_words and formula is not None
            else " | ".join(f"'{term}'" for term in asked.terms)
        )
        return vector_text(question.vector), query, sparse_text(asked.weights)
