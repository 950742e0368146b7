"""How well search finds: nDCG@10 of the legs alone, of reciprocal ranks, and of the product.

Usage: python benchmarks/retrieval_quality.py FOLDER [SET[:LANGUAGE] ...]

FOLDER (or ACERVO_BENCH_DATA) holds test sets in the form of BEIR, one folder each: corpus.jsonl,
queries.jsonl, qrels/test.tsv. Every document becomes a node, indexed and searched the way a bulk
job and POST /search/ do it. The documents do not say their language, unless SET:LANGUAGE does.
"""

import json
import math
import os
import statistics
import sys
import time
from pathlib import Path

import stage

LIMIT = 10
RRF_K = 60
METHODS = ("keyword", "vector", "reciprocal ranks", "hybrid")


def load(folder: Path) -> tuple[list[dict], dict[str, str], dict[str, dict[str, float]]]:
    """Return documents, queries by id, and grades by query and document."""

    def rows(name: str) -> list[dict]:
        with (folder / name).open(encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    grades: dict[str, dict[str, float]] = {}
    for line in (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split("\t")
        grades.setdefault(query, {})[document] = float(grade)
    queries = {row["_id"]: row["text"] for row in rows("queries.jsonl") if row["_id"] in grades}
    return rows("corpus.jsonl"), queries, grades


def ndcg(found: list[str], grades: dict[str, float]) -> float:
    """Return nDCG with linear gain."""
    gained = sum(grades.get(one, 0.0) / math.log2(rank + 2) for rank, one in enumerate(found))
    ideal = sorted(grades.values(), reverse=True)[:LIMIT]
    return gained / sum(grade / math.log2(rank + 2) for rank, grade in enumerate(ideal))


def reciprocal_ranks(*lists: list[str]) -> list[str]:
    """Fuse lists by the sum of 1 / (60 + rank)."""
    scores: dict[str, float] = {}
    for found in lists:
        for rank, one in enumerate(found, 1):
            scores[one] = scores.get(one, 0.0) + 1 / (RRF_K + rank)
    return sorted(scores, key=lambda one: -scores[one])[:LIMIT]


def measure(folder: Path, language: str) -> list[str]:
    """Index a set and return its row of the table."""
    from django.contrib.auth.models import AnonymousUser

    from knowledge.choices import SearchMode
    from knowledge.retrieval import search
    from knowledge.types import SearchRequest

    documents, queries, grades = load(folder)
    space = stage.make_space(folder.name, language)
    nodes = stage.make_nodes(
        space, [(row["_id"], row.get("title", "") or "-", row["text"]) for row in documents]
    )
    passages = stage.index(nodes)

    def run(text: str, mode: SearchMode, limit: int = LIMIT) -> list[str]:
        request = SearchRequest(query=text, mode=mode, limit=limit, spaces=(space.pk,))
        answer = search(request, user=AnonymousUser())
        return [result.external_id or "" for result in answer.results]

    scores: dict[str, list[float]] = {method: [] for method in METHODS}
    seconds = []
    for query_id, text in queries.items():
        keyword = run(text, SearchMode.KEYWORD, 100)
        vector = run(text, SearchMode.VECTOR, 100)
        started = time.perf_counter()
        hybrid = run(text, SearchMode.HYBRID)
        seconds.append(time.perf_counter() - started)
        fused = reciprocal_ranks(keyword, vector)
        for method, found in zip(METHODS, (keyword, vector, fused, hybrid), strict=True):
            scores[method].append(ndcg(found[:LIMIT], grades[query_id]))
    return [
        folder.name,
        f"{len(documents)} / {passages} / {len(queries)}",
        *(f"{statistics.mean(scores[method]):.4f}" for method in METHODS),
        f"{statistics.median(seconds) * 1000:.0f} ms",
    ]


def main() -> None:
    """Measure the sets that were asked for, or all of a folder."""
    arguments = sys.argv[1:] or [os.environ.get("ACERVO_BENCH_DATA", "")]
    folder = Path(arguments[0]) if arguments[0] else None
    if folder is None or not folder.is_dir():
        sys.exit(__doc__)
    wanted = arguments[1:] or sorted(
        path.parent.parent.name for path in folder.glob("*/qrels/test.tsv")
    )
    stage.begin()
    machine = stage.machine()
    rows = []
    for name in wanted:
        name, _, language = name.partition(":")
        rows.append(measure(folder / name, language or "en"))
    stage.table(
        f"nDCG@{LIMIT}, {machine}",
        ["set", "documents / passages / queries", *METHODS, "hybrid, median"],
        rows,
    )


if __name__ == "__main__":
    main()
