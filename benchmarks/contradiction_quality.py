"""How well contradictions are found: precision and recall on pairs of statements, and false alarms.

Usage: python benchmarks/contradiction_quality.py

The pairs are in benchmarks/data/contradictions.yaml; the set `held` was not looked at while the
thresholds were chosen. False alarms are counted among all pairs of sentences of different texts of
the demo, which was written without contradictions in mind; what is told there is printed.
"""

import itertools
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django  # noqa: E402 - needs the settings

django.setup()

import yaml  # noqa: E402

from knowledge.quality.claims import Claim, claim_of  # noqa: E402
from knowledge.quality.contradictions import NEAR_COSINE, clash_of  # noqa: E402
from knowledge.quality.sentences import sentences  # noqa: E402
from project.inference.embeddings import default_model, embed_texts  # noqa: E402

MODEL = default_model()


def claim(side: str | list[str], language: str) -> Claim:
    """Return the claim of one side of a pair."""
    title, heading, text = side if isinstance(side, list) else ("Handbook", "", side)
    (sentence,) = sentences(f"# {heading}\n\n{text}" if heading else text)
    return claim_of(sentence, title, language)


def is_told(here: Claim, there: Claim, language: str) -> bool:
    """Decide as the check does: by the words, and where they leave doubt by the vectors."""
    clash = clash_of(here, there)
    if clash is None or clash.is_sure:
        return clash is not None
    if MODEL.languages is not None and language not in MODEL.languages:
        return False
    texts = [here.sentence.said, there.sentence.said]
    left, right = embed_texts(MODEL, texts, purpose="document")
    return float(left @ right) >= NEAR_COSINE


def pairs() -> None:
    """Print precision and recall on the pairs."""
    rows = yaml.safe_load((ROOT / "benchmarks/data/contradictions.yaml").read_text("utf-8"))
    print("| pairs | contradict | found | false alarms | precision | recall |")
    print("|---|---|---|---|---|---|")
    for name, language in itertools.product(("tuned", "held"), ("en", "pt")):
        own = [row for row in rows if row[:2] == [name, language]]
        told = [
            (bool(row[2]), is_told(claim(row[3], language), claim(row[4], language), language))
            for row in own
        ]
        hits, alarms = told.count((True, True)), told.count((False, True))
        real = sum(truth for truth, _told in told)
        print(
            f"| {len(own)} {name}, {language} | {real} | {hits} | {alarms} "
            f"| {hits / max(1, hits + alarms):.2f} | {hits / real:.2f} |"
        )


def demo() -> None:
    """Print what is told among the texts of the demo."""
    print("\n| demo | sentences | pairs looked at | told |\n|---|---|---|---|")
    told: list[str] = []
    for language in ("en", "pt"):
        claims = []
        for path in sorted((ROOT / "project/demo/nodes" / language).glob("*.md")):
            _empty, head, text = path.read_text("utf-8").split("---\n", 2)
            title = yaml.safe_load(head)["title"]
            claims += [(title, claim_of(each, title, language)) for each in sentences(text)]
        looked = alarms = 0
        for (one, here), (other, there) in itertools.combinations(claims, 2):
            if one == other or len(here.terms & there.terms) < 2:
                continue
            looked += 1
            if is_told(here, there, language):
                alarms += 1
                told.append(f"{one}: {here.sentence.text}\n  {other}: {there.sentence.text}")
        print(f"| {language} | {len(claims)} | {looked} | {alarms} |")
    print("\n" + "\n".join(f"- {each}" for each in told))


if __name__ == "__main__":
    pairs()
    demo()
