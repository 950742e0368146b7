"""Search beside chromadb, and beside a plain script of pgvector and ts_rank fused by ranks.

Usage: python benchmarks/beside_others.py FOLDER [SET[:LANGUAGE] ...]

FOLDER (or ACERVO_BENCH_DATA) holds test sets in the form of BEIR, as for `retrieval_quality`. All
three have the same passages and the same vectors of the built-in model, and are asked in turn, so
that what else the machine does meets all alike. Times are those of a question whose vector is
there: chromadb in its own process, the script on one connection, Acervo's search in process with
its caches off; the last column adds the time to embed the question, which all need. The script
takes 100 passages each of an HNSW index and of a GIN index by ts_rank, in PostgreSQL's own
dictionaries, and adds 1 / (60 + rank).

Chromadb is asked where this Python has it, or the one that ACERVO_BENCH_CHROMADB names:
python -m venv /tmp/chroma && /tmp/chroma/bin/pip install chromadb, then that bin/python.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import stage

LIMIT = 10
DEPTH = 100
RRF_K = 60
DICTIONARIES = {"en": "english", "pt": "portuguese"}
Answers = tuple[list[list[str]], list[float]]
"""Documents found for each question, best first, and seconds."""


def chromadb_python() -> str | None:
    """Return the Python that has chromadb, or None."""
    if chosen := os.environ.get("ACERVO_BENCH_CHROMADB"):
        return chosen
    return sys.executable if importlib.util.find_spec("chromadb") else None


def chromadb(
    python: str, chunks: list[tuple[Any, ...]], queries: list[Any]
) -> tuple[list[list[str]], list[float], str]:
    """Return what chromadb finds, its seconds and its version."""
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        vectors, answers = Path(folder) / "vectors.npz", Path(folder) / "answers.json"
        np.savez(
            vectors,
            ids=np.array([str(chunk[0]) for chunk in chunks]),
            documents=np.stack([chunk[3] for chunk in chunks]),
            queries=np.stack(queries),
        )
        program = str(Path(__file__).with_name("beside_chromadb.py"))
        subprocess.run([python, program, str(vectors), str(answers)], check=True)
        told = json.loads(answers.read_text())
    document = {str(chunk[0]): chunk[1] for chunk in chunks}
    found = [[document[chunk] for chunk in each] for each in told["found"]]
    return found, told["seconds"], told["version"]


def chunks_of(space: Any) -> list[tuple[Any, ...]]:
    """Return id, document, text and vector of the passages of a space."""
    from django.db import connection

    from knowledge.binary import vector_unpack

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id, n.external_id, n.title || E'\\n' || c.text, vector_send(e.vector) "
            "FROM knowledge_chunk c JOIN knowledge_node n ON n.id = c.node_id "
            "JOIN knowledge_embedding e ON e.chunk_id = c.id WHERE c.space_id = %s ORDER BY c.id",
            [space.pk],
        )
        return [(*row[:3], vector_unpack(bytes(row[3]))) for row in cursor.fetchall()]


class Script:
    """What one writes in an afternoon: a table, two indexes, two queries and reciprocal ranks."""

    def __init__(self, chunks: list[tuple[Any, ...]], language: str) -> None:
        import psycopg

        from knowledge.binary import vector_text

        self.dictionary = DICTIONARIES[language[:2]]
        self.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        run = self.connection.execute
        run("DROP TABLE IF EXISTS plain_script")
        run(
            "CREATE TABLE plain_script (id text, words tsvector, "
            f"vector vector({len(chunks[0][3])}))"
        )
        with self.connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO plain_script VALUES (%s, to_tsvector('{self.dictionary}', %s), %s)",
                [(chunk[1], chunk[2], vector_text(chunk[3])) for chunk in chunks],
            )
        run("CREATE INDEX ON plain_script USING hnsw (vector vector_ip_ops)")
        run("CREATE INDEX ON plain_script USING gin (words)")
        run("VACUUM ANALYZE plain_script")
        run(f"SET hnsw.ef_search = {DEPTH}")

    def __call__(self, text: str, vector: Any) -> list[str]:
        from knowledge.binary import vector_text

        nearest = self.connection.execute(
            f"SELECT id FROM plain_script ORDER BY vector <#> %s::vector LIMIT {DEPTH}",
            [vector_text(vector)],
        ).fetchall()
        # Any of the words: of all of them at once, a question in a sentence finds nothing.
        worded = self.connection.execute(
            "SELECT id FROM plain_script, "
            "(SELECT replace(plainto_tsquery(%s::regconfig, %s)::text, "
            "'&', '|')::tsquery AS asked) AS question WHERE words @@ asked "
            f"ORDER BY ts_rank(words, asked) DESC LIMIT {DEPTH}",
            [self.dictionary, text],
        ).fetchall()
        scores: dict[str, float] = {}
        for rows in (nearest, worded):
            for rank, document in enumerate(dict.fromkeys(row[0] for row in rows), 1):
                scores[document] = scores.get(document, 0.0) + 1 / (RRF_K + rank)
        return sorted(scores, key=lambda document: -scores[document])[:LIMIT]


def measure(folder: Path, language: str) -> list[list[str]]:
    """Return the rows of a set."""
    from django.contrib.auth.models import AnonymousUser

    from knowledge.corpora import corpus_read
    from knowledge.generations import ensure_generation, generation_model
    from knowledge.retrieval import search
    from knowledge.types import SearchRequest
    from project.inference.embeddings import embed_texts

    corpus = corpus_read(folder)
    queries, grades = corpus.questions, corpus.grades
    space = stage.make_space(folder.name, language)
    rows = [(each.id, each.title or "-", each.text) for each in corpus.documents]
    stage.index(stage.make_nodes(space, rows))
    chunks = chunks_of(space)
    model = generation_model(ensure_generation(space.pk))
    script = Script(chunks, language)

    def acervo(text: str) -> list[str]:
        request = SearchRequest(query=text, limit=LIMIT, spaces=(space.pk,))
        answer = search(request, user=AnonymousUser(), fresh=True)
        return [result.external_id or "" for result in answer.results]

    vectors, embedding = [], []
    found: dict[str, Answers] = {"Acervo": ([], []), "pgvector + ts_rank, RRF": ([], [])}
    for text in queries.values():
        started = time.perf_counter()
        vectors.append(embed_texts(model, [text], purpose="query")[0])  # and kept for Acervo
        embedding.append(time.perf_counter() - started)
        for name, (answers, seconds) in found.items():
            started = time.perf_counter()
            answers.append(acervo(text) if name == "Acervo" else script(text, vectors[-1]))
            seconds.append(time.perf_counter() - started)
    if python := chromadb_python():
        answers, seconds, version = chromadb(python, chunks, vectors)
        found[f"chromadb {version}"] = (answers, seconds)
    whole = statistics.median(embedding)
    half = statistics.median(found["Acervo"][1])
    return [
        [
            f"{folder.name}, {len(chunks)} passages",
            name,
            f"{_mean_ndcg(answers, list(queries), grades):.4f}",
            f"{statistics.median(seconds) * 1000:.1f}",
            f"{stage.percentile(seconds, 0.95) * 1000:.1f}",
            f"{half / statistics.median(seconds):.2f}",
            f"{(half + whole) / (statistics.median(seconds) + whole):.2f}",
        ]
        for name, (answers, seconds) in found.items()
    ]


def _mean_ndcg(
    answers: list[list[str]], queries: list[str], grades: dict[str, dict[str, float]]
) -> float:
    from knowledge.measures import linear_ndcg_at

    return statistics.mean(
        linear_ndcg_at(list(dict.fromkeys(found)), grades[query], LIMIT)
        for query, found in zip(queries, answers, strict=True)
    )


def main() -> None:
    """Measure the sets that were asked for, or all of a folder."""
    arguments = sys.argv[1:] or [os.environ.get("ACERVO_BENCH_DATA", "")]
    folder = Path(arguments[0])
    if not arguments[0] or not folder.is_dir():
        sys.exit(__doc__)
    wanted = arguments[1:] or sorted(
        path.parent.parent.name for path in folder.glob("*/qrels/test.tsv")
    )
    stage.begin()
    machine = stage.machine()
    rows = []
    for name in wanted:
        name, _, language = name.partition(":")
        rows += measure(folder / name, language or "en")
    stage.table(
        f"Beside others, the same vectors; {machine}",
        ["set", "", f"nDCG@{LIMIT}", "P50 ms", "P95 ms", "Acervo / this", "with embedding"],
        rows,
    )
    if chromadb_python() is None:
        print("\nWithout chromadb, which is not installed: see the beginning of this program.")


if __name__ == "__main__":
    main()
