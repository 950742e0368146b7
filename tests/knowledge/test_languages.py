"""Language detection: what search and the answerer choose their words by."""

import pytest

from knowledge.analysis import words
from knowledge.languages import detect_language, is_language, language_of


@pytest.mark.parametrize(
    "text",
    [
        "How long do refunds take?",
        "What is the policy on remote work?",
        "The invitation goes out thirty days before the assembly and lists every motion.",
    ],
)
def test_it_knows_english(text: str) -> None:
    assert detect_language(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "Qual é o prazo do reembolso?",
        "Como faço para cancelar a viagem?",
        "Quantos dias de férias posso tirar?",
        "A convocação sai trinta dias antes da assembleia e traz todas as propostas dos membros.",
    ],
)
def test_it_knows_portuguese(text: str) -> None:
    assert detect_language(text) == "pt-br"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("¿Cuál es el plazo para el reembolso?", "es"),
        ("La réunion est prévue dans la salle du conseil avec tous les membres.", "fr"),
        ("Wie lange dauert die Rückzahlung und wo kann ich sie beantragen?", "de"),
        ("Entro quando bisogna pagare la quota del posto barca?", "it"),
        ("Hoe lang duurt het voordat ik mijn geld terug krijg?", "nl"),
        ("Hvor lenge varer møtet?", "no"),
        ("Jak długo trwa zwrot pieniędzy?", "pl"),
        ("Когда состоится общее собрание?", "ru"),
        ("Πότε είναι η συνάντηση;", "el"),
        ("नाव का किराया कितना है?", "hi"),
        ("会議は来週の月曜日に開催されます。", "other"),
    ],
)
def test_it_knows_the_languages_that_have_stemmers(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_a_text_is_analysed_in_its_own_language_whatever_it_is_declared_to_be() -> None:
    spanish = "La cuota de amarre se paga en los diez días desde la factura, y antes del invierno."
    assert language_of("pt-br", words(spanish)) == "es"
    assert language_of("en", words("O prazo é de dez dias.")) == "pt-br"
    assert language_of("es-mx", words(spanish)) == "es-mx"
    # A name is no text.
    assert language_of("en", words("As balsas saem todos os dias do cais norte.")) == "pt-br"
    assert language_of("en", words("Casa de la Rosa de la Luz")) == "en"


@pytest.mark.parametrize("text", ["", "  \n", "12345 678", "--", "ok"])
def test_too_little_text_gets_the_default(text: str) -> None:
    assert detect_language(text) == "other"
    assert detect_language(text, default="pt-br") == "pt-br"


def test_a_long_text_is_judged_by_more_than_its_first_page() -> None:
    portuguese = "O reembolso é pago em cinco dias úteis pela central de atendimento. " * 200
    assert detect_language("The title page is in English, as is the abstract. " + portuguese) == (
        "pt-br"
    )


def test_a_code_is_told_from_what_is_none() -> None:
    for code in ("en", "pt-BR", "zh-Hant-TW", "gsw", "other", "no", "he"):
        assert is_language(code), code
    for code in ("", "xx", "xx-nope", "e", "english", "en_us", "en-", "pt br", "é", "12"):
        assert not is_language(code), code
