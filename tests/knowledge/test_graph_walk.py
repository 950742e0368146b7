"""What relations lead to from the best hits. No database."""

import uuid
from collections.abc import Iterable

from knowledge.retrieval._graph import Edge, led_scores

A, B, C, D, HUB = (uuid.UUID(int=number) for number in range(1, 6))
LEAVES = [uuid.UUID(int=number) for number in range(100, 130)]


def led(
    edges: list[Edge],
    seeds: dict[uuid.UUID, float],
    *,
    steps: int = 2,
    hidden: frozenset[uuid.UUID] = frozenset(),
) -> dict[uuid.UUID, float]:
    def relations(nodes: list[uuid.UUID]) -> list[Edge]:
        found = [edge for edge in edges if edge[0] in nodes or edge[1] in nodes]
        return sorted(found, key=lambda edge: -edge[2])

    def passing(nodes: Iterable[uuid.UUID]) -> set[uuid.UUID]:
        return set(nodes) - hidden

    found = led_scores(seeds, steps=steps, damping=0.6, passing=passing, relations=relations)
    return {node: score for node, (score, _way) in found.items()}


def test_what_is_nearer_gets_more_and_nothing_more_than_the_best_hit() -> None:
    found = led([(A, B, 1.0), (B, C, 1.0), (C, D, 1.0)], {A: 0.8})
    assert found[B] == 0.8
    assert 0 < found[C] < found[B]
    assert D not in found
    assert C not in led([(A, B, 1.0), (B, C, 1.0)], {A: 0.8}, steps=1)


def test_a_hub_leads_hardly_anywhere() -> None:
    edges = [(A, HUB, 1.0), (A, B, 1.0), *((HUB, leaf, 1.0) for leaf in LEAVES)]
    found = led(edges, {A: 0.8})
    assert found[B] == 0.8
    assert found[HUB] < 0.5
    assert max(found[leaf] for leaf in LEAVES) < 0.1


def test_a_weak_relation_stays_weak() -> None:
    assert led([(A, B, 0.2)], {A: 0.5})[B] == 0.1
    found = led([(A, B, 1.0), (A, C, 0.2)], {A: 0.5})
    assert found[C] < found[B] / 3


def test_the_best_hit_leads_most() -> None:
    found = led([(A, B, 1.0), (C, D, 1.0)], {A: 0.9, C: 0.3})
    assert found[B] > 3 * found[D]


def test_what_is_hidden_leads_nowhere_and_does_not_show() -> None:
    edges = [(A, B, 1.0), (B, C, 1.0)]
    assert led(edges, {A: 0.8}, hidden=frozenset({B})) == {}
    many = [*edges, *((B, leaf, 1.0) for leaf in LEAVES), *((A, leaf, 1.0) for leaf in LEAVES)]
    assert led(many, {A: 0.8}, hidden=frozenset(LEAVES)) == led(edges, {A: 0.8})


def test_loops_and_nothing_come_to_an_end() -> None:
    assert led([], {A: 0.8}) == {}
    assert led([(A, A, 1.0)], {A: 0.8}) == {}
    assert led([(A, B, 0.0)], {A: 0.8}) == {}
    circle = led([(A, B, 1.0), (B, C, 1.0), (C, A, 1.0)], {A: 0.0, B: 0.5})
    assert all(0 <= score <= 0.5 for score in circle.values())
