"""Scores the units of passages as answers to a question: words, kind of answer, rank. Pure.

A unit's score is the share of the question's words it covers (weighted by how rare they are among
the units, words of its headings at a discount), plus what it gives of the kind of answer asked for
("how many" wants a number), plus a little for the rank of its passage.
"""

import functools
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from project.inference.extractive_units import Unit
from project.inference.extractive_words import (
    ASKS,
    CAUSE_HEADING,
    FRAME,
    GIVES,
    LEANS_BACK,
    STOP,
    STOP_ANY,
)

Similarity = Callable[[str, Sequence[str]], Sequence[float]]

FRAME_WEIGHT = 0.3
LEAD_IN_CREDIT = 0.85
HEADING_CREDIT = 0.7
TITLE_CREDIT = 0.5
BEFORE_CREDIT = 0.6
LEANING_CREDIT = 0.8
RANK_WEIGHT = 0.2
UNKNOWN_NAME_WEIGHT = 1.5
COMPLETED_PLACES = 2
PLAIN_TO_SEE = frozenset({"money", "duration", "number", "time"})
PREFIX_CREDIT = 0.6
PREFIX = 5
_NAME = re.compile(r"(?<=[\w,;] )[A-ZÀ-Ý]\w+")
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|\w+")


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart.

    Weighted terms, pairs of neighbours, the kinds of answer it asks for, and the terms that are
    names (a capital letter inside the sentence).
    """

    text: str
    language: str
    terms: dict[str, float]
    pairs: frozenset[tuple[str, str]]
    kinds: frozenset[str]
    names: frozenset[str]


@dataclass(slots=True)
class Candidate:
    """A unit of one passage, and how well it answers.

    `around` holds the terms of what stands around it, with the credit each place is given.
    """

    passage: int
    position: int
    unit: Unit
    terms: frozenset[str]
    heading_terms: frozenset[str]
    title_terms: frozenset[str]
    around: tuple[tuple[float, frozenset[str]], ...]
    rank_score: float
    score: float = 0.0
    coverage: float = 0.0
    body: float = 0.0
    heading_coverage: float = 0.0
    fits: bool = False
    similarity: float | None = None


def candidates_of(
    question: Question, passage: int, units: Sequence[Unit], title: str, rank_score: float
) -> list[Candidate]:
    """Return the candidates of one passage; `rank_score` 0-1."""

    def terms(text: str) -> frozenset[str]:
        return frozenset(terms_of(text, question.language))

    found: list[Candidate] = []
    title_terms = terms(title)
    for position, unit in enumerate(units):
        before = found[-1].terms if found and found[-1].unit.block == unit.block else frozenset()
        heading = terms(unit.heading)
        leans = bool(LEANS_BACK.match(unit.text))
        around = (
            # What the unit completes, and what comes with it into the answer, first:
            (LEAD_IN_CREDIT, terms(unit.lead_in)),
            (LEANING_CREDIT, before if leans else frozenset()),
            (BEFORE_CREDIT, before),
            (HEADING_CREDIT, heading),
            (TITLE_CREDIT, title_terms),
        )
        own = terms(unit.text)
        found.append(
            Candidate(passage, position, unit, own, heading, title_terms, around, rank_score)
        )
    return found


def base_language(language: str) -> str:
    """Return "pt" for pt-br and its like, "en" for everything else."""
    return "pt" if language.lower().startswith("pt") else "en"


def fold(text: str) -> str:
    """Return the text in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def terms_of(text: str, language: str) -> list[str]:
    """Return the stemmed content words of a text, in order."""
    stem = _stemmer(base_language(language))
    words = _TOKEN.findall(unicodedata.normalize("NFC", text.casefold()))
    return [fold(stem(word)) for word in words if fold(word) not in STOP_ANY]


def understand(question: str, language: str) -> Question:
    """Take a question apart."""
    base = base_language(language)
    stem = _stemmer(base)
    weights: dict[str, float] = {}
    ordered: list[str] = []
    for word in _TOKEN.findall(unicodedata.normalize("NFC", question.casefold())):
        plain = fold(word)
        if plain in STOP[base] or plain in STOP_ANY:
            continue
        term = fold(stem(word))
        ordered.append(term)
        weights.setdefault(term, FRAME_WEIGHT if plain in FRAME else 1.0)
    kinds = {kind for kind, asks in ASKS.items() if asks.search(question)}
    if len(kinds) > 1:
        kinds.discard("steps")  # "how do I get a refund, and when" is answered by the when
    if kinds & {"money", "duration"}:
        kinds.discard("number")
    names = frozenset(fold(stem(name.casefold())) for name in _NAME.findall(question))
    pairs = frozenset(pairwise(ordered))
    return Question(question, base, weights, pairs, frozenset(kinds), names)


def scored(question: Question, candidates: list[Candidate]) -> list[Candidate]:
    """Set the scores of candidates by words, kind and rank; return them best first."""
    weights = _weights(question, candidates)
    total = sum(weights.values()) or 1.0
    for each in candidates:
        _score(question, each, weights, total)
    return sorted(candidates, key=lambda each: -each.score)


def add_similarity(question: Question, best: list[Candidate], similarity: Similarity) -> None:
    """Let an embedding model judge the best candidates too (in place)."""
    texts = [f"{each.unit.lead_in or each.unit.heading} {each.unit.text}" for each in best]
    for each, value in zip(best, similarity(question.text, texts), strict=True):
        each.similarity = float(value)
        each.score += 0.3 * max(0.0, float(value))
    best.sort(key=lambda each: -each.score)


def _weights(question: Question, candidates: Iterable[Candidate]) -> dict[str, float]:
    seen: Counter[str] = Counter()
    count = 0
    for each in candidates:
        count += 1
        seen.update(each.terms)
    weights = {}
    for term, weight in question.terms.items():
        # A word that stands nowhere weighs no more than one that stands once, unless it is a name:
        # what is said of another country does not answer a question about France.
        rarity = seen[term] or (0 if term in question.names else 1)
        weights[term] = weight * math.log(1 + (count + 1) / (rarity + 0.5))
        if not seen[term] and term in question.names:
            weights[term] *= UNKNOWN_NAME_WEIGHT
    return weights


def _score(question: Question, each: Candidate, weights: dict[str, float], total: float) -> None:
    body = coverage = heading = 0.0
    for term, weight in weights.items():
        inside = _credit(term, each.terms)
        places = [credit * _credit(term, terms) for credit, terms in each.around]
        body += weight * max(inside, *places[:COMPLETED_PLACES])
        coverage += weight * max(inside, *places)
        heading += weight * _credit(term, each.heading_terms)
    each.body, each.coverage = body / total, coverage / total
    each.heading_coverage = heading / total
    each.fits = _fits(question, each.unit)
    each.score = 0.45 * each.body + 0.55 * each.coverage + RANK_WEIGHT * each.rank_score
    each.score += _pairs_bonus(question, each) + _shape_bonus(question, each)


def _pairs_bonus(question: Question, each: Candidate) -> float:
    if not question.pairs:
        return 0.0
    own = terms_of(each.unit.text, question.language)
    shared = question.pairs & set(pairwise(own))
    return 0.1 * len(shared) / len(question.pairs)


def _shape_bonus(question: Question, each: Candidate) -> float:
    bonus = 0.0
    if question.kinds & PLAIN_TO_SEE:
        bonus += 0.16 if each.fits else -0.14
    elif each.fits:
        bonus += 0.1
    if "steps" in question.kinds and each.unit.kind == "step":
        bonus += 0.08
    if each.unit.is_pointer:
        bonus -= 0.2
    words = each.unit.text.count(" ") + 1
    if words > 60:
        bonus -= 0.1
    if words < 4 and each.unit.kind == "sentence":
        bonus -= 0.15
    if each.unit.text.endswith(":"):
        bonus -= 0.12
    if each.position == 0:
        bonus += 0.03
    return bonus


def _fits(question: Question, unit: Unit) -> bool:
    """Return whether a unit holds the kind of answer asked for; a heading may say it is a cause."""
    kinds = question.kinds - {"steps"}
    if "cause" in kinds and CAUSE_HEADING.search(unit.heading):
        return True
    return any(GIVES[kind].search(unit.text) for kind in kinds)


def _credit(term: str, terms: frozenset[str]) -> float:
    """Return 1 for the word itself, a part of it for a word that begins like it, else 0."""
    if term in terms:
        return 1.0
    if len(term) < PREFIX:
        return 0.0
    start = term[:PREFIX]
    return PREFIX_CREDIT if any(other.startswith(start) for other in terms) else 0.0


@functools.cache
def _stemmer(language: str) -> Callable[[str], str]:
    import Stemmer

    stemmer: Any = Stemmer.Stemmer("portuguese" if language == "pt" else "english")
    stem: Callable[[str], str] = stemmer.stemWord
    return stem
