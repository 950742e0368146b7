"""The extractive answerer on realistic passages in English and Portuguese."""

import pytest

from project.inference.extractive import ExtractiveAnswer, Passage, extract_answer
from project.inference.extractive_units import units_of
from project.inference.sentences import sentence_spans

LEAVE = Passage(
    1,
    "Paid Leave Policy",
    """## Entitlement

Full-time employees receive **25 days** of paid leave per calendar year. Part-time employees receive
a share in proportion to their hours. Unused leave of up to 5 days may be carried over until
31 March.

## How to request leave

1. Open the [People portal](https://people.example/leave) and choose *Request leave*.
2. Enter the first and the last day and name a colleague who covers for you.
3. Your manager answers within 3 working days.

See [[Public Holidays]].
""",
    0.9,
)
EXPENSES = Passage(
    2,
    "Travel Expenses",
    """Claims are paid within 10 working days, i.e. two weeks, after approval by the Finance Lead.

| Expense | Limit in Brazil | Limit abroad |
| --- | --- | --- |
| Hotel | R$ 240 a night | US$ 150 a night |
| Meals | R$ 90 a day | US$ 60 a day |

Receipts are not needed for:

- taxi rides below R$ 30
- public transport
- tips up to R$ 10
""",
    0.6,
)
OUTAGE = Passage(
    3,
    "Incident: Mail Outage, May 2026",
    """On 4 May 2026 no mail was delivered for 3 hours. It affected 1,200 people.

## Cause

A certificate of the mail server had expired during the night.
""",
    0.5,
)
FERIAS = Passage(
    1,
    "Férias e folgas",
    """Cada funcionário tem 30 dias de férias por ano, que podem ser divididos em até três períodos.
Um deles precisa ter pelo menos 14 dias seguidos.

## Como marcar

1. Combine as datas com a equipe e peça no sistema até 30 de setembro.
2. A chefia responde em 10 dias úteis.
3. O calendário sai em 31 de outubro.
""",
    0.9,
)
RAMAIS = Passage(
    2,
    "Ramais",
    """O suporte de TI atende no ramal 230, das 8h às 18h, na sala 4 do 2º andar. O Sr.
Prado responde pela equipe. Fora do horário, ligue para o plantão.

- **Esqueci a senha. O que faço?** Clique em “Esqueci a senha” na tela de entrada.
""",
    0.4,
)
ENGLISH = [LEAVE, EXPENSES, OUTAGE]
PORTUGUESE = [FERIAS, RAMAIS]


def ask(question: str, passages: list[Passage] = ENGLISH, language: str = "en") -> ExtractiveAnswer:
    answer = extract_answer(question, passages, language=language)
    by_index = {passage.index: passage.text for passage in passages}
    for part in answer.parts:
        quoted = by_index[part.citation][part.start : part.end]
        first_word = part.text.split()[0].strip(".,;:“")
        assert first_word in quoted
        assert f"[{part.citation}]" in answer.text
    return answer


def quotes(answer: ExtractiveAnswer) -> list[str]:
    return [part.text for part in answer.parts]


def test_it_answers_with_the_sentence_and_says_what_it_is() -> None:
    answer = ask("How many days of paid leave do full-time employees receive?")
    assert answer.text == (
        "Found in the knowledge base:\n\n"
        "Full-time employees receive 25 days of paid leave per calendar year. [1]\n\n"
        "*Extractive answer: sentences quoted from the sources, without a language model.*"
    )
    assert answer.is_found
    assert answer.citations == (1,)
    (part,) = answer.parts
    assert LEAVE.text[part.start : part.end].startswith("Full-time employees receive **25 days**")
    assert "\n\n".join(answer.blocks) == answer.text


@pytest.mark.parametrize(
    ("question", "expected", "citation"),
    [
        ("Until when may unused leave be carried over?", "31 March", 1),
        ("Who approves expense claims?", "Finance Lead", 2),
        ("How long does it take until claims are paid?", "10 working days, i.e. two weeks", 2),
        ("What is the limit for a hotel abroad?", "US$ 150 a night", 2),
        ("How much may meals cost in Brazil?", "R$ 90 a day", 2),
        ("How many people were affected by the mail outage?", "1,200", 3),
    ],
)
def test_facts_in_english(question: str, expected: str, citation: int) -> None:
    answer = ask(question)
    assert expected in answer.parts[0].text or expected in answer.parts[-1].text
    assert answer.parts[0].citation == citation
    assert len(answer.parts) <= 2


@pytest.mark.parametrize(
    ("question", "expected", "citation"),
    [
        ("Quantos dias de férias eu tenho por ano?", "30 dias de férias", 1),
        ("Em quantos períodos posso dividir as férias?", "até três períodos", 1),
        ("Qual é o ramal do suporte de TI?", "ramal 230", 2),
        ("A que horas o suporte de TI atende?", "das 8h às 18h", 2),
        ("Quem responde pela equipe de suporte?", "Sr. Prado", 2),
        ("quantos dias de ferias tenho", "30 dias de férias", 1),
    ],
)
def test_facts_in_portuguese(question: str, expected: str, citation: int) -> None:
    answer = ask(question, PORTUGUESE, "pt-br")
    assert any(expected in quote for quote in quotes(answer))
    assert answer.parts[0].citation == citation
    assert answer.text.startswith("Encontrado na base de conhecimento:")
    assert "sem modelo de linguagem" in answer.text


def test_steps_come_whole_and_in_order() -> None:
    answer = ask("How do I request leave?")
    assert answer.blocks[1] == (
        "1. Open the People portal and choose Request leave. [1]\n"
        "2. Enter the first and the last day and name a colleague who covers for you. [1]\n"
        "3. Your manager answers within 3 working days. [1]"
    )


def test_a_short_list_comes_with_the_sentence_it_completes() -> None:
    answer = ask("For which expenses are receipts not needed?")
    assert quotes(answer) == [
        "Receipts are not needed for:",
        "taxi rides below R$ 30",
        "public transport",
        "tips up to R$ 10",
    ]


def test_a_table_row_names_its_columns() -> None:
    answer = ask("What is the hotel limit?")
    assert quotes(answer)[0] == (
        "Hotel — Limit in Brazil: R$ 240 a night; Limit abroad: US$ 150 a night"
    )


def test_a_cause_is_added_to_what_happened() -> None:
    answer = ask("Why was no mail delivered in May 2026?")
    assert quotes(answer) == [
        "On 4 May 2026 no mail was delivered for 3 hours.",
        "A certificate of the mail server had expired during the night.",
    ]


def test_a_sentence_that_leans_back_brings_the_one_before() -> None:
    answer = ask("How many people were affected by the mail outage?")
    assert quotes(answer) == [
        "On 4 May 2026 no mail was delivered for 3 hours.",
        "It affected 1,200 people.",
    ]


def test_a_question_in_the_text_is_answered_by_what_follows_it() -> None:
    answer = ask("Esqueci a senha, o que faço?", PORTUGUESE, "pt-br")
    assert "Clique em" in answer.text


@pytest.mark.parametrize(
    ("question", "language", "passages", "sentence"),
    [
        ("What is the capital of France?", "en", ENGLISH, "I found nothing about this"),
        ("Who won the world cup in 1998?", "en", ENGLISH, "I found nothing about this"),
        ("How do I bake bread?", "en", ENGLISH, "I found nothing about this"),
        ("Quem descobriu o Brasil?", "pt-br", PORTUGUESE, "Não encontrei nada sobre isso"),
        ("Qual a receita de bolo?", "pt-br", PORTUGUESE, "Não encontrei nada sobre isso"),
        ("Anything?", "fr", [], "I found nothing about this"),
        ("", "en", ENGLISH, "I found nothing about this"),
        ("🙂 ?!", "en", ENGLISH, "I found nothing about this"),
    ],
)
def test_without_evidence_it_says_so_and_cites_nothing(
    question: str, language: str, passages: list[Passage], sentence: str
) -> None:
    answer = ask(question, passages, language)
    assert answer.text.startswith(sentence)
    assert (answer.is_found, answer.parts, answer.citations) == (False, (), ())
    assert "[" not in answer.text


def test_the_same_sentence_is_not_said_twice() -> None:
    twin = Passage(2, "Copy of the policy", LEAVE.text, 0.8)
    answer = ask("How many days of paid leave do full-time employees receive?", [LEAVE, twin])
    assert quotes(answer) == [
        "Full-time employees receive 25 days of paid leave per calendar year."
    ]


def test_meaning_may_be_judged_by_a_model() -> None:
    asked: list[int] = []

    def similarity(_question: str, texts: list[str]) -> list[float]:
        asked.append(len(texts))
        return [0.9 if "carried over" in text else 0.0 for text in texts]

    answer = extract_answer("Can leave be postponed?", ENGLISH, similarity=similarity)
    assert "carried over until 31 March" in answer.text
    assert "carried over" not in ask("Can leave be postponed?").text
    assert len(asked) == 1
    assert asked[0] <= 12


def test_marks_inside_a_source_are_not_taken_for_citations() -> None:
    passage = Passage(1, "Study", "The mean depth of the harbour is 12 metres [7].", 1.0)
    answer = ask("What is the mean depth of the harbour?", [passage])
    assert "12 metres (7). [1]" in answer.text


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Call Dr. Silva at 9 a.m. on Monday. She knows.", 2),
        ("It costs R$ 1.200,50 i.e. a lot. Pay it!", 2),
        ("Fale com a Sra. Prado (ramal 230). O prazo é dia 5.", 2),
        ("Veja o art. 5 da norma. Depois, assine.", 2),
        ("J. R. Costa wrote it. Who read it? Nobody…", 3),
        ("Bring paper, pens, etc. to the room. Then wait.", 2),
        ("Version 2.1 is out. See v. 3 etc. The end.", 3),
        ("Sem ponto final", 1),
        ("“Stop!” she said. “Now.” He stopped.", 3),
    ],
)
def test_sentences_end_where_people_end_them(text: str, sentences: int) -> None:
    spans = list(sentence_spans(text))
    assert len(spans) == sentences
    assert "".join(text[start:end] for start, end in spans) == "".join(
        text[start:end] for start, end in spans
    )
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


def test_units_point_into_their_passage() -> None:
    units = units_of(EXPENSES.text)
    assert [unit.kind for unit in units] == ["sentence", "row", "row", "sentence", *["item"] * 3]
    assert EXPENSES.text[units[1].start : units[1].end] == (
        "| Hotel | R$ 240 a night | US$ 150 a night |"
    )
    assert units[4].lead_in == "Receipts are not needed for:"
    assert units_of("```\ncode | not prose.\n```\n\n# Only a heading\n") == []
    assert units_of("") == []


def test_a_hostile_passage_is_handled_in_time() -> None:
    nasty = "| " * 5000 + "\n" + "**" * 5000 + "\n" + "[[" * 5000 + "\n" + "a. " * 20000
    answer = extract_answer("What is a?", [Passage(1, "x", nasty, 1.0)])
    assert isinstance(answer, ExtractiveAnswer)
