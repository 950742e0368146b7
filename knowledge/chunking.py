"""Cutting a node's Markdown into passages: the unit that is embedded, found and cited.

1. Headings cut the text into sections; a passage never runs over a heading that has text of its
   own before it, and carries the headings above it as ``heading_path``.
2. A section that fits is one passage. A longer one is cut by semantic-text-splitter at the best
   boundaries it finds (blocks, list items, table rows, sentences, words), evenly filled.
3. Crumbs (a closing fence, a two-word tail) join a neighbour. A heading without text goes with
   the passage after it, so no passage is only a heading unless the text is nothing else.

Every passage is a slice: ``markdown[start:end] == text``. Everything that has a letter or a
digit is in at least one passage. The same input gives the same passages.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from knowledge.outline import Outline, outline
from project.markdown import plain_text

MAX_TOKENS = 180  # MiniLM reads 256 word pieces: this leaves room for title and headings
_SLAB = 16_000  # characters given to the splitter at once; its time grows faster than its input
_FEWEST = 40  # characters: no passage is cut smaller for its token count

# One match is about one word piece: measured against the MiniLM tokenizer, English is counted
# 7 to 19 % too high, Portuguese 17 % too low.
_TOKEN = re.compile(r"[A-Za-z]{1,6}|\d{1,2}|[^\W\d_]|[^\w\s]|_")
_WORD = re.compile(r"[^\W_]")
_SENTENCE_START = re.compile(r"(?<=[.!?…])[\s\"')\]]+(?=\S)|\n+(?=\S)")

TokenCounter = Callable[[str], int]


class PageRange(Protocol):
    """Where a page stands in the Markdown (``parsing.PageSpan`` is one)."""

    @property
    def page(self) -> int | None: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Passage:
    """A slice of the Markdown, ``markdown[start:end] == text``.

    ``tokens`` counts ``text``. ``page`` is the page that holds most of it. ``context`` says what
    stands above the passage and not in it: the headings over it, and, for a passage that begins
    inside a table, the table's header row on a second line.
    """

    position: int
    start: int
    end: int
    text: str
    heading_path: tuple[str, ...]
    tokens: int
    page: int | None
    context: str

    def indexed_text(self, title: str = "") -> str:
        """What to embed and index: title and context, then the passage without markup."""
        return "\n".join(part for part in (title, self.context, plain_text(self.text)) if part)


def estimate_tokens(text: str) -> int:
    """About how many word pieces a BERT tokenizer makes of ``text``."""
    return len(_TOKEN.findall(text))


def chunk(
    markdown: str,
    *,
    pages: Sequence[PageRange] | None = None,
    max_tokens: int = MAX_TOKENS,
    overlap: int = 0,
    count_tokens: TokenCounter = estimate_tokens,
) -> list[Passage]:
    """Cut ``markdown`` into passages of about ``max_tokens`` tokens, at most a fifth more.

    ``overlap``: up to how many tokens of the passage before a passage in the same section
    repeats, from a sentence's start. A word longer than a passage is cut. ``[]`` for a text
    without a letter or digit. Raises ``ValueError`` for ``max_tokens`` below 20 or an
    ``overlap`` of half a passage or more.
    """
    if max_tokens < 20 or not 0 <= overlap < max_tokens / 2:
        raise ValueError("max_tokens must be at least 20 and overlap less than half of it")
    found = outline(markdown)
    cutter = _Cutter(markdown, max_tokens, overlap, count_tokens)
    page_at = _PageLookup(pages or ())
    passages: list[Passage] = []
    for section in _sections(markdown, found, count_tokens, max_tokens):
        for start, end in cutter.cut(section):
            text = markdown[start:end].rstrip()  # the splitter knows fewer kinds of white space
            end = start + len(text)
            passages.append(
                Passage(
                    position=len(passages),
                    start=start,
                    end=end,
                    text=text,
                    heading_path=tuple(text for _, text in section.path),
                    tokens=count_tokens(text),
                    page=page_at(start, end),
                    context=_context(found, section, start),
                )
            )
    return passages


@dataclass(frozen=True, slots=True)
class _Section:
    """Text under one heading. ``start`` is before the heading, ``body`` after it."""

    start: int
    body: int
    end: int
    path: tuple[tuple[int, str], ...]  # (offset, text) of each heading above


def _sections(
    markdown: str, found: Outline, count_tokens: TokenCounter, max_tokens: int
) -> Iterator[_Section]:
    """The sections that have text. A heading without any goes with the section after it."""
    path: list[tuple[int, int, str]] = []  # level, offset, text
    starts = [heading.start for heading in found.headings] + [len(markdown)]
    last: _Section | None = None
    waiting: int | None = 0  # where headings begin that have had no text yet
    if _has_words(markdown, 0, starts[0]):
        last, waiting = _Section(0, 0, starts[0], ()), None
    for heading, end in zip(found.headings, starts[1:], strict=True):
        while path and path[-1][0] >= heading.level:
            path.pop()
        path.append((heading.level, heading.start, heading.text))
        start = heading.start if waiting is None else waiting
        section = _Section(start, heading.end, end, tuple((at, text) for _, at, text in path))
        if _has_words(markdown, heading.end, end):
            if last is not None:
                yield last
            last, waiting = section, None
        elif _has_words(markdown, start, end) and (
            count_tokens(markdown[start:end]) > max_tokens // 2
        ):
            if last is not None:  # a long row of bare headings is text enough
                yield last
            last, waiting = _Section(start, start, end, section.path), None
        else:
            waiting = start
    if waiting is not None and last is not None:
        last = _Section(last.start, last.body, len(markdown), last.path)
    elif last is None and _has_words(markdown, 0, len(markdown)):
        last = _Section(0, 0, len(markdown), ())
    if last is not None:
        yield last


def _has_words(markdown: str, start: int, end: int) -> bool:
    return _WORD.search(markdown, start, end) is not None


@dataclass(frozen=True, slots=True)
class _Cutter:
    markdown: str
    max_tokens: int
    overlap: int
    count_tokens: TokenCounter

    def cut(self, section: _Section) -> list[tuple[int, int]]:
        """The spans of a section's passages: not empty, in order, at least one word in each."""
        start, end = self._trimmed(section.start, section.end)
        if self._tokens(start, end) <= self.max_tokens:
            return [(start, end)]
        body, _ = self._trimmed(section.body, end)
        spans: list[tuple[int, int]] = []
        for slab_start, slab_end in self._slabs(body, end):
            spans.extend(self._split(slab_start, slab_end))
        spans = self._without_crumbs(spans)
        spans[0] = (start, spans[0][1])
        if self.overlap:
            spans = [spans[0], *map(self._overlapping, spans, spans[1:])]
        return spans

    def _tokens(self, start: int, end: int) -> int:
        return self.count_tokens(self.markdown[start:end])

    def _trimmed(self, start: int, end: int) -> tuple[int, int]:
        """Without blank lines at either end; the indentation of the first line stays."""
        end = start + len(self.markdown[start:end].rstrip())
        text = self.markdown[start:end]
        first = start + len(text) - len(text.lstrip())
        line = self.markdown.rfind("\n", start, first) + 1
        return (line or start), end

    def _slabs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Pieces of at most ``_SLAB`` characters, cut at a paragraph, a line or a space."""
        while end - start > _SLAB:
            floor, ceiling = start + _SLAB // 2, start + _SLAB
            for mark in ("\n\n", "\n", ". ", " "):
                at = self.markdown.rfind(mark, floor, ceiling)
                if at >= 0:
                    cut = at + len(mark)
                    break
            else:
                cut = ceiling
            yield start, cut
            start = cut
        yield start, end

    def _split(self, start: int, end: int, share: float = 1.0) -> list[tuple[int, int]]:
        """Cut at the best boundaries; what comes out too long in tokens is cut again, shorter."""
        text = self.markdown[start:end]
        tokens = self.count_tokens(text)
        if tokens <= self.max_tokens or len(text) <= _FEWEST:
            return [self._trimmed(start, end)] if text.strip() else []
        pieces = -(-tokens // self.max_tokens)
        capacity = max(_FEWEST, int(share * self.max_tokens * len(text) / tokens))
        filled = min(capacity, max(capacity // 2, len(text) // pieces))
        spans: list[tuple[int, int]] = []
        for offset, piece in _splitter(filled, capacity).chunk_indices(text):
            left, right = start + offset, start + offset + len(piece)
            is_whole = right - left == len(text)
            if self._tokens(left, right) > self.max_tokens * 1.2 and (not is_whole or share > 0.3):
                spans.extend(self._split(left, right, share * 0.8))
            else:
                spans.append(self._with_indentation(left, right, start))
        return spans

    def _with_indentation(self, start: int, end: int, floor: int) -> tuple[int, int]:
        line = max(self.markdown.rfind("\n", floor, start) + 1, floor)
        return (start if self.markdown[line:start].strip() else line), end

    def _without_crumbs(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Join a span of a few tokens, or of no words, to the one before it, else after it."""
        least = self.max_tokens // 6
        joined: list[tuple[int, int]] = []
        crumb_first = False
        for start, end in spans:
            wordless = not _has_words(self.markdown, start, end)
            is_crumb = wordless or self._tokens(start, end) < least
            if joined and (is_crumb or crumb_first):
                whole = (joined[-1][0], end)
                if wordless or crumb_first or self._tokens(*whole) <= self.max_tokens * 1.2:
                    crumb_first = crumb_first and is_crumb
                    joined[-1] = whole
                    continue
            crumb_first = is_crumb and not joined
            joined.append((start, end))
        return joined

    def _overlapping(self, before: tuple[int, int], span: tuple[int, int]) -> tuple[int, int]:
        """``span`` from an earlier sentence on, at most ``overlap`` tokens earlier."""
        start, end = span
        for match in _SENTENCE_START.finditer(self.markdown, before[0], start):
            if match.end() < start and self._tokens(match.end(), start) <= self.overlap:
                return match.end(), end
        return span


class _Splitter(Protocol):
    def chunk_indices(self, text: str) -> list[tuple[int, str]]: ...


@lru_cache(maxsize=256)
def _splitter(filled: int, capacity: int) -> _Splitter:
    from semantic_text_splitter import MarkdownSplitter

    splitter: _Splitter = MarkdownSplitter((filled, capacity))
    return splitter


def _context(found: Outline, section: _Section, start: int) -> str:
    above = " > ".join(text for offset, text in section.path if offset < start and text)
    table = found.table_row_at(start)
    return "\n".join(part for part in (above, table.header if table else "") if part)


class _PageLookup:
    """Which page holds most of a span."""

    def __init__(self, pages: Sequence[PageRange]) -> None:
        self._pages = [page for page in pages if page.end > page.start]
        self._starts = [page.start for page in self._pages]

    def __call__(self, start: int, end: int) -> int | None:
        best, most = None, 0
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._pages) and self._pages[index].start < end:
            page = self._pages[index]
            shared = min(end, page.end) - max(start, page.start)
            if shared > most:
                best, most = page.page, shared
            index += 1
        return best
