"""Whether passages say what an answer states, sentence by sentence. Pure.

1. A sentence of a passage, word for word, is supported.
2. Numbers, names, and words with a number ("line 2") must stand in the passages that are cited.
3. Each clause is compared with the clause of the passages that is most about the same: another
   number of the same unit, another bound, a denial more or less, an opposite, or another side
   (summer for winter) is a contradiction, however many words agree.
4. What is left is decided by the words: how many of a statement's stand in one sentence of the
   passages or two that follow each other, and how many anywhere in them. Where that leaves doubt,
   an embedding model may be asked how near the two are (`settled`).

Of a passage in another language only numbers and names can be compared. The thresholds come from
benchmarks/citation_quality.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from chat.answer_cache.guards import RELATIVE, are_of_other_sides, names_of
from chat.answer_cache.opposites import POLES
from chat.answering.evidence import Evidence, Piece, bare, best_of, clauses_of, covered, piece_of
from chat.answering.stated import Stated
from knowledge.analysis import base_language, fold, term_of
from knowledge.quality.claims import Claim, Value
from knowledge.quality.vocabulary import EXEMPTION, OBLIGATION, PERMISSION, PROHIBITION

Grade = Literal["supported", "partly", "unsupported"]

HIGH, LOW = 0.66, 0.42
"""Of the words' agreement, 0 to 1: from here on supported, below that unsupported."""
NEAR, FAR = 0.74, 0.45
"""Cosines that lift a statement in doubt, or let it fall."""
DOUBT = 0.12
"""How far around both thresholds of the words an embedding model is asked."""
SAME_MATTER = 0.6
SAME_LENGTH = 0.4
"""Share of a clause's words that the other must have before a denial in it tells anything."""
ADDED = 0.34
"""Share of a clause's words below which it says something that the passages do not."""
IN_ONE_PLACE = 0.6
_DIGITS = re.compile(r"\d+(?:[.,:/-]\d+)*")
_UNLESS = re.compile(r"\b(?:unless|a menos que|a nao ser que|exceto se|salvo se)\b")
_SIDE = {
    "nightly": "night", "daytime": "day", "noturno": "noite", "noturna": "noite", "diurno": "dia",
    "diariamente": "diaria", "diario": "diaria", "annually": "annual", "yearly": "annual",
}  # fmt: skip
_READ = frozenset({"en", "pt"})


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict on a statement; `reason` names what decided, `source` is the nearest text.

    `grade` is None where nothing can be compared. `citations` are those that it was checked
    against.
    """

    statement: Stated
    grade: Grade | None
    reason: str
    agreement: float = 0.0
    source: str = ""
    citations: tuple[int, ...] = ()
    similarity: float | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Whether the words alone decided, and not clearly."""
        return self.reason == "words" and (
            min(abs(self.agreement - HIGH), abs(self.agreement - LOW)) < DOUBT
        )


def judged(statement: Stated, cited: Mapping[int, Evidence], language: str) -> Judged:
    """Compare a statement with the passages that stand for it, by number of citation."""
    spoken = base_language(language)
    piece = piece_of(statement.text, spoken)
    readable = {number: each for number, each in cited.items() if each.language == spoken}
    verdict = Judged(statement, "unsupported", "uncited", citations=tuple(cited))
    if not cited:
        return verdict
    held = list(cited.values())
    if any(bare(statement.text) in each.quotes for each in held):
        return replace(verdict, grade="supported", reason="quoted", agreement=1.0)
    if missing := _missing(statement.text, piece, held):
        return replace(verdict, reason=missing)
    if not readable:
        has_facts = bool(piece.claim.values or names_of(statement.text))
        return replace(verdict, grade="supported" if has_facts else None, reason="other language")
    return _by_words(verdict, piece, list(readable.values()), spoken)


def settled(verdict: Judged, similarity: float) -> Judged:
    """Return a verdict in doubt as an embedding model sees it: a grade up, a grade down, as is."""
    grade = verdict.grade
    if similarity >= NEAR:
        grade = "supported" if verdict.agreement >= LOW else "partly"
    elif similarity < FAR:
        grade = "partly" if grade == "supported" else "unsupported"
    return replace(verdict, grade=grade, similarity=round(similarity, 4), reason="meaning")


def _by_words(verdict: Judged, piece: Piece, held: Sequence[Evidence], spoken: str) -> Judged:
    """Judge against passages in the language of the statement."""
    above = frozenset[str]().union(*(each.above for each in held))
    singles = [each for evidence in held for each in evidence.sentences]
    pairs = [each for evidence in held for each in evidence.pairs]
    nearest = best_of([*singles, *pairs], piece.terms, above)
    if nearest is None:
        return replace(verdict, reason="words")
    whole = frozenset[str]().union(above, *(each.terms for each in singles))
    in_one = _share(piece, nearest.terms | above, [nearest])
    anywhere = _share(piece, whole, singles)
    agreement = round(IN_ONE_PLACE * in_one + (1 - IN_ONE_PLACE) * anywhere, 4)
    source = best_of(singles, piece.terms, above) or nearest
    verdict = replace(verdict, agreement=agreement, source=source.text)
    clauses = [each for evidence in held for each in evidence.clauses]
    if spoken in _READ and (clash := _clash(piece, clauses, singles, above, spoken)):
        is_near = clash == "place of numbers" and _holds_values(piece, nearest)
        if not is_near:
            grade: Grade = "partly" if clash in {"modality", "place of numbers"} else "unsupported"
            return replace(verdict, grade=grade, reason=clash)
    if agreement >= LOW and _has_more(piece, whole, spoken):
        return replace(verdict, grade="partly", reason="more than the source")
    grade = "supported" if agreement >= HIGH else "partly" if agreement >= LOW else "unsupported"
    return replace(verdict, grade=grade, reason="words")


def _share(piece: Piece, held: frozenset[str], there: Sequence[Piece]) -> float:
    """Return which share of the words and numbers of a statement is there; all of none."""
    values = [any(_same(each, other) for at in there for other in _of(at)) for each in _of(piece)]
    whole = len(piece.terms) + len(values)
    return (len(piece.terms & held) + sum(values)) / whole if whole else 1.0


# -- what must be there ----------------------------------------------------------------------------


def _missing(text: str, piece: Piece, held: Sequence[Evidence]) -> str:
    """Return what kind of thing a statement names that no passage has; nothing if all is there."""
    values = {value for evidence in held for each in evidence.sentences for value in _of(each)}
    met = {value for value in piece.claim.values if any(_same(value, each) for each in values)}
    if piece.claim.values - met:
        return "numbers"
    there = {_number(digits) for each in held for digits in _DIGITS.findall(fold(each.text))}
    raw = [digits for digits in _DIGITS.findall(fold(text)) if _number(digits) not in there]
    labelled = {
        name for evidence in held for each in evidence.sentences for name in each.claim.names
    }
    words = frozenset[str]().union(*(each.words for each in held))
    spoken_of = {name for name in piece.claim.names if name not in labelled}
    if len(raw) > len(met) or any(not set(name.split()) <= words for name in spoken_of):
        return "numbers"
    return "names" if any(not _is_named(name, words) for name in names_of(text)) else ""


def _is_named(name: str, words: frozenset[str]) -> bool:
    """Whether a name is among the words, in one piece or in its parts, or in the plural."""
    parts = [part for part in re.split(r"[^\w]+", name) if part]
    return name in words or all(
        part in words or part.rstrip("s") in words or f"{part}s" in words for part in parts
    )


def _of(piece: Piece) -> frozenset[Value]:
    return piece.claim.values


def _number(digits: str) -> str:
    """Return digits as they compare: without what separates thousands, or ends the fraction."""
    plain = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", digits).replace(",", ".")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _same(one: Value, other: Value) -> bool:
    if one.amount != other.amount or (one.bound and other.bound and one.bound != other.bound):
        return False
    return one.unit == other.unit or "#" in one.unit[:1] + other.unit[:1]


# -- what must not be otherwise --------------------------------------------------------------------


def _clash(
    piece: Piece,
    clauses: Sequence[Piece],
    singles: Sequence[Piece],
    above: frozenset[str],
    spoken: str,
) -> str:
    """Return in what a statement goes against the passages, or nothing."""
    for clause, there in _pairs(piece, clauses, singles, above, spoken):
        if clash := _number_clash(clause.claim, there):
            return clash
        against = [_goes_against(clause, each) for each in there]
        if against and all(against):
            return against[0]
    return ""


def _pairs(
    piece: Piece,
    clauses: Sequence[Piece],
    singles: Sequence[Piece],
    above: frozenset[str],
    spoken: str,
) -> Iterator[tuple[Piece, list[Piece]]]:
    """Yield each clause of a statement with what is most about the same: all that are as near.

    Clauses, or whole sentences where those hold more of its words.
    """
    for clause in clauses_of(piece.text, spoken):
        least = max(1.0, SAME_MATTER * len(clause.terms - above))
        chosen: list[Piece] = []
        most = 0
        for among in (clauses, singles):
            best = best_of(among, clause.terms, above)
            shared = len(clause.terms & best.terms) if best is not None else 0
            if shared >= least and shared > most:
                most = shared
                chosen = [each for each in among if len(clause.terms & each.terms) == shared]
        if chosen:
            yield clause, chosen


def _number_clash(claim: Claim, there: Sequence[Piece]) -> str:
    """Whether what is most about the same has other numbers of the same kind."""
    for value in claim.values:
        if any(_same(value, each) for piece in there for each in _of(piece)):
            continue
        rivals = [each for piece in there for each in _of(piece) if each.unit == value.unit]
        return "numbers" if rivals else "place of numbers"
    return ""


def _goes_against(clause: Piece, there: Piece) -> str:
    here, claim = clause.claim, there.claim
    is_denied_there = _denials(there) > _denials(clause)
    least = SAME_LENGTH if is_denied_there else SAME_LENGTH / 2  # a denial may be about the rest
    if covered(there.terms, clause.terms) >= least:
        denied = _denials(clause) % 2 != _denials(there) % 2
        opposite = _are_opposite(clause.terms - there.terms, there.terms - clause.terms)
        if denied != opposite:
            return "negation" if denied else "opposites"
    days, other_days = here.words & RELATIVE, claim.words & RELATIVE
    if _are_of_other_sides(here, claim) or (days and other_days and not days & other_days):
        return "sides"
    modalities = {here.modality, claim.modality}
    return "modality" if modalities == {OBLIGATION, PERMISSION} else ""


def _has_more(piece: Piece, whole: frozenset[str], spoken: str) -> bool:
    """Whether a clause of several says something of which the passages have hardly a word."""
    clauses = clauses_of(piece.text, spoken)
    return len(clauses) > 1 and any(
        len(each.terms) > 1 and covered(each.terms, whole) < ADDED for each in clauses
    )


def _holds_values(piece: Piece, there: Piece) -> bool:
    return all(any(_same(each, other) for other in _of(there)) for each in _of(piece))


@cache
def _poles() -> frozenset[tuple[str, str]]:
    """Return the words that turn a sentence round, as stems of either language."""
    pairs = [*POLES, ("continue", "stop"), ("keep", "lose"), ("continuar", "parar")]
    stems = (
        (term_of(one, language), term_of(other, language))
        for one, other in pairs
        for language in _READ
    )
    return frozenset((one, other) for one, other in stems if one and other and one != other)


def _are_opposite(here: frozenset[str], there: frozenset[str]) -> bool:
    return any(
        (one in here and other in there) or (other in here and one in there)
        for one, other in _poles()
    )


def _are_of_other_sides(here: Claim, there: Claim) -> bool:
    """Do as the guards do, with "nightly" being of the side of "night"."""
    one, other = (
        replace(each, sides=frozenset((row, _SIDE.get(word, word)) for row, word in each.sides))
        for each in (here, there)
    )
    return are_of_other_sides(one, other)


def _denials(piece: Piece) -> int:
    """Return how often a clause denies; "unless" is an "if not"."""
    claim = piece.claim
    unless = len(_UNLESS.findall(fold(piece.text)))
    return claim.negations + unless + (claim.modality in {PROHIBITION, EXEMPTION})
