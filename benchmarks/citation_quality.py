"""How well the sentences of answers are checked against the passages that they cite.

Usage: python benchmarks/citation_quality.py [--misses]

The sentences are in benchmarks/data/citation_claims.yaml; the set `held` was written when rules and
thresholds were fixed (docs/benchmarks.md says what it led to). *marked* is what a reader sees a
mark on: what is not, or only partly, in its source. Beside it stands a plain overlap of words, with
the threshold that is best on the set `tuned`. `--misses` prints what was judged wrongly.
"""

import os
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django  # noqa: E402 - needs the settings

django.setup()

import yaml  # noqa: E402

from chat.answering.checking import checked, compared  # noqa: E402
from chat.answering.verifying import Judged  # noqa: E402
from chat.types import Passage  # noqa: E402
from knowledge.analysis import words  # noqa: E402


@dataclass(frozen=True)
class Case:
    """A sentence with its truth: yes, part or no."""

    set: str
    language: str
    truth: str
    made: str
    text: str
    passage: Passage


Judge = Callable[[Case], Judged | None]


def cases() -> list[Case]:
    """Read the set."""
    rows = yaml.safe_load((ROOT / "benchmarks/data/citation_claims.yaml").read_text("utf-8"))
    found = []
    for number, row in enumerate(rows, 1):
        passage = Passage(
            node=uuid.UUID(int=number),
            version=1,
            chunk=uuid.UUID(int=number),
            title=row["title"],
            heading_path=(),
            text=row["text"],
            start=0,
            end=len(row["text"]),
            page=None,
            url="",
            language=row["language"],
            score=1.0,
        )
        found += [
            Case(row["set"], row["language"], truth, made, text, passage)
            for truth, made, text in row["claims"]
        ]
    return found


def by(*, meaning: bool) -> Judge:
    """Return the check as Acervo makes it, with or without the embedding model."""

    def judge(case: Case) -> Judged | None:
        answer = f"{case.text} [1]"
        found = checked(answer, {1: case.passage}, case.language)
        found = compared(found, case.language) if meaning else found
        return found[0] if found else None

    return judge


def overlap(case: Case) -> float:
    """Return which share of the words of a sentence stands in the passage."""
    own = set(words(case.text))
    return len(own & set(words(case.passage.text))) / len(own)


def figures(rows: Sequence[tuple[Case, str]]) -> list[str]:
    """Return what is caught, what is marked wrongly, and how many verdicts are right."""
    false = [grade for case, grade in rows if case.truth == "no"]
    true = [grade for case, grade in rows if case.truth == "yes"]
    part = [grade for case, grade in rows if case.truth == "part"]
    caught = sum(grade != "supported" for grade in false)
    alarms = sum(grade != "supported" for grade in true)
    precision = caught / max(1, caught + alarms)
    return [
        str(len(rows)),
        f"{caught / len(false):.2f}",
        f"{sum(grade == 'unsupported' for grade in false) / len(false):.2f}",
        f"{sum(grade != 'supported' for grade in part) / len(part):.2f}",
        f"{alarms / len(true):.2f}",
        f"{precision:.2f}",
    ]


def main() -> None:
    """Measure and print."""
    every = cases()
    tuned = [case for case in every if case.set == "tuned"]
    best = max(
        (number / 100 for number in range(20, 101, 2)),
        key=lambda least: sum((overlap(case) >= least) == (case.truth == "yes") for case in tuned),
    )
    print(f"Plain overlap: best threshold on `tuned` is {best:.2f}.\n")
    head = ["sentences", "invented: marked", "as unsupported", "partly true: marked",
            "true: marked", "precision"]  # fmt: skip
    print("| | set | " + " | ".join(head) + " |\n|---|---|" + "---|" * len(head))
    wrong = []
    for name, judge in (("rules", by(meaning=False)), ("rules and meaning", by(meaning=True))):
        for chosen in ("tuned", "held"):
            for language in ("en", "pt"):
                own = [case for case in every if (case.set, case.language) == (chosen, language)]
                began = time.perf_counter()
                told = [(case, judge(case)) for case in own]
                took = (time.perf_counter() - began) / len(own) * 1000
                rows = [(case, (each.grade or "supported") if each else "supported")
                        for case, each in told]  # fmt: skip
                print(f"| {name} ({took:.1f} ms each) | {chosen}, {language} | "
                      + " | ".join(figures(rows)) + " |")  # fmt: skip
                wrong += [(name, case, each) for case, each in told if _is_wrong(case, each)]
    for chosen in ("tuned", "held"):
        for language in ("en", "pt"):
            own = [case for case in every if (case.set, case.language) == (chosen, language)]
            rows = [(case, "supported" if overlap(case) >= best else "unsupported") for case in own]
            print(f"| plain overlap | {chosen}, {language} | " + " | ".join(figures(rows)) + " |")
    if "--misses" in sys.argv:
        for name, case, each in wrong:
            about = (
                f"{each.grade} {each.reason} {each.agreement} {each.similarity}" if each else "-"
            )
            print(f"{name} {case.set} {case.truth}/{case.made}: {case.text} -> {about}")


def _is_wrong(case: Case, judged: Judged | None) -> bool:
    is_marked = judged is not None and judged.grade in {"partly", "unsupported"}
    return is_marked == (case.truth == "yes")


if __name__ == "__main__":
    main()
