"""From signals to an order. No database."""

from functools import partial

import numpy as np
import pytest

from knowledge import ranking
from knowledge.binary import sequence_pack, sequence_unpack
from knowledge.knobs import BUILT_IN
from knowledge.weights import K1, highest_score, passage_weights, rarity, word_counts


def joined(*passages: tuple[list[int], list[int], list[int]]) -> np.ndarray:
    return sequence_unpack(b"".join(sequence_pack(*fields) + b"\0\0\0\0" for fields in passages))


def test_the_vector_leg_weighs_less_where_the_model_reads_nothing() -> None:
    weight = partial(ranking.vector_weight, BUILT_IN)
    assert weight([True]) == BUILT_IN.readable_weight
    assert weight([False]) == BUILT_IN.unreadable_weight
    assert BUILT_IN.unreadable_weight < weight([]) < BUILT_IN.readable_weight
    assert weight([True, False]) == pytest.approx(weight([]))
    assert weight([True], hashing=True) == BUILT_IN.hashing_weight


def test_the_vector_leg_weighs_less_where_the_words_are_known() -> None:
    factor = partial(ranking.literal_factor, BUILT_IN)
    assert factor(0.0) == factor(BUILT_IN.literal_from) == 1.0
    assert factor(1.0) == pytest.approx(1.0 - BUILT_IN.literal_share)


def test_meaning_weighs_the_more_the_nearer_its_nearest_passage_is() -> None:
    weight = partial(ranking.confident_weight, BUILT_IN, 0.5)
    assert weight(BUILT_IN.confidence_from) == pytest.approx(0.5)
    assert 0.2 < weight(0.0) < weight(0.3) < 0.5 < weight(0.9) < 0.8
    assert ranking.confident_weight(BUILT_IN, 1.0, 0.1) == 1.0
    assert ranking.confident_weight(BUILT_IN, 0.0, 0.9) == 0.0
    assert ranking.confident_weight(BUILT_IN.with_values(confidence=0), 0.3, 0.9) == 0.3


def test_the_question_moves_towards_the_best() -> None:
    question = np.array([1, 0, 0], dtype=np.float32)
    near = np.array([[0.8, 0.6, 0], [0.6, 0.8, 0], [0.6, 0, 0.8], [0, 0, 0]], dtype=np.float32)
    similarities = np.array([0.8, 0.6, 0.6, 0.3])
    refined = ranking.refined_similarities(
        BUILT_IN, question, near, similarities, np.array([0.9, 0.1, 0.0, 0.0])
    )
    assert refined[0] == pytest.approx(0.8)
    assert refined[1] > refined[2]
    assert refined[3] == 0.3


def test_fields_are_counted_passage_by_passage() -> None:
    starts, lengths = ranking.field_lengths(joined(([1, 2], [], [3]), ([], [4], [5, 6, 7])))
    assert starts.tolist() == [0, 6]
    assert lengths.tolist() == [[2, 0, 1], [0, 1, 3]]


def test_phrases_count_within_a_field_only() -> None:
    sequences = joined(([1, 2], [], [9]), ([1], [2], [9]), ([], [], [1, 2, 1, 2]), ([], [], [2, 1]))
    starts, _lengths = ranking.field_lengths(sequences)
    scores = ranking.phrase_scores(sequences, starts, {(1, 2): 1.0}, np.full(4, K1), K1)
    assert scores[1] == scores[3] == 0
    assert 0 < scores[0] < scores[2] < K1 + 1


def test_neighbours_lift_each_other_and_a_stranger_keeps_its_score() -> None:
    near = np.array([[1, 0, 0], [0.99, 0.141, 0], [0.98, 0.2, 0], [0, 0, 1]], dtype=np.float32)
    scores = ranking.smoothed(BUILT_IN, np.array([0.9, 0.2, 0.8, 0.5]), near)
    assert scores[1] > 0.2
    assert scores[0] < 0.9
    assert scores[3] == 0.5
    assert np.all((scores >= 0.2) & (scores <= 0.9))


def test_a_missing_vector_changes_nothing() -> None:
    rows = np.zeros((3, 4), dtype=np.float32)
    assert ranking.smoothed(BUILT_IN, np.array([0.3, 0.2, 0.1]), rows).tolist() == [0.3, 0.2, 0.1]


def test_relations_raise_scores_towards_one() -> None:
    assert ranking.led_on(0.5, 0.8, 0.1) == pytest.approx(0.54)
    assert ranking.led_on(1.0, 1.0, 0.5) == 1.0
    assert ranking.led_on(0.5, 0.0, 0.5) == 0.5


def test_words_of_the_title_weigh_more() -> None:
    counts = word_counts(sequence_unpack(sequence_pack([1], [2], [3, 3])))
    assert counts == {1: 2.0, 2: 1.0, 3: 2.0}


def test_no_passage_scores_above_the_highest_score() -> None:
    idf = rarity(1, 1000)
    for times in (1, 5, 500):
        weight = passage_weights({7: float(times)}, average=100.0)[7]
        assert 0 < weight * idf < highest_score(idf)


def test_rare_words_weigh_more_and_none_weighs_less_than_nothing() -> None:
    assert rarity(1, 100) > rarity(50, 100) > rarity(100, 100) > 0
