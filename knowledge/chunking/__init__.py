"""Cutting a node's Markdown into passages: the unit that is embedded, found and cited.

How is a `Cutting`, which each kind may choose (`cutting.STRATEGIES`). By structure, the default:

1. Headings cut the text into sections; a passage never runs over a heading that has text of its
   own before it, and carries the headings above it as ``heading_path``. Nor does it run over the
   beginning of a page, unless a paragraph or code does.
2. A section that fits is one passage. A longer one is cut by semantic-text-splitter at the best
   boundaries it finds (blocks, list items, table rows, sentences, words), evenly filled.
3. Crumbs (a closing fence, a two-word tail) join a neighbour. A heading without text goes with
   the passage after it, so no passage is only a heading unless the text is nothing else.

Every passage is a slice: ``markdown[start:end] == text``. Everything that has a letter or a
digit is in at least one passage. The same input gives the same passages.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from knowledge.chunking._cutter import Cutter
from knowledge.chunking._methods import METHODS, Text
from knowledge.chunking.cutting import MAX_TOKENS, Cutting
from knowledge.chunking.types import PageRange, Passage, Piece, TokenCounter, estimate_tokens
from knowledge.outline import Outline, outline

__all__ = [
    "MAX_TOKENS",
    "Cutting",
    "PageRange",
    "Passage",
    "TokenCounter",
    "chunk",
    "cut",
    "estimate_tokens",
]

_FENCE = re.compile(r"^[ \t]*(?:`{3}|~{3})", re.MULTILINE)


def chunk(
    markdown: str,
    *,
    pages: Sequence[PageRange] | None = None,
    max_tokens: int = MAX_TOKENS,
    overlap: int = 0,
    count_tokens: TokenCounter = estimate_tokens,
) -> list[Passage]:
    """Cut ``markdown`` by structure into passages of about ``max_tokens``, at most a fifth more.

    ``overlap``: up to how many tokens of the passage before a passage in the same section
    repeats, from a sentence's start. A word longer than a passage is cut. ``[]`` for a text
    without a letter or digit. Raises ``ValueError`` for ``max_tokens`` below 20 or an
    ``overlap`` of half a passage or more.
    """
    if max_tokens < 20 or not 0 <= overlap < max_tokens / 2:
        raise ValueError("max_tokens must be at least 20 and overlap less than half of it")
    cutting = Cutting("structure", (("max_tokens", max_tokens), ("overlap", overlap)))
    return cut(markdown, cutting, pages=pages, count_tokens=count_tokens)


def cut(
    markdown: str,
    cutting: Cutting,
    *,
    pages: Sequence[PageRange] | None = None,
    count_tokens: TokenCounter = estimate_tokens,
) -> list[Passage]:
    """Cut ``markdown`` as a kind wants it. ``[]`` for a text without a letter or digit."""
    found = outline(markdown)
    page_at = _PageLookup(pages or ())
    cutter = Cutter(
        markdown,
        cutting.get("max_tokens"),
        cutting.get("overlap"),
        count_tokens,
        page_at.breaks(markdown),
    )
    passages: list[Passage] = []
    for piece in METHODS[cutting.strategy](Text(markdown, found, cutter), cutting):
        start = piece.start
        text = markdown[start : piece.end].rstrip()  # the splitter knows fewer kinds of white space
        end = start + len(text)
        passages.append(
            Passage(
                position=len(passages),
                start=start,
                end=end,
                text=text,
                heading_path=tuple(heading for _, heading in piece.path),
                tokens=count_tokens(text),
                page=page_at(start, end),
                context=_context(found, piece),
            )
        )
    return passages


def _context(found: Outline, piece: Piece) -> str:
    above = " > ".join(text for offset, text in piece.path if offset < piece.start and text)
    table = found.table_row_at(piece.start)
    return "\n".join(part for part in (above, piece.above, table.header if table else "") if part)


class _PageLookup:
    """Where pages begin, and which page holds most of a span."""

    def __init__(self, pages: Sequence[PageRange]) -> None:
        self._pages = [page for page in pages if page.end > page.start]
        self._starts = [page.start for page in self._pages]

    def breaks(self, markdown: str) -> tuple[int, ...]:
        """Where pages after the first begin: the first line, outside of code, that does there."""
        fences = [match.start() for match in _FENCE.finditer(markdown)] if self._starts else []
        found: dict[int, None] = {}
        for start in self._starts[1:]:
            line = start if markdown[start - 1] == "\n" else markdown.find("\n", start) + 1
            if line and bisect_left(fences, line) % 2 == 0:
                found[line] = None
        return tuple(found)

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
