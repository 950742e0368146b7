"""The sections of a text: what stands under one heading."""

from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.chunking.types import Path, TokenCounter, has_words
from knowledge.outline import Outline


@dataclass(frozen=True, slots=True)
class Section:
    """Text under one heading. ``start`` is before the heading, ``body`` after it."""

    start: int
    body: int
    end: int
    path: Path


def sections_of(
    markdown: str, found: Outline, count_tokens: TokenCounter, max_tokens: int
) -> Iterator[Section]:
    """The sections that have text. A heading without any goes with the section after it."""
    path: list[tuple[int, int, str]] = []  # level, offset, text
    starts = [heading.start for heading in found.headings] + [len(markdown)]
    last: Section | None = None
    waiting: int | None = 0  # where headings begin that have had no text yet
    if has_words(markdown, 0, starts[0]):
        last, waiting = Section(0, 0, starts[0], ()), None
    for heading, end in zip(found.headings, starts[1:], strict=True):
        while path and path[-1][0] >= heading.level:
            path.pop()
        path.append((heading.level, heading.start, heading.text))
        start = heading.start if waiting is None else waiting
        section = Section(start, heading.end, end, tuple((at, text) for _, at, text in path))
        if has_words(markdown, heading.end, end):
            if last is not None:
                yield last
            last, waiting = section, None
        elif has_words(markdown, start, end) and (
            count_tokens(markdown[start:end]) > max_tokens // 2
        ):
            if last is not None:  # a long row of bare headings is text enough
                yield last
            last, waiting = Section(start, start, end, section.path), None
        else:
            waiting = start
    if waiting is not None and last is not None:
        last = Section(last.start, last.body, len(markdown), last.path)
    elif last is None and has_words(markdown, 0, len(markdown)):
        last = Section(0, 0, len(markdown), ())
    if last is not None:
        yield last
