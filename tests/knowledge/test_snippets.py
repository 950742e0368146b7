"""The telling part of a passage."""

from knowledge.snippets import LENGTH, snippet

FILLER = "The weather was calm and nothing happened on the quay that day. " * 8


def test_a_short_text_is_shown_whole() -> None:
    assert snippet("Pay  at the\noffice.", {"pay": 1.0}, "en") == "Pay at the office."


def test_the_window_holds_the_words_of_the_question() -> None:
    text = FILLER + "A berth costs twelve euros a night. " + FILLER
    found = snippet(text, {"berth": 2.0, "cost": 1.0}, "en")
    assert found.startswith("… A berth costs twelve euros a night.")
    assert found.endswith(" …")
    assert len(found) <= LENGTH + 4


def test_different_words_beat_the_same_word_again() -> None:
    text = "Berth berth berth. " + FILLER + "The night rate of a berth. " + FILLER
    assert "night rate" in snippet(text, {"berth": 1.0, "night": 1.0, "rate": 1.0}, "en")


def test_a_sentence_longer_than_the_window_is_entered() -> None:
    text = "word " * 200 + "lighthouse " + "word " * 200
    assert "lighthouse" in snippet(text, {"lighthous": 1.0}, "en")


def test_without_any_hit_it_begins_at_the_beginning() -> None:
    assert snippet(FILLER, {}, "en").startswith("The weather was calm")
    assert len(snippet("x" * 5000, {"y": 1.0}, "en")) <= LENGTH + 4
