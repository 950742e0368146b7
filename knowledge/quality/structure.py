"""Checks of a text by itself: is it there, in order, readable, and in the language it says."""

from __future__ import annotations

import re
from collections.abc import Iterator

from knowledge.analysis import base_language
from knowledge.languages import detect_language
from knowledge.outline import Heading
from knowledge.quality.readability import HARD_BELOW, readability
from knowledge.quality.sentences import Sentence, unheaded_stretches
from knowledge.quality.types import Finding, NodeState, finding

SHORT = 12  # words
LONG = 700  # words
LANGUAGE_WORDS = 25
"""Below, a text is too short to say that its declared language is wrong."""
MOST = 5  # of one code

_WORD = re.compile(r"[^\W_]+")
_FIGURE = re.compile(r"\W*\d[\d\W]*\Z")


def structure_findings(
    state: NodeState, headings: tuple[Heading, ...], found: list[Sentence]
) -> Iterator[Finding]:
    """Yield what is wrong with the text as it stands."""
    if not state.title.strip():
        yield finding("missing_title")
    words = len(_WORD.findall(state.content))
    if words == 0:
        yield finding("empty")
        return
    has_table = any(sentence.header for sentence in found)
    if words < SHORT and not has_table:
        yield finding("very_short", words=words)
    yield from _skips(headings)
    yield from _stretches(state.content, headings)
    yield from _reading(state, found)
    yield from _language(state, found)


def _skips(headings: tuple[Heading, ...]) -> Iterator[Finding]:
    count, before = 0, headings[0].level if headings else 0
    for heading in headings[1:]:
        if heading.level > before + 1 and count < MOST:
            count += 1
            yield finding(
                "heading_skip",
                heading=heading.text,
                level=heading.level,
                before=before,
                wanted=before + 1,
                start=heading.start,
                end=heading.end,
            )
        before = heading.level


def _stretches(content: str, headings: tuple[Heading, ...]) -> Iterator[Finding]:
    starts = [heading.start for heading in headings]
    for start, words in unheaded_stretches(content, starts, LONG)[:MOST]:
        begins = " ".join(content[start : start + 200].split())[:60]
        yield finding("long_without_headings", words=words, begins=begins, start=start)


def _reading(state: NodeState, found: list[Sentence]) -> Iterator[Finding]:
    measured = readability(found, state.language)
    if measured is not None and measured.ease < HARD_BELOW:
        yield finding(
            "hard_to_read", score=round(measured.ease), sentence=round(measured.words_a_sentence)
        )


def _language(state: NodeState, found: list[Sentence]) -> Iterator[Finding]:
    """Compare the declared language with what the prose is written in; code is not asked."""
    text = "\n".join(each.text for each in found if not _FIGURE.match(each.text))
    if len(_WORD.findall(text)) < LANGUAGE_WORDS:
        return
    detected = detect_language(text)
    if detected != "other" and base_language(detected) != base_language(state.language):
        yield finding("language_mismatch", declared=state.language, detected=detected)
