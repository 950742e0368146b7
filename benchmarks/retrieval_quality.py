"""How well search finds: nDCG@10 of the legs alone, of reciprocal ranks, and of all together.

Usage: python benchmarks/retrieval_quality.py FOLDER [SET[:LANGUAGE] ...]

FOLDER (or ACERVO_BENCH_DATA) holds test sets in the form of BEIR, one folder each: corpus.jsonl,
queries.jsonl, qrels/test.tsv. Every document becomes a node, indexed and searched the way a bulk
job and POST /search/ do it, on servers of this run. The documents do not say their language, unless
SET:LANGUAGE does. `manage.py evaluate --corpus DIR` does the same in an installation.
"""

import os
import sys
from pathlib import Path

import stage

METHODS = ("keyword", "vector", "reciprocal_ranks", "hybrid")


def measure(folder: Path, language: str) -> list[str]:
    """Index a set and return its row of the table."""
    from knowledge.corpora import corpus_read
    from knowledge.corpus_evaluation import corpus_evaluate

    report = corpus_evaluate(corpus_read(folder), language=language)
    return [
        folder.name,
        f"{report.documents} / {report.passages} / {report.questions}",
        *(f"{report.scores[method].ndcg_10:.4f}" for method in METHODS),
        f"{report.scores['hybrid'].recall_100:.4f}",
        f"{report.seconds * 1000:.0f} ms",
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
        f"nDCG@10, {machine}",
        [
            "set",
            "documents / passages / questions",
            *(method.replace("_", " ") for method in METHODS),
            "hybrid, recall@100",
            "hybrid, median",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
