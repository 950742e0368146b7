"""How well near duplicates are told from texts that only share a subject.

Usage: python benchmarks/duplicate_quality.py

Edited copies are the texts of the demo with a share of their words replaced: found by shingles.
Other wordings are the pairs of benchmarks/data/near_duplicates.yaml: found by vectors. False alarms
are counted among all pairs of texts of the demo, and of one pair's text with another's.
"""

import itertools
import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django  # noqa: E402 - needs the settings

django.setup()

import numpy as np  # noqa: E402
import yaml  # noqa: E402

from knowledge.models import Node  # noqa: E402
from knowledge.passages import passages_of  # noqa: E402
from knowledge.quality.duplicates import NEAR_COSINE, NEAR_JACCARD  # noqa: E402
from knowledge.quality.texts import bands, jaccard, normalised, shingles  # noqa: E402
from project.inference.embeddings import default_model, embed_texts  # noqa: E402


def texts(language: str) -> list[tuple[str, str]]:
    """Return titles and texts of the demo."""
    found = []
    for path in sorted((ROOT / "project/demo/nodes" / language).glob("*.md")):
        _empty, head, text = path.read_text("utf-8").split("---\n", 2)
        found.append((yaml.safe_load(head)["title"], text))
    return found


def vectors(title: str, text: str) -> np.ndarray:
    """Return the vectors of the passages of a text, as the index has them."""
    node = Node(title=title, content=text, language="en")
    embedded = [passage.embedded for passage in passages_of(node)]
    return embed_texts(default_model(), embedded, purpose="document")


def likeness(left: np.ndarray, right: np.ndarray) -> float:
    """Return the mean over the passages of one text of the best cosine in the other."""
    return float((left @ right.T).max(axis=1).mean())


def copies() -> None:
    """Print how many edited copies share a band, and pass the threshold."""
    found = texts("en") + texts("pt")
    dice = random.Random(7)
    print(f"Shingles: a near duplicate from a Jaccard index of {NEAR_JACCARD} on.\n")
    print("| words replaced | found through the index | told |\n|---|---|---|")
    for share in (0.01, 0.03, 0.05, 0.1, 0.2):
        candidates = told = 0
        for _title, text in found:
            words = normalised(text).split()
            edited = [f"x{n}" if dice.random() < share else word for n, word in enumerate(words)]
            one, other = shingles(" ".join(words)), shingles(" ".join(edited))
            candidates += bool(set(bands(one)) & set(bands(other)))
            told += jaccard(one, other) >= NEAR_JACCARD
        print(f"| {share:.0%} | {candidates / len(found):.0%} | {told / len(found):.0%} |")
    marks = [shingles(normalised(text)) for _title, text in found]
    most = max(jaccard(one, other) for one, other in itertools.combinations(marks, 2))
    print(f"\nThe two most alike texts of the demo have {most:.2f}.")


def wordings() -> None:
    """Print the cosines of other wordings, and of texts that only share a subject."""
    rows = yaml.safe_load((ROOT / "benchmarks/data/near_duplicates.yaml").read_text("utf-8"))
    one = [vectors(row[0], row[1]) for row in rows]
    other = [vectors(row[2], row[3]) for row in rows]
    same = sorted(likeness(a, b) for a, b in zip(one, other, strict=True))
    demo = [vectors(*each) for each in texts("en")]
    apart = [likeness(a, b) for a, b in itertools.permutations(demo, 2)]
    apart += [likeness(a, b) for a, b in itertools.permutations(one, 2)]
    apart.sort(reverse=True)
    print(f"\nVectors: a near duplicate from a mean cosine of {NEAR_COSINE} on.\n")
    print("| threshold | other wordings found | false alarms |\n|---|---|---|")
    for threshold in (0.75, 0.8, NEAR_COSINE, 0.85, 0.9):
        hits = sum(each >= threshold for each in same)
        alarms = sum(each >= threshold for each in apart)
        print(f"| {threshold} | {hits} of {len(same)} | {alarms} of {len(apart)} |")
    print(
        f"\nThe least of the wordings has {same[0]:.2f}, the highest of the others {apart[0]:.2f}."
    )


if __name__ == "__main__":
    copies()
    wordings()
