"""The sentences of an answer that state something, each with the citations that stand for it. Pure.

A mark stands for the sentence that it is in, or that it follows; a sentence without one is covered
by the next mark of its paragraph, as in "First. Second [1].", or by the last one before it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from knowledge.analysis import base_language, terms_of
from knowledge.quality.sentences import Sentence, sentences
from project.inference.extractive_words import PHRASES

_MARK = re.compile(r"\[(\d{1,3})\]")
_LEADING = re.compile(r"(?:[ \t]*\[\d{1,3}\])+[ \t]*")
_BREAK = re.compile(r"\n[ \t]*\n|\n[ \t]*(?:[-*+>|]|\d{1,9}[.)])")
_WORD = re.compile(r"[^\W_]")
LEAST_TERMS = 2

# What says nothing of the subject: of the sources as a whole, of the answer, courtesies.
_ABOUT_ITSELF = re.compile(
    r"""
    \b(?:knowledge\ base|passages?|sources?|documents?|texts?|pages?|context)\b.{0,40}
      \b(?:do(?:es)?\ not|do(?:es)?n['’]t|did\ not|didn['’]t|cannot|contains?\ no|says?\ nothing
         |gives?\ no|has\ no|have\ no|no\ information|silent)\b
    |\bI\ (?:do\ not|don['’]t|can(?:not|['’]t)|could(?:\ not|n['’]t)|did(?:\ not|n['’]t)|am\ not
         |found|am\ sorry|have\ no)\b
    |^\W*(?:I['’]m\ sorry|sorry|let\ me\ know|please\ (?:ask|let)|hope\ (?:this|that)|feel\ free
         |here\ (?:is|are)|in\ short|based\ on\ the\ (?:passages?|sources?))\b
    |\b(?:base\ de\ conhecimento|trechos?|fontes?|documentos?|textos?|p[aá]ginas?)\b.{0,40}
      \b(?:n[aã]o|nada|nenhuma?)\b
    |\b(?:n[aã]o\ (?:sei|encontrei|achei|posso\ (?:dizer|afirmar)|tenho|h[aá]\ informa\w+))\b
    |^\W*(?:desculpe|sinto\ muito|espero\ que|se\ precisar|fique\ [aà]\ vontade|aqui\ est[aá]o?
         |em\ resumo\W*$|com\ base\ n)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OWN = frozenset(phrase for phrases in PHRASES.values() for phrase in phrases.values())


@dataclass(frozen=True, slots=True)
class Stated:
    """A sentence of an answer: `answer[start:end]`, its words without marks, what stands for it.

    `is_cited`: by a mark of its own or of its paragraph; otherwise `citations` is empty.
    """

    text: str
    start: int
    end: int
    citations: tuple[int, ...]

    @property
    def is_cited(self) -> bool:
        """Whether a mark stands for it."""
        return bool(self.citations)


@dataclass(frozen=True, slots=True)
class _Placed:
    text: str
    start: int
    end: int
    marks: tuple[int, ...]
    paragraph: int


def statements(answer: str, language: str) -> list[Stated]:
    """Return what an answer states, in order; what it only asks, announces or regrets is left out.

    Expects marks by number of citation, as readers see them.
    """
    placed = _placed(answer)
    found = []
    for at, each in enumerate(placed):
        if _states_nothing(each.text, language):
            continue
        found.append(Stated(each.text, each.start, each.end, _standing_for(placed, at)))
    return found


def _placed(answer: str) -> list[_Placed]:
    """Return all sentences with their marks: one that begins a sentence belongs to the last."""
    rows: list[_Placed] = []
    paragraph = 0
    for sentence in sentences(answer):
        start, source = sentence.start, answer[sentence.start : sentence.end]
        if rows and _BREAK.search(answer, rows[-1].end, start + 1):
            paragraph += 1
        leading = _LEADING.match(source)
        if leading and rows and rows[-1].paragraph == paragraph:
            marks = (*rows[-1].marks, *_marks(leading[0]))
            rows[-1] = replace(rows[-1], end=start + len(leading[0].rstrip()), marks=marks)
            start, source = start + leading.end(), source[leading.end() :]
        text = _plain(sentence, source)
        if _WORD.search(text):
            rows.append(_Placed(text, start, start + len(source), _marks(source), paragraph))
    return rows


def _plain(sentence: Sentence, source: str) -> str:
    """Return the words of a sentence without marks, and without those that it began with."""
    text = _MARK.sub("", sentence.said)
    if not _MARK.search(source) and len(source) < len(sentence.said):
        text = text.strip()
    return re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split()))


def _marks(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(mark[1]) for mark in _MARK.finditer(text)))


def _standing_for(placed: Sequence[_Placed], at: int) -> tuple[int, ...]:
    own = placed[at]
    if own.marks:
        return own.marks
    same = [(place, each) for place, each in enumerate(placed) if each.paragraph == own.paragraph]
    after = [each.marks for place, each in same if place > at and each.marks]
    before = [each.marks for place, each in same if place < at and each.marks]
    return after[0] if after else before[-1] if before else ()


def _states_nothing(text: str, language: str) -> bool:
    bare = text.strip(" *_")
    if bare in _OWN or bare.endswith(("?", ":")) or _ABOUT_ITSELF.search(bare):
        return True
    if any(letter.isdigit() for letter in bare):
        return False
    return len(set(terms_of(bare, base_language(language)))) < LEAST_TERMS
