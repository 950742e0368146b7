"""The pure parts of the checks: sentences, shingles, syllables, claims."""

import pytest

from knowledge.quality.claims import Value, claim_of
from knowledge.quality.contradictions import clash_of
from knowledge.quality.readability import readability, syllable_count
from knowledge.quality.scoring import score_of, weight_of
from knowledge.quality.sentences import sentences
from knowledge.quality.texts import bands, hash_of, jaccard, normalised, shingles

TEXT = """# Fees

A berth costs R$ 12,50 a night, i.e. one euro. Pay **at the desk**; see [[Harbour office]].

- [ ] Ring Dr. Silva first!
- Then go home

```
No sentence. At all.
```

| Boat | Price |
|------|-------|
| small | R$ 5 |
| [[Big boats\\|big]] | R$ 9 |
"""


def test_sentences_stand_where_they_say() -> None:
    found = sentences(TEXT)
    assert [each.text for each in found] == [
        "A berth costs R$ 12,50 a night, i.e. one euro.",
        "Pay at the desk;",
        "see Harbour office.",
        "Ring Dr. Silva first!",
        "Then go home",
        "small | R$ 5",
        "big | R$ 9",
    ]
    assert TEXT[found[1].start : found[1].end] == "Pay **at the desk**;"
    assert TEXT[found[6].start : found[6].end] == "| [[Big boats\\|big]] | R$ 9 |"
    assert {each.headings for each in found} == {("Fees",)}
    assert (found[6].header, found[0].header) == ("Boat | Price", "")
    assert found[2].said == "see ."  # the title of another text says nothing of this one
    assert sentences("") == []


def test_markup_case_and_accents_do_not_change_the_print_of_a_text() -> None:
    assert normalised("# Café *frio*\n\n- com  leite") == "cafe frio com leite"
    assert hash_of(normalised(" * ")) == "" != hash_of("a")
    assert normalised("A [link](https://x.example/)!") == "a link"


def test_similar_texts_share_a_band_and_others_do_not() -> None:
    words = [f"word{number}" for number in range(400)]
    text = shingles(" ".join(words))
    near = shingles(" ".join(["other" if n % 40 == 0 else w for n, w in enumerate(words)]))
    far = shingles(" ".join(f"else{number}" for number in range(400)))
    assert 0.6 < jaccard(text, near) < 0.95
    assert set(bands(text)) & set(bands(near))
    assert not set(bands(text)) & set(bands(far))
    assert bands(text) == bands(text)
    assert bands(frozenset()) == []


@pytest.mark.parametrize(
    ("word", "language", "count"),
    [
        ("harbour", "en", 2), ("boats", "en", 1), ("made", "en", 1), ("little", "en", 2),
        ("wanted", "en", 2), ("used", "en", 1), ("organization", "en", 5),
        ("pão", "pt-br", 1), ("saúde", "pt-br", 3), ("cooperativa", "pt-br", 6),
        ("quando", "pt-br", 2), ("ideia", "pt-br", 3), ("país", "pt-br", 2), ("água", "pt", 2),
    ],
)  # fmt: skip
def test_syllables_are_counted(word: str, language: str, count: int) -> None:
    assert syllable_count(word, language) == count


def test_reading_ease_falls_with_longer_sentences_and_words() -> None:
    plain = "The man sat in the sun and ate his bread. "
    stiff = "Institutional accountability necessitates documentation of communication. "
    easy, hard = (readability(sentences(text * 12), "en") for text in (plain, stiff))
    assert easy is not None
    assert hard is not None
    assert easy.ease > 90 > 20 > hard.ease
    assert easy.words_a_sentence == 10
    assert readability(sentences("Too few words to say."), "en") is None
    assert readability(sentences("Der Mann isst sein Brot in der Sonne. " * 20), "de") is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("It costs R$ 1.200,50 or 12 %.", {("money", 1200.5, ""), ("percent", 12, "")}),
        ("At most two hours, at least 10 working days.",
         {("minute", 120, "at most"), ("working minute", 14400, "at least")}),
        ("Até 5 dias úteis, das 9h às 18h30.",
         {("working minute", 7200, "at most"), ("time", 540, ""), ("time", 1110, "")}),
        ("Open from 10 am to 5:30 pm on 1 March.",
         {("time", 600, ""), ("time", 1050, ""), ("date", 301, "")}),
        ("In 2024, on 2024-05-06.", {("year", 2024, ""), ("date", 506, "")}),
        ("Parking is free of charge.", {("money", 0, "")}),
        ("Line 2 calls extension 700 twice.", {("extension", 700, ""), ("#times", 2, "")}),
    ],
)  # fmt: skip
def test_numbers_are_read_with_their_units(text: str, values: set[tuple[str, float, str]]) -> None:
    (sentence,) = sentences(text)
    claim = claim_of(sentence, "", "pt" if "dias" in text else "en")
    assert claim.values == {Value(*each) for each in values}


def clash(here: str, there: str, language: str = "en") -> str | None:
    claims = [claim_of(sentences(text)[0], "", language) for text in (here, there)]
    found = clash_of(*claims)
    assert (found is None) == (clash_of(*reversed(claims)) is None)
    return found.kind if found and found.is_sure else None


def test_statements_of_different_things_do_not_clash() -> None:
    assert clash("A guest pays 5 euros a night.", "A guest pays 8 euros a night.") == "numbers"
    assert clash("In 2025 a guest paid 5 euros.", "In 2026 a guest paid 8 euros.") is None
    assert clash("Line 1 costs 5 euros a day.", "Line 2 costs 8 euros a day.") is None
    assert clash("Adults pay 5 euros a night.", "Children pay 8 euros a night.") is None
    assert clash("The desk opens at 8:00 daily.", "The desk was opened at 9:00 daily.") is None
    assert clash("Guests must wear a badge.", "Guests may wear a badge.") == "modality"
    assert clash("Guests must wear a badge.", "Guests must not wear a badge.") == "modality"
    assert clash("Dogs may enter the hall.", "Dogs may enter the hall, except at noon.") is None
    assert clash("O hóspede deve usar crachá.", "O hóspede não deve usar crachá.", "pt") == (
        "modality"
    )
    assert clash("O salão é alugado a sócios.", "O salão não é alugado a sócios.", "pt") == (
        "negation"
    )


def test_the_score_falls_by_points_and_not_below_nothing() -> None:
    assert score_of([]) == 100
    assert score_of(["broken_link"]) == 92
    assert score_of(["broken_link"] * 10) == 76
    assert score_of(["empty", "missing_title", "missing_owner"]) == 0
    assert score_of(["a code that is gone"]) == 100
    assert weight_of(0) == 1 < weight_of(3)
