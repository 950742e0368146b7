"""The extractive answerer: a cited answer without any language model.

It picks the sentences, list items and table rows of the retrieved passages that answer best, puts
them in reading order and joins them, each with the mark of the passage it stands in; when nothing
answers, it says so and cites nothing. Pure: no Django, no database, no model (an embedding model
may be lent to it as a function).

1. every passage is cut into units; a unit keeps its place in the passage;
2. units are scored by words, kind of answer and rank; the best dozen also by meaning, if possible;
3. below a minimum of evidence the answer is that nothing was found;
4. maximal marginal relevance (Carbonell and Goldstein, 1998) adds units that say something new;
5. steps and lists that are the answer come whole; a sentence that leans on the one before it brings
   that one along.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from project.inference.extractive_scoring import (
    PLAIN_TO_SEE,
    Candidate,
    Question,
    Similarity,
    add_similarity,
    base_language,
    candidates_of,
    scored,
    understand,
)
from project.inference.extractive_units import units_of
from project.inference.extractive_words import LEANS_BACK, PHRASES

__all__ = ["ExtractiveAnswer", "Part", "Passage", "extract_answer"]

MAX_UNITS = 4
MAX_LIST = 8
SHORT_LIST = 5
JUDGED_BY_MEANING = 12
MIN_COVERAGE = 0.45
MIN_SIMILARITY = 0.6
EVIDENCE_AMONG = 3
FITTING_FLOOR = 0.7
FACT_FLOOR = 0.85
OPEN_FLOOR = 0.72
NOVELTY = 0.35
SAME = 0.7


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved passage. `index` is its citation number, `score` higher is better."""

    index: int
    title: str
    text: str
    score: float = 0.0
    heading_path: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the answer: `passage.text[start:end]` in plain words, cited as `[citation]`."""

    text: str
    citation: int
    start: int
    end: int
    kind: Literal["sentence", "item", "step", "row"] = "sentence"


@dataclass(frozen=True, slots=True)
class ExtractiveAnswer:
    """The answer: `text` is Markdown with `[n]` marks; `confidence` 0-1 is its best evidence."""

    text: str
    parts: tuple[Part, ...]
    language: str
    is_found: bool
    confidence: float

    @property
    def citations(self) -> tuple[int, ...]:
        """The citation numbers used, in order of appearance, each once."""
        return tuple(dict.fromkeys(part.citation for part in self.parts))

    @property
    def blocks(self) -> tuple[str, ...]:
        """The text in blocks of Markdown, for streaming: joined by a blank line they are `text`."""
        return tuple(self.text.split("\n\n"))


def extract_answer(
    question: str,
    passages: Sequence[Passage],
    *,
    language: str = "en",
    similarity: Similarity | None = None,
) -> ExtractiveAnswer:
    """Answer from the passages, in the question's language ("pt…" or else English phrases).

    `similarity(question, texts)` returns a cosine similarity a text; it is called at most once.
    """
    understood = understand(question, language)
    candidates = _candidates(passages, understood)
    ranked = scored(understood, candidates)
    if similarity is not None and ranked:
        ranked = ranked[:JUDGED_BY_MEANING]
        add_similarity(understood, ranked, similarity)
    ranked = _led_by_evidence(ranked)
    if not ranked:
        return _nothing(language)
    ranked = _fitting_first(ranked, understood)
    chosen = _completed(_diverse(ranked, understood), candidates, understood)
    parts = tuple(_part(each, passages) for each in _in_reading_order(chosen))
    phrases = PHRASES[base_language(language)]
    text = "\n\n".join([phrases["found"], *_blocks(parts), f"*{phrases['notice']}*"])
    return ExtractiveAnswer(
        text, parts, language, is_found=True, confidence=min(1.0, ranked[0].coverage)
    )


def _candidates(passages: Sequence[Passage], question: Question) -> list[Candidate]:
    top = max((passage.score for passage in passages), default=0.0)
    found = []
    for number, passage in enumerate(passages):
        rank_score = passage.score / top if top > 0 else 1.0 / (1 + number)
        found += candidates_of(
            question,
            number,
            units_of(passage.text),
            f"{passage.title} {passage.heading_path}",
            max(0.0, min(1.0, rank_score)),
        )
    return found


def _is_evidence(best: Candidate) -> bool:
    if best.similarity is not None and best.similarity >= MIN_SIMILARITY:
        return best.coverage >= MIN_COVERAGE / 2
    return best.coverage >= MIN_COVERAGE and best.body > 0


def _led_by_evidence(ranked: list[Candidate]) -> list[Candidate]:
    """Return the ranking from its first real evidence on; empty if the best few have none."""
    for number, each in enumerate(ranked[:EVIDENCE_AMONG]):
        if _is_evidence(each):
            return ranked[number:]
    return []


def _fitting_first(ranked: list[Candidate], question: Question) -> list[Candidate]:
    """Let a unit with the kind of answer asked for lead, if it is nearly as good as the best."""
    best = ranked[0]
    if best.fits or not question.kinds & PLAIN_TO_SEE:
        return ranked
    for each in ranked[1:]:
        if each.score < FITTING_FLOOR * best.score:
            break
        if each.fits and each.body > 0:
            return [each, *(other for other in ranked if other is not each)]
    return ranked


def _diverse(ranked: list[Candidate], question: Question) -> list[Candidate]:
    """Return the best candidate and those that are nearly as good and say something else.

    A question for one fact gets at most two; an open one up to four.
    """
    best = ranked[0]
    asks_fact = bool(question.kinds - {"steps"})
    limit, share = (2, FACT_FLOOR) if asks_fact and best.fits else (MAX_UNITS, OPEN_FLOOR)
    chosen = [best]
    rest = [
        each
        for each in ranked[1:]
        if each.score >= best.score * share
        and each.body >= best.body * share * 0.75
        and (each.fits or not (best.fits and question.kinds & PLAIN_TO_SEE))
        and not each.unit.is_pointer
        and not LEANS_BACK.match(each.unit.text)
    ]
    while rest and len(chosen) < limit:
        following = max(rest, key=lambda each: each.score - NOVELTY * _likeness(each, chosen))
        rest.remove(following)
        if _likeness(following, chosen) < SAME:
            chosen.append(following)
    return chosen


def _likeness(each: Candidate, chosen: list[Candidate]) -> float:
    """Return how much of the shorter of two units is in the other, at most over those chosen."""

    def overlap(other: Candidate) -> float:
        shorter = min(len(each.terms), len(other.terms))
        return len(each.terms & other.terms) / shorter if shorter else 1.0

    return max(overlap(other) for other in chosen)


def _completed(
    chosen: list[Candidate], candidates: list[Candidate], question: Question
) -> list[Candidate]:
    """Add what the best unit needs to be understood or to be whole."""
    best = chosen[0]
    own = [each for each in candidates if each.passage == best.passage]
    whole = _whole_list(best, own, question)
    if whole:
        return whole
    if "cause" in question.kinds and not best.fits:
        return [best, *_causes(best, candidates)]
    extra = []
    if best.position and best.unit.kind == "sentence" and LEANS_BACK.match(best.unit.text):
        extra.append(own[best.position - 1])
    elif best.unit.lead_in.endswith(":"):
        extra += [each for each in own if each.unit.text == best.unit.lead_in]
    return chosen + [each for each in extra if each not in chosen]


def _causes(best: Candidate, candidates: list[Candidate]) -> list[Candidate]:
    """Return what the same page gives as the cause: the best unit only tells what happened."""
    given = [each for each in candidates if each.fits and each.title_terms == best.title_terms]
    return given[:2]


def _whole_list(best: Candidate, own: list[Candidate], question: Question) -> list[Candidate]:
    """Return the whole list when it, or the sentence before it, is the answer; else nothing."""
    before: list[Candidate] = []
    if best.unit.text.endswith(":"):
        block, before = best.unit.block + 1, [best]
    elif best.unit.kind in {"item", "step"}:
        block = best.unit.block
        before = [each for each in own if each.unit.text == best.unit.lead_in]
    else:
        return []
    items = [each for each in own if each.unit.block == block and each.unit.kind != "sentence"]
    answering = sum(each.body >= best.body / 2 for each in items)
    is_procedure = (
        best.unit.kind == "step"
        and "steps" in question.kinds
        and (2 * answering >= len(items) or 2 * best.heading_coverage >= 1)
    )
    is_completed = bool(before) and len(items) <= SHORT_LIST
    if len(items) < 2 or not (is_procedure or is_completed or best in before):
        return []
    return before + items[:MAX_LIST]


def _in_reading_order(chosen: list[Candidate]) -> list[Candidate]:
    """Sort by passage, the best unit's first, and inside a passage as it reads."""
    order = list(dict.fromkeys(each.passage for each in chosen))
    return sorted(chosen, key=lambda each: (order.index(each.passage), each.position))


def _part(each: Candidate, passages: Sequence[Passage]) -> Part:
    unit = each.unit
    return Part(unit.text, passages[each.passage].index, unit.start, unit.end, unit.kind)


def _blocks(parts: Sequence[Part]) -> list[str]:
    """Return paragraphs and lists; each run of sentences from one passage ends with its mark."""
    if len(parts) == 1:
        return [f"{parts[0].text} [{parts[0].citation}]"]
    blocks: list[str] = []
    previous: Part | None = None
    step = 0
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        text = part.text
        if not (following and _runs_on(part, following)):
            text += f" [{part.citation}]"
        step = step + 1 if part.kind == "step" else 0
        if part.kind != "sentence":
            text = f"{step}. {text}" if step else f"- {text}"
        if previous and _is_one_block(previous, part):
            blocks[-1] += (" " if part.kind == "sentence" else "\n") + text
        else:
            blocks.append(text)
        previous = part
    return blocks


def _runs_on(part: Part, following: Part) -> bool:
    return part.kind == following.kind == "sentence" and part.citation == following.citation


def _is_one_block(previous: Part, part: Part) -> bool:
    return (previous.kind == "sentence") == (part.kind == "sentence")


def _nothing(language: str) -> ExtractiveAnswer:
    phrases = PHRASES[base_language(language)]
    text = f"{phrases['nothing']} {phrases['hint']}"
    return ExtractiveAnswer(text, (), language, is_found=False, confidence=0.0)
