"""How good suggested relations are: precision of the best ones on the demo, by hand-made verdicts.

Usage: python benchmarks/related_quality.py [MOST]

The demo is loaded with its relations and links, and the product looks for suggestions as its
schedule does. Beside it stand two plain ways over the same pairs, those that are not related
already: the cosine of mean vectors, and that of words. MOST (40) is how many of the best are told.
benchmarks/data/related_pairs.yaml says of pairs whether an editor would relate them; whoever wrote
it saw the best 40 of all three ways. A pair that it does not know counts as wrong, and is printed.
Second table: with the demo's relations hidden, how many of the pairs that a way finds
first are related by them.
"""

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stage

ROOT = Path(__file__).resolve().parents[1]
STEPS = (10, 20, 40)
Pair = frozenset[str]


def verdicts() -> dict[Pair, bool]:
    """Return what was said of pairs, by external ids (or titles, of files)."""
    import yaml

    rows = yaml.safe_load((ROOT / "benchmarks/data/related_pairs.yaml").read_text("utf-8"))
    told = {frozenset(pair): True for pair in rows["related"]}
    return told | {frozenset(pair): False for pair in rows["apart"]}


def name(node: Any) -> str:
    """Return what the verdicts call a node."""
    return str(node.external_id or node.title)


def by_product() -> list[Pair]:
    """Look for suggestions twice, the second time knowing how crowded it is everywhere."""
    from django.utils import timezone

    from knowledge.models import RelatingState, RelationSuggestion
    from knowledge.relating.refreshing import refresh

    refresh(seconds=600)
    RelatingState.objects.update(due_at=timezone.now())
    refresh(seconds=600)
    rows = RelationSuggestion.objects.select_related("source", "target").order_by("-score", "pk")
    return [frozenset((name(row.source), name(row.target))) for row in rows]


def ranked(likeness: Callable[[Any, Any], float], nodes: list[Any], known: set[Pair]) -> list[Pair]:
    """Return the pairs of nodes that are not known, most alike first."""
    pairs = [
        (likeness(one, other), frozenset((name(one), name(other))))
        for one, other in itertools.combinations(nodes, 2)
    ]
    return [pair for _value, pair in sorted(pairs, key=lambda each: -each[0]) if pair not in known]


def plain_ways(space: Any) -> dict[str, Callable[[Any, Any], float]]:
    """Return the plain ways of telling how alike two nodes are."""
    import numpy as np

    from knowledge.models import IndexGeneration, Node
    from knowledge.relating.likeness import _word_cosines
    from knowledge.relating.passages import passages_held
    from knowledge.statistics import totals
    from knowledge.weights import rarity

    nodes = Node.objects.filter(space=space).values_list("pk", flat=True)
    generation = IndexGeneration.objects.get(space=space, status="active")
    held = passages_held(dict.fromkeys(nodes, ()), [generation.pk], lambda _language: True)
    keys = {key for rows in held.values() for row in rows for key in row.words}
    counted = totals([space.pk], keys)
    idfs = {key: rarity(counted.passages_with.get(key, 1), counted.passages) for key in keys}
    means = {}
    for pk, rows in held.items():
        mean = np.mean([row.vector for row in rows], axis=0)
        means[pk] = mean / np.linalg.norm(mean)
    return {
        "mean vectors": lambda one, other: float(means[one.pk] @ means[other.pk]),
        "words": lambda one, other: float(_word_cosines(held[one.pk], held[other.pk], idfs).max()),
    }


def main() -> None:
    """Measure, and print two tables."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else max(STEPS)
    stage.begin()
    from project.accounts.models import User
    from project.demo.loader import demo_index, demo_load

    user = User.objects.create_superuser("bench", "bench@example.org", None)
    space = demo_load(acting_user=user).space
    assert demo_index(space)
    from knowledge.models import Node, Relation

    nodes = list(Node.objects.filter(space=space, status="published").order_by("pk"))
    rows = Relation.objects.select_related("source", "target")
    related = {frozenset((name(row.source), name(row.target))) for row in rows}
    plain = plain_ways(space)
    found = {way: ranked(likeness, nodes, related) for way, likeness in plain.items()}
    found["product"] = by_product()
    told = verdicts()
    steps = [step for step in STEPS if step <= most]
    table = []
    for way, pairs in found.items():
        shares = [sum(told.get(pair, False) for pair in pairs[:n]) / n for n in steps]
        unknown = [pair for pair in pairs[:most] if pair not in told]
        table.append([way, *(f"{share:.2f}" for share in shares), str(len(unknown))])
        for pair in unknown:
            print("not judged:", sorted(pair))
    head = ["way", *(f"P@{step}" for step in steps), "not judged"]
    stage.table("Suggestions that an editor would confirm", head, table)

    from knowledge.relation_writing import relations_remove

    relations_remove(list(Relation.objects.all()), author=user)
    hidden = {way: ranked(likeness, nodes, set()) for way, likeness in plain.items()}
    hidden["product"] = by_product()
    table = [
        [way, *(f"{sum(pair in related for pair in pairs[:n]) / n:.2f}" for n in steps)]
        for way, pairs in hidden.items()
    ]
    stage.table("Hidden relations of the demo among the best", ["way", *head[1:-1]], table)


if __name__ == "__main__":
    main()
