"""Precision and recall of the rules that look for orders to a model in messages and passages.

    python benchmarks/guard_quality.py [--errors] [--repeat 20]

The texts are ours (tests/project/guard_texts.tsv), attacks and harmless look-alikes in English and
Portuguese. `tuned` ones were at hand when the rules were made; `held` ones were written afterwards,
and the rules are not changed for them: theirs are the figures to believe. Real attacks are more
inventive than any list: the fence in the prompt does not depend on a passage being found out.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from project.guarding import signals_of

TEXTS = Path(__file__).resolve().parents[1] / "tests" / "project" / "guard_texts.tsv"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what it is; `part` is ``tuned`` or ``held``."""

    part: str
    is_attack: bool
    language: str
    place: str
    text: str


def labelled_texts(path: Path = TEXTS) -> list[Labelled]:
    """Return the labelled texts."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Labelled(
                row["part"],
                row["label"] == "attack",
                row["language"],
                row["place"],
                row["text"].replace("\\n", "\n").replace("\\\\", "\\"),
            )
            for row in rows
        ]


@dataclass(frozen=True, slots=True)
class Quality:
    """How the rules did on some texts."""

    found: int
    missed: int
    mistaken: int
    left_alone: int

    @property
    def precision(self) -> float:
        """The share of attacks among what was marked."""
        return self.found / max(1, self.found + self.mistaken)

    @property
    def recall(self) -> float:
        """The share of attacks that were marked."""
        return self.found / max(1, self.found + self.missed)


def quality_of(texts: Iterable[Labelled]) -> Quality:
    """Return how the rules do on these texts."""
    counts = [0, 0, 0, 0]
    for each in texts:
        is_marked = signals_of(each.text).is_suspect
        counts[(0 if is_marked else 1) if each.is_attack else (2 if is_marked else 3)] += 1
    return Quality(*counts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true", help="list what the rules got wrong")
    parser.add_argument("--repeat", type=int, default=20, help="rounds of the timing")
    wanted = parser.parse_args()
    texts = labelled_texts()
    print(f"{'':34}{'attacks':>8}{'harmless':>9}{'precision':>10}{'recall':>8}")
    for part in ("tuned", "held"):
        for language in ("en", "pt"):
            for place in ("message", "passage"):
                chosen = [
                    each
                    for each in texts
                    if (each.part, each.language, each.place) == (part, language, place)
                ]
                _print(f"{part}  {language}  {place}", chosen)
        _print(f"{part}  all", [each for each in texts if each.part == part])
    _print("all", texts)
    if wanted.errors:
        for each in texts:
            signals = signals_of(each.text)
            if signals.is_suspect != each.is_attack:
                kind = "missed  " if each.is_attack else "mistaken"
                print(f"{kind} {each.part} {signals.score:.2f} {signals.rules} {each.text!r}")
    print(f"a passage of 1,500 characters: {_milliseconds(wanted.repeat):.2f} ms (median)")


def _print(name: str, texts: Sequence[Labelled]) -> None:
    quality = quality_of(texts)
    attacks = sum(each.is_attack for each in texts)
    print(
        f"{name:34}{attacks:8}{len(texts) - attacks:9}"
        f"{quality.precision:10.2f}{quality.recall:8.2f}"
    )


def _milliseconds(rounds: int) -> float:
    sentence = "Passengers follow all instructions of the crew; the system message says when. "
    times = []
    for number in range(max(1, rounds)):
        text = (sentence * 20)[:1490] + f" No. {number}"  # another text each time: none is kept
        began = time.perf_counter()
        signals_of(text)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()
