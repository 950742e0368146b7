"""Measures of rankings, against values worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.measures import (
    Measures,
    compared,
    mean_of,
    measures_of,
    ndcg_at,
    recall_at,
    reciprocal_rank_at,
)

FOUND = ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("relevant", "k", "share"),
    [
        ("a", 1, 1.0),
        ("b", 1, 0.0),
        ("bd", 3, 0.5),
        ("bd", 4, 1.0),
        ("bdx", 5, 2 / 3),
        ("xyz", 5, 0.0),
    ],
)
def test_recall_is_the_share_of_the_relevant_among_the_first(
    relevant: str, k: int, share: float
) -> None:
    assert recall_at(FOUND, dict.fromkeys(relevant, 1), k) == pytest.approx(share)


@pytest.mark.parametrize(
    ("relevant", "k", "expected"),
    [("a", 5, 1.0), ("b", 5, 1 / 2), ("ed", 5, 1 / 4), ("d", 3, 0.0), ("x", 5, 0.0)],
)
def test_a_reciprocal_rank_looks_at_the_first_hit_and_no_further_than_k(
    relevant: str, k: int, expected: float
) -> None:
    assert reciprocal_rank_at(FOUND, dict.fromkeys(relevant, 1), k) == pytest.approx(expected)


def test_ndcg_of_one_relevant_is_its_discount() -> None:
    # 1 / log2(3) = 0.63093, 1 / log2(5) = 0.43068
    assert ndcg_at(FOUND, {"b": 1}, 5) == pytest.approx(0.63093, abs=1e-5)
    assert ndcg_at(FOUND, {"d": 3}, 5) == pytest.approx(0.43068, abs=1e-5)


def test_ndcg_weighs_grades_as_worked_out_by_hand() -> None:
    # Gains: grade 3 is 7, grade 2 is 3, grade 1 is 1. Found: b (2) at 2, d (3) at 4, not x (1).
    # DCG  = 3 / log2(3) + 7 / log2(5)           = 1.892789 + 3.014736 = 4.907525
    # IDCG = 7 / log2(2) + 3 / log2(3) + 1 / log2(4) = 7 + 1.892789 + 0.5 = 9.392789
    assert ndcg_at(FOUND, {"b": 2, "d": 3, "x": 1}, 5) == pytest.approx(0.522478, abs=1e-6)


def test_the_ideal_has_room_for_k_only() -> None:
    grades = dict.fromkeys("abcde", 1)
    assert ndcg_at(FOUND, grades, 2) == pytest.approx(1.0)
    assert recall_at(FOUND, grades, 2) == pytest.approx(0.4)


def test_a_mean_is_taken_measure_by_measure() -> None:
    rows = [Measures(1.0, 0.5, 0.25), Measures(0.0, 0.25, 0.75)]
    assert mean_of(rows) == Measures(0.5, 0.375, 0.5)
    assert mean_of([]) is None


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((0.5, 1.0, 1.0), (1.0, 0.5, 0.5), 1),
        ((1.0, 0.5, 1.0), (0.5, 1.0, 1.0), -1),
        ((1.0, 0.5, 0.9), (1.0, 0.25, 0.95), -1),
        ((1.0, 0.5, 0.5), (1.0, 0.5, 0.6), 1),
        ((1.0, 0.1 + 0.2, 0.5), (1.0, 0.3, 0.5), 0),
    ],
)
def test_recall_decides_before_rank_and_rank_before_ndcg(
    before: tuple[float, float, float], after: tuple[float, float, float], verdict: int
) -> None:
    assert compared(Measures(*before), Measures(*after)) == verdict


@pytest.mark.parametrize(("grades", "k"), [({}, 5), ({"a": 0}, 5), ({"a": 1}, 0)])
def test_nothing_relevant_is_not_measured(grades: dict[str, int], k: int) -> None:
    with pytest.raises(ValueError, match="relevant"):
        measures_of(FOUND, grades, k)


@given(
    found=st.lists(st.integers(0, 30), unique=True, max_size=25),
    grades=st.dictionaries(st.integers(0, 30), st.integers(1, 3), min_size=1, max_size=8),
    k=st.integers(1, 20),
)
def test_measures_stay_between_none_and_all(
    found: list[int], grades: dict[int, int], k: int
) -> None:
    one = measures_of(found, grades, k)
    for value in (one.recall, one.reciprocal_rank, one.ndcg):
        assert 0 <= value <= 1 + 1e-9
    ideal = sorted(grades, key=lambda each: -grades[each])
    best = measures_of(ideal, grades, len(grades))
    assert (best.recall, best.reciprocal_rank) == (1.0, 1.0)
    assert best.ndcg == pytest.approx(1.0)
