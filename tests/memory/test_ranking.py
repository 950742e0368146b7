import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import ranking

SCORES = st.dictionaries(st.integers(0, 20), st.floats(0.01, 30), max_size=12)


@given(SCORES, SCORES)
def test_relevance_stays_between_0_and_1_and_loses_nobody(
    vector: dict[int, float], keyword: dict[int, float]
) -> None:
    fused = ranking.fuse(vector, keyword)
    assert fused.keys() == vector.keys() | keyword.keys()
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


def test_a_leg_that_found_nothing_leaves_the_other_whole() -> None:
    assert ranking.fuse({}, {"a": 4.0, "b": 2.0}) == {"a": 1.0, "b": 0.5}


def test_no_boost_lifts_a_weak_match_over_a_strong_one() -> None:
    weak = ranking.boosted(0.6, recent=1.0, important=1.0)
    strong = ranking.boosted(1.0, recent=0.1, important=0.0)
    assert weak < strong


def test_recency_falls_from_1_to_a_tenth() -> None:
    now = datetime.datetime(2026, 6, 1, tzinfo=datetime.UTC)
    assert ranking.recency(now, now) == 1.0
    assert ranking.recency(now + datetime.timedelta(hours=3), now) == 1.0
    assert ranking.recency(now - datetime.timedelta(days=2000), now) == pytest.approx(0.1)
