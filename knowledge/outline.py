"""The outline of a Markdown text: headings and tables with their offsets, found line by line.

A full Markdown parse costs about a second per megabyte; this scan costs a fiftieth and knows
just enough: fenced and indented code holds no headings, and a table has a header row.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from project.markdown import plain_text

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*\n?")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*\n?")
_FENCE = re.compile(
    r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`\n]*$)|~{3,})", re.MULTILINE
)
_DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\n?")
_NOT_SETEXT = re.compile(r"[ \t]*(?:[-*+>|#]|\d{1,9}[.)][ \t]|```|~~~)| {4}|\t")
_MARKUP = re.compile(r"[*_`\[\]<&\\~!|]")


@dataclass(frozen=True, slots=True)
class Heading:
    """``start``/``end``: offsets of its line or lines; ``text`` is plain."""

    start: int
    end: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table from ``start`` to ``end``; its rows begin at ``body``; ``header`` is plain."""

    start: int
    body: int
    end: int
    header: str


@dataclass(frozen=True, slots=True)
class Outline:
    """Headings and tables of a text, in order."""

    headings: tuple[Heading, ...]
    tables: tuple[Table, ...]

    def table_row_at(self, offset: int) -> Table | None:
        """The table of which ``offset`` is in a row below the header."""
        index = bisect_right(self.tables, offset, key=lambda table: table.start) - 1
        if index < 0:
            return None
        table = self.tables[index]
        return table if table.body <= offset < table.end else None


def outline(markdown: str) -> Outline:
    """Scan ``markdown`` once."""
    scan = _Scan(markdown)
    for match in _LINE.finditer(markdown):
        scan.take(match[0], match.start())
    scan.end_table(len(markdown))
    return Outline(tuple(scan.headings), tuple(scan.tables))


class _Scan:
    def __init__(self, markdown: str) -> None:
        self.markdown = markdown
        self.headings: list[Heading] = []
        self.tables: list[Table] = []
        self.fence = ""
        self.previous = ("", 0)  # the line before, and its offset
        self.before_previous = ""
        self.table: tuple[int, int, str] | None = None  # start, body, header line

    def take(self, line: str, offset: int) -> None:
        if self.fence:
            run = line.strip()
            if len(run) >= len(self.fence) and not run.strip(self.fence[0]):
                self.fence = ""
                line = ""
        elif (opening := _FENCE.match(line)) is not None:
            self.end_table(offset)
            self.fence = opening[1]
        elif self.table is not None and ("|" not in line or not line.strip()):
            self.end_table(offset)
            self._heading(line, offset)
        elif self.table is None and not self._heading(line, offset):
            self._table(line, offset)
        self.before_previous = self.previous[0]
        self.previous = (line, offset)

    def end_table(self, offset: int) -> None:
        if self.table is not None:
            start, body, header = self.table
            cells = (cell.strip() for cell in header.strip().strip("|").split("|"))
            self.tables.append(Table(start, body, offset, plain(" | ".join(filter(None, cells)))))
            self.table = None

    def _heading(self, line: str, offset: int) -> bool:
        if (match := _ATX.fullmatch(line)) is not None:
            text = plain((match[2] or "").strip())
            self.headings.append(Heading(offset, offset + len(line), len(match[1]), text))
            return True
        title, start = self.previous
        if (
            (match := _SETEXT.fullmatch(line)) is not None
            and title.strip()
            and not self.before_previous.strip()
            and _NOT_SETEXT.match(title) is None
            and "|" not in title
        ):
            level = 1 if match[1][0] == "=" else 2
            self.headings.append(Heading(start, offset + len(line), level, plain(title.strip())))
            return True
        return False

    def _table(self, line: str, offset: int) -> None:
        header, start = self.previous
        if "|" in header and "-" in line and _DELIMITER.fullmatch(line) is not None:
            self.table = (start, offset + len(line), header)


def plain(text: str) -> str:
    """One line of Markdown as plain text; the parser is asked only where there is markup."""
    return plain_text(text).replace("\n", " ") if _MARKUP.search(text) else text
