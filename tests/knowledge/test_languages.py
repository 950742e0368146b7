"""Language detection: what search and the answerer choose their words by."""

import pytest

from knowledge.languages import detect_language


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
    "text",
    [
        "¿Cuál es el plazo para el reembolso?",
        "La réunion est prévue dans la salle du conseil avec tous les membres de l'équipe.",
        "Wie lange dauert die Rückzahlung und wo kann ich sie beantragen?",
        "会議は来週の月曜日に開催されます。",
    ],
)
def test_other_languages_are_other(text: str) -> None:
    assert detect_language(text) == "other"


@pytest.mark.parametrize("text", ["", "  \n", "12345 678", "--", "ok"])
def test_too_little_text_gets_the_default(text: str) -> None:
    assert detect_language(text) == "other"
    assert detect_language(text, default="pt-br") == "pt-br"


def test_a_long_text_is_judged_by_more_than_its_first_page() -> None:
    portuguese = "O reembolso é pago em cinco dias úteis pela central de atendimento. " * 200
    assert detect_language("The title page is in English, as is the abstract. " + portuguese) == (
        "pt-br"
    )
