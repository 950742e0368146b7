"""A Markdown text in sentences with their offsets, found line by line.

List items and table rows are blocks of their own; code and headings hold no sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from project.markdown import WIKI_LINK, plain_text

_WORD = re.compile(r"[^\W_]+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s|$)|\s*(?:=+|-+|\*{3,}|_{3,})\s*$")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?|\s*>\s?")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_MARKUP = re.compile(r"[*_`\[\]<>|~\\&]")
# A sentence ends at .!?; before white space, but not after an abbreviation.
_END = re.compile(r"(?<=[.!?…;])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*\S)")
_SHORT = re.compile(
    r"(?:\b(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Dra|Sr|Sra|St|No|no|nº|Nº|art|Art|e\.g|i\.e|cf|vs|pág|p|tel"
    r"|Tel|approx|aprox|ex|min|max|máx|Prof|Inc|Ltd|Ltda|jan|fev|mar|abr|jun|jul|ago|set|out"
    r"|nov|dez|Av|R))\.$"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence or a table row: `content[start:end]` is its source, `text` is plain.

    `said` leaves out links that show the title of their target: it says nothing of this subject.
    `headings` are those above it, outermost first; `header` is the first row of its table.
    """

    text: str
    said: str
    start: int
    end: int
    headings: tuple[str, ...]
    header: str = ""


@dataclass(frozen=True, slots=True)
class _Block:
    start: int
    end: int
    headings: tuple[str, ...]
    header: str = ""
    is_row: bool = False


def sentences(content: str) -> list[Sentence]:
    """Return the sentences of a Markdown text in order."""
    found: list[Sentence] = []
    for block in _Blocks(content).all():
        spans = [(block.start, block.end)] if block.is_row else _split(content, block)
        for start, end in spans:
            source = content[start:end]
            text = _shown(source, is_row=block.is_row)
            if _WORD.search(text):
                end = start + len(source.rstrip())
                bare = WIKI_LINK.sub(lambda link: link["text"] or " ", source)
                said = text if bare == source else _shown(bare, is_row=block.is_row)
                found.append(Sentence(text, said, start, end, block.headings, block.header))
    return found


def _shown(source: str, *, is_row: bool) -> str:
    return " | ".join(_cells(source)) if is_row else _plain(source)


def unheaded_stretches(content: str, starts: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Return the start and number of words of the stretches between headings longer than `most`.

    `starts` are the offsets of the headings, in order.
    """
    edges = [0, *starts, len(content)]
    counted = [(low, len(_WORD.findall(content, low, high))) for low, high in pairwise(edges)]
    return [(start, count) for start, count in counted if count > most]


def _plain(source: str) -> str:
    return " ".join((plain_text(source) if _MARKUP.search(source) else source).split())


def _cells(row: str) -> list[str]:
    cells = row.strip().strip("|").replace("\\|", "\0").split("|")
    return [text for cell in cells if (text := _plain(cell.replace("\0", "|").strip()))]


def _split(content: str, block: _Block) -> Iterator[tuple[int, int]]:
    """Yield the spans of the sentences of a block."""
    item = _ITEM.match(content, block.start, block.end)
    at = item.end() if item else block.start
    for match in _END.finditer(content, at, block.end):
        closing = match.start()
        if content[closing - 1] == "." and _SHORT.search(content, max(at, closing - 12), closing):
            continue
        yield at, closing + len(match[0].rstrip())
        at = match.end()
    if content[at : block.end].strip():
        yield at, block.end


class _Blocks:
    """The scan: paragraphs, list items and table rows, with what stands above them."""

    def __init__(self, content: str) -> None:
        self.content = content
        self.path: list[tuple[int, str]] = []
        self.fence = ""
        self.header = ""
        self.open_at: int | None = None

    def all(self) -> Iterator[_Block]:
        lines = [(match.start(), match[0]) for match in _LINE.finditer(self.content)]
        following = [text for _at, text in lines[1:]] + [""] * bool(lines)
        for (at, line), after in zip(lines, following, strict=True):
            kind = self._kind(line)
            if kind != "prose" and self.open_at is not None:
                yield self._paragraph(at)
            if kind == "row":
                row = self._row(at, line, after)
                if row is not None:
                    yield row
            elif kind in {"prose", "item"}:
                self.open_at = at if self.open_at is None else self.open_at
            else:
                self._mark(kind, line)
        if self.open_at is not None:
            yield self._paragraph(len(self.content))

    def _kind(self, line: str) -> str:
        opening = _FENCE.match(line)
        if self.fence or opening:
            if not self.fence and opening:
                self.fence = opening[1][0]
            elif opening and opening[1][0] == self.fence:
                self.fence = ""
            return "code"
        if not line.strip():
            return "blank"
        if line.lstrip().startswith("|") or (self.header and "|" in line):
            return "row"
        if _HEADING.match(line):
            return "heading"
        return "item" if _ITEM.match(line) else "prose"

    def _mark(self, kind: str, line: str) -> None:
        """Take note of a heading, a blank line or code."""
        self.header = ""
        heading = _HEADING.match(line) if kind == "heading" else None
        if heading and heading[1]:
            level = len(heading[1])
            self.path = [each for each in self.path if each[0] < level]
            self.path.append((level, _plain(line.strip().strip("#"))))

    def _row(self, at: int, line: str, after: str) -> _Block | None:
        if _TABLE_RULE.match(line):
            return None
        if not self.header and _TABLE_RULE.match(after):
            self.header = " | ".join(_cells(line)) or " "
            return None
        return _Block(at, at + len(line), self._names(), self.header or " ", is_row=True)

    def _paragraph(self, end: int) -> _Block:
        assert self.open_at is not None
        block = _Block(self.open_at, end, self._names())
        self.open_at = None
        return block

    def _names(self) -> tuple[str, ...]:
        return tuple(text for _level, text in self.path)
