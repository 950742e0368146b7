import pytest

from memory.importance import importance_of


def test_small_talk_hardly_matters() -> None:
    assert importance_of("Thanks!").score == importance_of("Oi").score == 0.05


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("Remember that I am allergic to nuts.", "Are there nuts in the cake?"),
        ("Lembre-se: prefiro respostas curtas.", "Qual é o horário da biblioteca?"),
        ("We agreed that the report is due on 2026-12-01.", "When is the report due?"),
    ],
)
def test_what_one_asks_to_keep_matters_more_than_a_question(more: str, less: str) -> None:
    assert importance_of(more).score > importance_of(less).score


def test_the_signals_add_up_to_the_score() -> None:
    judged = importance_of(
        "Please remember: my name is Ines and my shift starts at 7:30 on Monday."
    )
    assert judged.score == pytest.approx(min(1.0, sum(judged.signals.values())))
    assert {"asked_to_remember", "about_the_person", "date"} <= judged.signals.keys()
