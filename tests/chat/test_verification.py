"""Whether what an answer states stands in what it cites, and how a reader is told."""

import re
import uuid
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chat.answering.checking import checked, verification_of
from chat.answering.confidence import confidence_in, is_about_the_talk, is_small_talk
from chat.answering.stated import statements
from chat.answering.unknown import unknown_answer
from chat.answering.verifying import settled
from chat.confidence import calibrated
from chat.rendering import render_answer
from chat.types import Passage
from project.markdown import render_markdown

FERRY = (
    "The ferry to Ponta Velia sails at nine every morning. Dogs travel free of charge. "
    "Adults pay 10 euros and children pay 5 euros. Bicycles are not allowed in July."
)
BALSA = "A balsa sai às 9h todos os dias. Cães viajam de graça. Bicicletas não embarcam em julho."


def passage(text: str, language: str = "en", number: int = 1, **extra: object) -> Passage:
    fields: dict[str, object] = {
        "node": uuid.UUID(int=number),
        "version": 1,
        "chunk": uuid.UUID(int=number),
        "title": "Timetable",
        "heading_path": (),
        "text": text,
        "start": 0,
        "end": len(text),
        "page": None,
        "url": f"/knowledge/nodes/{number}/",
        "language": language,
        "score": 1.0,
    }
    return Passage(**{**fields, **extra})  # type: ignore[arg-type]


def verdicts(answer: str, *texts: str, language: str = "en") -> list[tuple[str | None, str]]:
    cited = {number: passage(text, language) for number, text in enumerate(texts, 1)}
    return [(each.grade, each.reason) for each in checked(answer, cited, language)]


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ("dogs travel **free** of charge [1].", ("supported", "quoted")),
        ("Every morning the ferry to Ponta Velia sails at nine [1].", ("supported", "words")),
        ("The ferry to Ponta Velia sails at ten every morning [1].", ("unsupported", "numbers")),
        ("Adults pay 5 euros and children pay 10 euros [1].", ("unsupported", "numbers")),
        ("The ferry to Porto Velho sails at nine every morning [1].", ("unsupported", "names")),
        ("Bicycles are allowed in July [1].", ("unsupported", "negation")),
        ("Bicycles are not allowed in June [1].", ("unsupported", "names")),
        ("Each evening the ferry to Ponta Velia sails at nine [1].", ("unsupported", "sides")),
        ("The captain greets every guest with lemonade [1].", ("unsupported", "words")),
        (
            "Dogs travel free of charge, and cats receive a small blanket [1].",
            ("partly", "more than the source"),
        ),
    ],
)
def test_a_statement_is_held_against_the_clause_that_is_about_the_same(statement, verdict):
    assert verdicts(statement, FERRY) == [verdict]


def test_portuguese_is_read_too_and_other_languages_by_their_numbers_and_names():
    answer = "Cães viajam de graça [1]. Bicicletas embarcam em julho [1]. A balsa sai às 8h [1]."
    assert [grade for grade, _reason in verdicts(answer, BALSA, language="pt-br")] == [
        "supported", "unsupported", "unsupported",
    ]  # fmt: skip
    crossing = "A balsa custa 10 euros [1]. A balsa custa 12 euros [1]. Cães viajam no convés [1]."
    cited = {1: passage(FERRY)}
    found = checked(crossing, cited, "pt-br")
    assert [each.grade for each in found] == ["supported", "unsupported", None]
    assert len(verification_of(found)["sentences"]) == 2


def test_marks_stand_for_the_sentences_they_follow_and_end():
    answer = (
        "Here is what I found:\n\nDogs travel free. Cats travel free too [1]. Birds pay extra. [2]"
        "\n\n- Tickets are sold on board\n- Ask the steward on deck [3]\n\nDo you need more?"
    )
    found = [(answer[each.start : each.end], each.citations) for each in statements(answer, "en")]
    assert found == [
        ("Dogs travel free.", (1,)),
        ("Cats travel free too [1].", (1,)),
        ("Birds pay extra. [2]", (2,)),
        ("Tickets are sold on board", ()),
        ("Ask the steward on deck [3]", (3,)),
    ]


def test_what_says_nothing_of_the_subject_is_not_counted():
    answer = (
        "The knowledge base does not say when. I don't know more about it. Let me know if that"
        " helps. A base de conhecimento não diz quando."
    )
    assert statements(answer, "en") == []


def test_without_a_citation_nothing_is_wholly_supported():
    found = checked("Dogs travel free of charge.", {}, "en", sent=[passage(FERRY)])
    found += checked("Cats eat the captain's lunch.", {}, "en", sent=[passage(FERRY)])
    assert [(each.grade, each.reason, each.citations) for each in found] == [
        ("partly", "uncited", ()),
        ("unsupported", "uncited", ()),
    ]
    assert verification_of(found)["share"] == 0.25


def test_meaning_lifts_and_lowers_only_what_the_words_leave_in_doubt():
    (verdict,) = checked(
        "Morning ferries leave for Ponta Velia daily [1].", {1: passage(FERRY)}, "en"
    )
    assert (verdict.reason, verdict.is_in_doubt) == ("words", True)
    assert settled(verdict, 0.9).grade == "supported"
    assert settled(verdict, 0.1).grade == "partly"
    (sure,) = checked("Dogs travel at 7 [1].", {1: passage(FERRY)}, "en")
    assert not sure.is_in_doubt


def _marked(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    found = [{"start": start, "end": end, "verdict": verdict} for start, end, verdict in spans]
    return render_answer(text, ["/a", "/b"], {"sentences": found})


def test_a_mark_in_words_stands_behind_a_sentence_and_nothing_is_hidden():
    text = "**It sails at ten [1].** Dogs pay ⁅0⁆ nothing [2]."
    html = _marked(text, [(0, 24, "unsupported"), (25, len(text), "partly")])
    assert html.count('class="claim-mark claim-unsupported" role="note"') == 1
    assert "not in its sources</span>" in html
    assert "only partly in its sources</span>" in html
    assert "<strong>It sails at ten" in html
    assert "⁅0⁆ nothing" in html
    assert render_answer(text, ["/a", "/b"], {"sentences": []}) == render_answer(text, ["/a", "/b"])
    table = "| What | Price |\n|---|---|\n| Dogs | 12 |\n"
    start = table.index("| Dogs")
    html = _marked(table, [(start, len(table) - 1, "unsupported")])
    assert "12 <span" in html
    assert html.count("<td") == 2


@given(st.text(st.sampled_from("ab ⁅⁆0"), max_size=40), st.integers(1, 40))
def test_marks_change_nothing_else_of_a_text(text, place):
    plain = text.strip()
    assume(plain)
    html = _marked(plain, [(0, min(place, len(plain)), "partly")])
    assert html.count("claim-partly") == 1
    bare = re.sub(r" <span class=.claim.*?</span>", "", html)
    shown = render_markdown(plain, citation_urls=["/a", "/b"])
    assert "".join(bare.split()) == "".join(shown.split())


def test_confidence_is_the_best_fused_score_and_small_talk_needs_none():
    signals = {"vector": {"similarity": 0.5}, "keyword": {"match": 0.25}, "fused": 0.375}
    found = confidence_in([passage("x", signals=signals), passage("y", score=0.2)], 0.3)
    assert (found.score, found.nearest, found.match, found.is_enough) == (0.375, 0.5, 0.25, True)
    assert not confidence_in([], 0.3).is_enough
    assert all(map(is_small_talk, ("Hello!", "Bom dia, obrigado", "thanks a lot", "ok")))
    assert not any(map(is_small_talk, ("Hello, when does the ferry sail?", "no dogs?")))
    assert is_about_the_talk("Translate your last answer, please")
    assert not is_about_the_talk("When does the ferry sail?")


def test_what_is_not_known_is_said_in_the_language_with_the_nearest_nodes():
    near = [passage("x", number=n, title=f"Page [{n}] *") for n in (1, 1, 2, 3, 4)]
    said = unknown_answer(near, "pt-br")
    assert said.startswith("Não sei")
    assert said.count("](/knowledge/nodes/") == 3
    html = render_markdown(said)
    assert html.count("<a ") == 3
    assert "Page [1] *</a>" in html
    assert unknown_answer(near, "en").startswith("I don't know")
    assert "](" not in unknown_answer([], "en")


def test_a_threshold_lets_nearly_all_through_and_stops_as_many_others_as_it_can():
    found = [0.5 + n / 100 for n in range(40)]
    best = calibrated(found, [0.1 + n / 100 for n in range(30)])
    assert best.threshold == pytest.approx(0.445)
    assert (best.answered, best.refused, best.questions) == (1.0, 1.0, 40)
    mixed = calibrated(found, found)
    assert mixed.answered >= 0.95
    assert calibrated([0.4], [0.4]).answered == 1.0
