"""Learning a retrieval profile from questions whose answers are known."""

import json
import signal
import sys
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from knowledge.corpora import CorpusError, corpus_read
from knowledge.corpus_evaluation import filled_space
from knowledge.knobs import KNOBS, Profile
from knowledge.models import RetrievalProfile, Space
from knowledge.profiles import active_profile, builtin_store, profile_of
from knowledge.tuning import LEAST, Sample, Tuned, sampled, tuned
from knowledge.tuning_work import (
    golden_samples,
    missing_words,
    outcome_words,
    recorded,
    tuned_store,
)
from project.inference.types import EmbeddingUnavailable

K = 10


class Command(BaseCommand):
    """Learn the knobs of search from golden questions of a space, or from test sets.

    The learning is judged on questions that it did not see: in five parts, or with several test
    sets, set by set. Only a profile that is better there is stored, and none is activated.
    """

    help = "Learn a retrieval profile from golden questions of a space, or from BEIR folders."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to learn from."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--space", help="The slug of a space with golden questions.")
        source.add_argument(
            "--corpus",
            nargs="+",
            metavar="DIR",
            help="Folders in the form of BEIR; DIR:CODE says their language (en).",
        )
        parser.add_argument(
            "--from", dest="version", type=int, help="Version to begin from; else the active one."
        )
        parser.add_argument("--dry-run", action="store_true", help="Store nothing.")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Record, learn, judge, store."""
        signal.signal(signal.SIGTERM, _interrupt)
        with ExitStack() as spaces:
            try:
                if options["space"]:
                    samples, k, ids, source = self._golden(options["space"])
                else:
                    samples, k, ids, source = self._sets(options["corpus"], spaces)
                if len(samples) < LEAST:
                    raise CommandError(missing_words(len(samples)))
                present = _present(options["version"], ids)
                result = tuned(samples, present, k=k, progress=self._told)
            except CorpusError as error:
                raise CommandError(str(error)) from None
            except EmbeddingUnavailable as error:
                raise CommandError(error.message) from error
            except KeyboardInterrupt:
                self.stderr.write("\nBroken off; nothing was stored.")
                sys.exit(130)
        self._report(result, present, source, options)

    def _golden(self, slug: str) -> tuple[list[Sample], int, list[Any], str]:
        space = Space.objects.filter(slug=slug).first()
        if space is None:
            message = f"There is no space “{slug}”."
            raise CommandError(message)
        samples, degraded = golden_samples(space.pk, k=space.gate_k)
        self._whole(degraded)
        return samples, space.gate_k, [space.pk], f"golden questions of “{space.name}”"

    def _sets(
        self, folders: list[str], spaces: ExitStack
    ) -> tuple[list[Sample], int, list[Any], str]:
        samples: list[Sample] = []
        names = []
        for text in folders:
            folder, colon, code = text.rpartition(":")
            is_named = bool(colon) and not Path(text).exists()
            corpus = corpus_read(Path(folder if is_named else text))
            filled = spaces.enter_context(
                filled_space(corpus, language=code if is_named else "en", progress=self._filling)
            )
            nodes = {document: node for node, document in filled.documents.items()}
            rows = [
                (
                    question,
                    "",
                    {nodes[each]: grade for each, grade in grades.items() if each in nodes},
                )
                for key, question in corpus.questions.items()
                if (grades := corpus.grades[key])
            ]
            kept = sampled([row for row in rows if row[2]])
            found, degraded = recorded(filled.space.pk, kept, k=K, group=corpus.name)
            self._whole(degraded)
            samples += found
            names.append(corpus.name)
        return samples, K, [], ", ".join(names)

    def _whole(self, degraded: list[str]) -> None:
        if degraded:
            message = f"The questions were searched without {', '.join(degraded)}."
            raise CommandError(message)

    def _filling(self, stage: str, done: int, total: int) -> None:
        if done == total:
            self.stderr.write(f"{total} documents indexed")

    def _told(self, share: float) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"learning: {share:.0%} ", ending="\r")

    def _report(
        self, result: Tuned, present: Profile, source: str, options: dict[str, Any]
    ) -> None:
        version = None
        if result.figures.is_better and not options["dry_run"]:
            with transaction.atomic():
                rows = RetrievalProfile.objects
                base = (present.id and rows.filter(pk=present.id).first()) or builtin_store()
                version = tuned_store(result, base, author=None, source=source).version
        changes = result.profile.differences_to(present)
        if options["as_json"]:
            plain = {"version": version, "changes": changes, **result.figures.plain()}
            self.stdout.write(json.dumps(plain, indent=2))
            return
        for fold in result.figures.folds:
            name = fold["group"] or "part"
            self.stdout.write(
                f"held out {name} ({fold['questions']} questions): "
                f"nDCG@{result.figures.k} {fold['before']:.4f} → {fold['after']:.4f}"
            )
        for name, (was, becomes) in changes.items():
            self.stdout.write(f"{KNOBS[name].metadata['label']} ({name}): {was} → {becomes}")
        if result.figures.is_better and options["dry_run"]:
            self.stdout.write("Better, and not stored: this was a dry run.")
        self.stdout.write(outcome_words(result.figures, version))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _present(version: int | None, space_ids: list[Any]) -> Profile:
    if version is None:
        return active_profile(space_ids)
    row = RetrievalProfile.objects.filter(version=version).first()
    if row is None:
        message = f"There is no retrieval profile of version {version}."
        raise CommandError(message)
    return profile_of(row)
