"""How well search finds on test sets of others."""

import json
import signal
import sys
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from knowledge.corpora import CorpusError, corpus_read
from knowledge.corpus_evaluation import CorpusReport, corpus_evaluate
from knowledge.models import RetrievalProfile
from project.inference.types import EmbeddingUnavailable

HEADER = (
    "set",
    "documents / passages / questions",
    "leg",
    "nDCG@10",
    "recall@10",
    "recall@100",
    "MRR@10",
)
NAMES = {
    "keyword": "keyword",
    "vector": "vector",
    "reciprocal_ranks": "both by reciprocal ranks",
    "hybrid": "all together",
}


class Command(BaseCommand):
    """Index test sets in the form of BEIR, ask their questions, and say how well search finds.

    Each set fills a space of its own, which is removed afterwards, also after Ctrl-C.
    """

    help = (
        "Measure search on folders in the form of BEIR (corpus.jsonl, queries.jsonl, "
        "qrels/test.tsv): nDCG@10 with linear gain, recall, MRR, per leg and together."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the folders, their language and the profile."""
        parser.add_argument(
            "--corpus",
            nargs="+",
            required=True,
            metavar="DIR",
            help="Folders; DIR:CODE says the language that documents have unless theirs is told.",
        )
        parser.add_argument("--split", default="test", help="Which qrels to read (test).")
        parser.add_argument("--language", default="en", help="The language of folders without one.")
        parser.add_argument(
            "--profile", help="Version of a retrieval profile; else the active one."
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")
        parser.add_argument(
            "--questions", action="store_true", help="With --json: of each question."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Measure every folder; all of them are read before the first is indexed."""
        signal.signal(signal.SIGTERM, _interrupt)
        profile = _profile(options["profile"])
        try:
            sets = [
                (corpus_read(folder, split=options["split"]), language)
                for folder, language in map(self._place(options["language"]), options["corpus"])
            ]
        except CorpusError as error:
            raise CommandError(str(error)) from None
        reports = []
        try:
            for corpus, language in sets:
                report = corpus_evaluate(
                    corpus, language=language, profile=profile, progress=self._told(corpus.name)
                )
                reports.append(report)
        except EmbeddingUnavailable as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            self.stderr.write("\nBroken off; the space that was filled is removed.")
            sys.exit(130)
        if options["as_json"]:
            self._json(reports, with_questions=options["questions"])
        else:
            self._table(reports)

    @staticmethod
    def _place(language: str) -> Any:
        def place(text: str) -> tuple[Path, str]:
            folder, colon, code = text.rpartition(":")
            if colon and not Path(text).exists():
                return Path(folder), code
            return Path(text), language

        return place

    def _told(self, name: str) -> Any:
        words = {"index": "documents indexed", "ask": "questions asked"}
        is_shown = self.stderr.isatty() if hasattr(self.stderr, "isatty") else False

        def told(stage: str, done: int, total: int) -> None:
            if is_shown or done == total:
                end = "\n" if done == total else "\r"
                self.stderr.write(f"{name}: {done} of {total} {words[stage]}", ending=end)

        return told

    def _json(self, reports: list[CorpusReport], *, with_questions: bool) -> None:
        rows = [report.plain() for report in reports]
        if not with_questions:
            for row in rows:
                del row["per_question"]
        self.stdout.write(json.dumps(rows, indent=2))

    def _table(self, reports: list[CorpusReport]) -> None:
        self.stdout.write("| " + " | ".join(HEADER) + " |")
        self.stdout.write("|" + "---|" * len(HEADER))
        for report in reports:
            facts = f"{report.documents} / {report.passages} / {report.questions}"
            for leg in NAMES:
                scores = report.scores[leg]
                figures = (scores.ndcg_10, scores.recall_10, scores.recall_100, scores.mrr_10)
                cells = (report.name, facts, NAMES[leg], *(f"{each:.4f}" for each in figures))
                self.stdout.write("| " + " | ".join(cells) + " |")
        for report in reports:
            self.stderr.write(
                f"{report.name}: a search took {report.seconds * 1000:.0f} ms (median); "
                f"indexing took {report.index_seconds:.0f} s"
                + (f"; without {', '.join(report.degraded)}" if report.degraded else "")
                + (f"; judged but missing: {report.missing}" if report.missing else "")
            )


def _profile(version: str | None) -> UUID | None:
    if version is None:
        return None
    row = RetrievalProfile.objects.filter(version=version if version.isdigit() else 0).first()
    if row is None:
        message = f"There is no retrieval profile of version {version}."
        raise CommandError(message)
    return row.pk


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
