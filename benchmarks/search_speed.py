"""How long a search takes at 10,000 passages: in process, over HTTP, and as bare SQL.

Usage: python benchmarks/search_speed.py [PASSAGES]

The bare SQL does the same work without the product: the question's exact vector scan and its
keyword scan over the same tables, on one connection, without gate, fusion, titles or snippets. The
passages carry random unit vectors, which costs a search the same as real ones; the questions are
embedded by the model. Every method answers every question in turn, so that what else the machine
does meets all of them alike. With ACERVO_BENCH_URL and ACERVO_BENCH_KEY the HTTP part asks that
server instead of one of its own.
"""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stage

QUESTIONS = 200
WARM_UP = 20
BATCH = 500
DEPTH = 100


def fill(count: int) -> tuple[Any, "stage.Writer"]:
    """Index that many passages of one node each."""
    import numpy as np
    from django.db import connection

    from knowledge.generations import ensure_generation
    from knowledge.indexing import PreparedIndex, PreparedNode, swap
    from knowledge.passages import passages_of
    from knowledge.statistics import statistics_fold

    writer = stage.Writer()
    space = stage.make_space("search-speed")
    generation = ensure_generation(space.pk)
    numbers = np.random.default_rng(7)
    for at in range(0, count, BATCH):
        rows = [
            (str(row), " ".join(writer.words(4)).capitalize(), writer.text(85))
            for row in range(at, min(count, at + BATCH))
        ]
        prepared = []
        for node in stage.make_nodes(space, rows):
            passages = passages_of(node)
            vectors = numbers.standard_normal((len(passages), generation.dimensions))
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            prepared.append(
                PreparedNode(
                    node.pk, space.pk, 1, passages, {generation.pk: vectors.astype(np.float32)}
                )
            )
        swap(PreparedIndex(prepared))
    statistics_fold()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return generation, writer


def bare_sql(generation: Any) -> Callable[[str], None]:
    """Return a function that scans vectors and words for a question, and nothing else."""
    from django.db import connection

    from knowledge.binary import sparse_text, vector_text
    from knowledge.retrieval._question import keys_of, question_of, readings_of
    from knowledge.statistics import totals
    from project.inference.embeddings import default_model, embed_texts

    prepared: dict[str, tuple[str, str, str]] = {}

    def run(text: str) -> None:
        vector, weights, words = prepared[text]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT chunk_id FROM knowledge_embedding WHERE generation_id = %s "
                "ORDER BY vector <#> %s::vector LIMIT %s",
                [generation.pk, vector, DEPTH],
            )
            cursor.fetchall()
            cursor.execute(
                "SELECT id FROM knowledge_chunk WHERE space_id = %s AND search @@ %s::tsquery "
                "ORDER BY terms <#> %s::sparsevec LIMIT %s",
                [generation.space_id, words, weights, DEPTH],
            )
            cursor.fetchall()

    def prepare(text: str) -> None:
        languages, readings = readings_of(text, ["en"])
        counted = totals([generation.space_id], keys_of(readings))
        question = question_of(languages, readings, counted)
        vector = embed_texts(default_model(), [text], purpose="query")[0]
        words = " | ".join(f"'{term}'" for term in question.terms)
        prepared[text] = (vector_text(vector), sparse_text(question.weights), words)

    run.prepare = prepare  # type: ignore[attr-defined]
    return run


def server() -> tuple[str, str]:
    """Start a web process of Acervo on the same data; return its address and a key."""
    from project.accounts.models import ApiKey, User

    url, key = os.environ.get("ACERVO_BENCH_URL"), os.environ.get("ACERVO_BENCH_KEY")
    if url and key:
        return url, key
    user = User.objects.create_superuser(username="bench", password=None)
    key = ApiKey.new_secret()
    ApiKey.objects.create(
        user=user,
        name="bench",
        prefix=key[:12],
        hash=ApiKey.hash_of(key),
        scopes=["knowledge:read"],
    )
    port = stage.free_port()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "uvicorn", "project.asgi:application",
            "--port", str(port), "--log-level", "warning", "--lifespan", "off",
        ],
        cwd=Path(__file__).resolve().parent.parent,
        env={**os.environ, "ACERVO_RATE_API": "", "ACERVO_LOG_LEVEL": "WARNING"},
    )  # fmt: skip
    stage.at_end(process.terminate)
    stage.wait_for_port(port, process)
    return f"http://127.0.0.1:{port}", key


def over_http(url: str, key: str) -> Callable[[str], None]:
    """Return a function that asks a server on one open connection."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def run(text: str) -> None:
        connection.request("POST", "/api/v1/search/", json.dumps({"query": text}), headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"The server answered {answer.status}: {body[:300]!r}")

    return run


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    stage.begin()
    machine = stage.machine()
    generation, writer = fill(count)
    from django.contrib.auth.models import AnonymousUser

    from knowledge.retrieval import search
    from knowledge.types import SearchRequest
    from project.inference.embeddings import default_model, embed_texts, forget_cached_queries

    def in_process(text: str) -> None:
        search(SearchRequest(query=text), user=AnonymousUser())

    def embedding(text: str) -> None:
        embed_texts(default_model(), [text], purpose="query")

    bare = bare_sql(generation)
    methods: dict[str, Callable[[str], None]] = {
        "bare SQL, both scans": bare,
        "embedding of the question": embedding,
        "search in process": in_process,
        "search over HTTP": over_http(*server()),
    }
    spent: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(WARM_UP + QUESTIONS):
        text = writer.question()
        bare.prepare(text)  # type: ignore[attr-defined]
        for name, method in methods.items():
            forget_cached_queries()
            started = time.perf_counter()
            method(text)
            if number >= WARM_UP:
                spent[name].append((time.perf_counter() - started) * 1000)
    half = {name: stage.percentile(values, 0.5) for name, values in spent.items()}
    allowed = 3 * half["bare SQL, both scans"] + half["embedding of the question"]
    stage.table(
        f"Search at {count:,} passages, {QUESTIONS} questions; {machine}",
        ["", "P50 ms", "P95 ms"],
        [
            [name, f"{half[name]:.1f}", f"{stage.percentile(values, 0.95):.1f}"]
            for name, values in spent.items()
        ],
    )
    print(
        f"\nHTTP P50 {half['search over HTTP']:.1f} ms; "
        f"3 x bare SQL + embedding = {allowed:.1f} ms."
    )


if __name__ == "__main__":
    main()
