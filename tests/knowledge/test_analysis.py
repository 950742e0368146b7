"""Words of texts as the keyword index knows them."""

import pytest

from knowledge.analysis import likely_language, term_key, terms_of, words
from knowledge.types import TERM_SPACE


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "connections", "connected"),
        ("en", "Fees", "fee"),
        ("pt-br", "informação", "informações"),
        ("pt-br", "informação", "informacao"),
        ("pt-br", "decisão", "decisões"),
        ("pt-br", "responsável", "responsaveis"),
        ("pt-br", "frequência", "frequencias"),
        ("pt-br", "animal", "animais"),
        ("pt-br", "papéis", "papel"),
        ("pt-br", "homens", "homem"),
        ("pt", "ÔNIBUS", "onibus"),
        ("fr", "Café", "cafe"),
    ],
)
def test_forms_of_a_word_are_one_term(language: str, one: str, other: str) -> None:
    assert terms_of(one, language) == terms_of(other, language) != []


@pytest.mark.parametrize(
    ("language", "one", "other"), [("en", "port", "party"), ("pt-br", "porto", "porta-voz")]
)
def test_different_words_stay_different(language: str, one: str, other: str) -> None:
    assert terms_of(one, language) != terms_of(other, language)


def test_identifiers_and_numbers_are_kept() -> None:
    assert terms_of("Form PRO-104", "en") == ["form", "pro-104", "pro", "104"]
    assert terms_of("3,5 kg", "pt-br") == terms_of("3.5 kg", "pt-br") == ["3.5", "kg"]
    assert terms_of("state-of-the-art", "en") == ["state", "art"]
    assert terms_of("snake_case", "en") == ["snake", "case"]


def test_stop_words_are_left_out_in_their_own_language_only() -> None:
    assert terms_of("What is the price?", "en") == ["price"]
    assert terms_of("Qual é o preço?", "pt-br") == terms_of("preco", "pt-br")
    assert "the" in terms_of("the", "pt-br")


def test_languages_without_spaces_are_cut_into_pairs() -> None:
    assert terms_of("東京都", "ja") == ["東京", "京都"]


def test_letters_with_loose_accents_are_letters() -> None:
    assert words("mare\u0301 café CAFÉ") == ["mare", "cafe", "cafe"]


def test_numbers_of_terms_never_change() -> None:
    assert (term_key("berth"), term_key("mare")) == (117_355_034, 996_023_953)
    assert 0 < term_key("x") < TERM_SPACE


def test_the_language_of_a_question_is_told_by_its_small_words() -> None:
    both = ["en", "pt"]
    assert likely_language(["how", "do", "i", "pay"], both) == "en"
    assert likely_language(["como", "eu", "pago", "o", "boleto"], both) == "pt"
    assert likely_language(["boleto"], both) is None
