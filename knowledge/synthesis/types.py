"""What a synthesis is made of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from knowledge.types import RetrievedPassage

Method = Literal["extractive", "model"]
Support = Literal["quoted", "checked", "unchecked"]


@dataclass(frozen=True, slots=True)
class Source:
    """A node that is cited; `index` is its number in the summary."""

    index: int
    node: uuid.UUID
    space: uuid.UUID
    version: int
    title: str
    language: str
    url: str


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a sentence comes from: `content[start:end]` of that version of the node."""

    index: int
    node: uuid.UUID
    version: int
    chunk: uuid.UUID
    title: str
    start: int
    end: int
    page: int | None
    url: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a summary.

    `support` is quoted for one of the sources' own, checked for one that its citations bear out,
    and unchecked where they are in another language than the sentence.
    """

    text: str
    citations: tuple[Citation, ...]
    support: Support = "quoted"
    kind: str = "sentence"


@dataclass(frozen=True, slots=True)
class Section:
    """One aspect of the topic."""

    heading: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two sentences of different nodes that cannot both be true, and in what they differ."""

    kind: str
    sides: tuple[Sentence, Sentence]


@dataclass(frozen=True, slots=True)
class Link:
    """A confirmed relation between two cited nodes."""

    relation: uuid.UUID
    source: uuid.UUID
    target: uuid.UUID
    kind: str
    weight: float


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A summary of a topic. Without sections nothing was found, and `notice` says so.

    `notice` is also why there is no model's text where one was to write. `degraded` names what
    could not take part in the search. `left_out` counts a model's sentences that nothing bore out.
    """

    topic: str
    language: str
    method: Method
    sections: tuple[Section, ...] = ()
    sources: tuple[Source, ...] = ()
    relations: tuple[Link, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    degraded: tuple[str, ...] = ()
    model: str = ""
    notice: str = ""
    left_out: int = 0
    took_ms: int = 0
    passages: tuple[RetrievedPassage, ...] = field(default=(), repr=False)

    @property
    def is_found(self) -> bool:
        """Whether anything was found of the topic."""
        return bool(self.sections)

    def cited(self) -> list[Citation]:
        """Return the citations in order of appearance."""
        sentences = [each for section in self.sections for each in section.sentences]
        sentences += [side for each in self.disagreements for side in each.sides]
        return [citation for each in sentences for citation in each.citations]


def citation_of(passage: RetrievedPassage, start: int, end: int) -> Citation:
    """Return the citation of `passage.text[start:end]`, not numbered yet."""
    first, last = passage.start + start, passage.start + end
    return Citation(
        0,
        passage.node,
        passage.version,
        passage.chunk,
        passage.title,
        first,
        last,
        passage.page,
        f"/knowledge/nodes/{passage.node}/?version={passage.version}&start={first}&end={last}",
    )


def numbered(
    sections: Sequence[Section], disagreements: Sequence[Disagreement]
) -> tuple[tuple[Section, ...], tuple[Disagreement, ...], list[uuid.UUID]]:
    """Return both with their citations numbered by node, and the nodes in that order."""
    order: dict[uuid.UUID, int] = {}

    def told(sentence: Sentence) -> Sentence:
        citations = tuple(
            replace(each, index=order.setdefault(each.node, len(order) + 1))
            for each in sentence.citations
        )
        return replace(sentence, citations=citations)

    shown = tuple(
        replace(section, sentences=tuple(told(each) for each in section.sentences))
        for section in sections
    )
    clashes = tuple(
        replace(each, sides=(told(each.sides[0]), told(each.sides[1]))) for each in disagreements
    )
    return shown, clashes, list(order)
