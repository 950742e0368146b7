"""Cutting a section that is too long, at the best boundaries, evenly filled."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

from knowledge.chunking._sections import Section
from knowledge.chunking.types import TokenCounter, has_words

_SLAB = 16_000  # characters given to the splitter at once; its time grows faster than its input
_FEWEST = 40  # characters: no passage is cut smaller for its token count
SENTENCE_START = re.compile(
    r"(?<=[.!?…])[\s\"')\]]+(?=\S)|(?<=[。！？])[」』”’]*\s*(?=\S)|\n+(?=\S)"
)


@dataclass(frozen=True, slots=True)
class Cutter:
    markdown: str
    max_tokens: int
    overlap: int
    count_tokens: TokenCounter
    breaks: tuple[int, ...] = ()
    """Where lines begin that are the first of a page: no passage runs over one."""

    def cut(self, section: Section) -> list[tuple[int, int]]:
        """The spans of a section's passages: not empty, in order, at least one word in each."""
        spans: list[tuple[int, int]] = []
        bounds = [section.start, *self._breaks_in(section), section.end]
        for start, end in pairwise(bounds):
            body = max(section.body, start)
            spans += self._cut_page(Section(start, body, end, section.path))
        return spans

    def _breaks_in(self, section: Section) -> Iterator[int]:
        """The breaks with words on either side, below the section's heading."""
        at = section.body
        inside = slice(bisect_right(self.breaks, at), bisect_left(self.breaks, section.end))
        for each in self.breaks[inside]:
            if has_words(self.markdown, at, each):
                if not has_words(self.markdown, each, section.end):
                    return
                yield each
                at = each

    def _cut_page(self, section: Section) -> list[tuple[int, int]]:
        start, end = self.trimmed(section.start, section.end)
        if self.tokens(start, end) <= self.max_tokens:
            return [(start, end)]
        body, _ = self.trimmed(section.body, end)
        spans: list[tuple[int, int]] = []
        for slab_start, slab_end in self._slabs(body, end):
            spans.extend(self.split(slab_start, slab_end))
        spans = self.without_crumbs(spans)
        spans[0] = (start, spans[0][1])
        if self.overlap:
            spans = [spans[0], *map(self._overlapping, spans, spans[1:])]
        return spans

    def tokens(self, start: int, end: int) -> int:
        return self.count_tokens(self.markdown[start:end])

    def trimmed(self, start: int, end: int) -> tuple[int, int]:
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

    def split(self, start: int, end: int, share: float = 1.0) -> list[tuple[int, int]]:
        """Cut at the best boundaries; what comes out too long in tokens is cut again, shorter."""
        text = self.markdown[start:end]
        tokens = self.count_tokens(text)
        if tokens <= self.max_tokens or len(text) <= _FEWEST:
            return [self.trimmed(start, end)] if text.strip() else []
        pieces = -(-tokens // self.max_tokens)
        capacity = max(_FEWEST, int(share * self.max_tokens * len(text) / tokens))
        filled = min(capacity, max(capacity // 2, len(text) // pieces))
        spans: list[tuple[int, int]] = []
        for offset, piece in _splitter(filled, capacity).chunk_indices(text):
            left, right = start + offset, start + offset + len(piece)
            is_whole = right - left == len(text)
            if self.tokens(left, right) > self.max_tokens * 1.2 and (not is_whole or share > 0.3):
                spans.extend(self.split(left, right, share * 0.8))
            else:
                spans.append(self._with_indentation(left, right, start))
        return spans

    def _with_indentation(self, start: int, end: int, floor: int) -> tuple[int, int]:
        line = max(self.markdown.rfind("\n", floor, start) + 1, floor)
        return (start if self.markdown[line:start].strip() else line), end

    def without_crumbs(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Join a span of a few tokens, or of no words, to the one before it, else after it."""
        least = self.max_tokens // 6
        joined: list[tuple[int, int]] = []
        crumb_first = False
        for start, end in spans:
            wordless = not has_words(self.markdown, start, end)
            is_crumb = wordless or self.tokens(start, end) < least
            if joined and (is_crumb or crumb_first):
                whole = (joined[-1][0], end)
                if wordless or crumb_first or self.tokens(*whole) <= self.max_tokens * 1.2:
                    crumb_first = crumb_first and is_crumb
                    joined[-1] = whole
                    continue
            crumb_first = is_crumb and not joined
            joined.append((start, end))
        return joined

    def _overlapping(self, before: tuple[int, int], span: tuple[int, int]) -> tuple[int, int]:
        """``span`` from an earlier sentence on, at most ``overlap`` tokens earlier."""
        start, end = span
        for match in SENTENCE_START.finditer(self.markdown, before[0], start):
            if match.end() < start and self.tokens(match.end(), start) <= self.overlap:
                return match.end(), end
        return span


class _Splitter(Protocol):
    def chunk_indices(self, text: str) -> list[tuple[int, str]]: ...


@lru_cache(maxsize=256)
def _splitter(filled: int, capacity: int) -> _Splitter:
    from semantic_text_splitter import MarkdownSplitter

    splitter: _Splitter = MarkdownSplitter((filled, capacity))
    return splitter
