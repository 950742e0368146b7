"""The strategies: each turns a text into pieces, in order, that lose no word of it."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from knowledge.chunking._cutter import SENTENCE_START, Cutter
from knowledge.chunking._sections import Section, sections_of
from knowledge.chunking.cutting import Cutting
from knowledge.chunking.types import Path, Piece, has_words
from knowledge.outline import Outline, Table, plain

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_ASKED = re.compile(
    r"[ \t]*(?:[-*+][ \t]+|\d{1,3}[.)][ \t]+)?(?:\*\*|__)?"
    r"(?:q|question|p|pergunta|pregunta|frage|domanda)[ \t]*\d*[ \t]*(?:\*\*|__)?[:.)–-]"
    r"(?:\*\*|__)?[ \t]*\S",
    re.I,
)
_BOLD_QUESTION = re.compile(r"[ \t]*(\*\*|__)(?=\S).*[?？][ \t]*\1[ \t]*\n?")
_QUESTION_CELLS = frozenset(
    {"q", "question", "questions", "pergunta", "perguntas", "pregunta", "frage", "domanda", "faq"}
)
_BLOCK = re.compile(r"[ \t]*(?:[-*+>|#]|\d{1,9}[.)][ \t])| {4}|\t")
_MARKER = re.compile(r"[ \t]*(?:>[ \t]*)*\d{1,9}[.)][ \t]+")
_FENCE = re.compile(r"[ \t]*(?:`{3}|~{3})")


@dataclass(frozen=True, slots=True)
class Text:
    """A text to cut, its outline, and what cuts its sections."""

    markdown: str
    found: Outline
    cutter: Cutter

    def sections(self, found: Outline | None = None) -> Iterator[Section]:
        """Its sections, by all of its headings or by those of another outline."""
        cutter = self.cutter
        return sections_of(
            self.markdown, found or self.found, cutter.count_tokens, cutter.max_tokens
        )

    def path_at(self, offset: int) -> Path:
        """The headings over an offset, with one that begins there."""
        path: list[tuple[int, int, str]] = []
        starts = [heading.start for heading in self.found.headings]
        for heading in self.found.headings[: bisect_right(starts, offset)]:
            while path and path[-1][0] >= heading.level:
                path.pop()
            path.append((heading.level, heading.start, heading.text))
        return tuple((start, text) for _level, start, text in path)

    def within(self, section: Section, start: int, end: int) -> Iterator[Piece]:
        """A part of a section, cut by structure; nothing for one without words."""
        if has_words(self.markdown, start, end):
            body = max(start, min(section.body, end))
            if not has_words(self.markdown, body, end):
                body = start
            for span in self.cutter.cut(Section(start, body, end, section.path)):
                yield Piece(*span, section.path)


def structure(text: Text, _cutting: Cutting) -> Iterator[Piece]:
    """One piece a section, more for a long one."""
    for section in text.sections():
        for span in text.cutter.cut(section):
            yield Piece(*span, section.path)


def heading(text: Text, cutting: Cutting) -> Iterator[Piece]:
    """As by structure, with headings down to a level."""
    level = cutting.get("level")
    upper = tuple(each for each in text.found.headings if each.level <= level)
    for section in text.sections(Outline(upper, text.found.tables)):
        for number, (start, end) in enumerate(text.cutter.cut(section)):
            yield Piece(start, end, text.path_at(start) if number else section.path)


def whole(text: Text, cutting: Cutting) -> Iterator[Piece]:
    """The text itself, if it is not too long."""
    start, end = text.cutter.trimmed(0, len(text.markdown))
    if not has_words(text.markdown, start, end):
        return
    if text.cutter.tokens(start, end) <= text.cutter.max_tokens:
        yield Piece(start, end, text.path_at(start))
    else:
        yield from structure(text, cutting)


def table_rows(text: Text, cutting: Cutting) -> Iterator[Piece]:
    """Some rows of a table a piece; what is between tables by structure."""
    rows = cutting.get("rows")
    tables, starts = text.found.tables, [table.start for table in text.found.tables]
    for section in text.sections():
        at = section.start
        inside = slice(bisect_left(starts, section.start), bisect_left(starts, section.end))
        for number, table in enumerate(tables[inside]):
            if number or has_words(text.markdown, section.body, table.start):
                yield from text.within(section, at, table.start)
                at = table.start  # a heading just above a table goes with its first row
            end = min(table.end, section.end)
            yield from _rows(text, section, table, at, end, rows)
            at = end
        yield from text.within(section, at, section.end)


def _rows(
    text: Text, section: Section, table: Table, start: int, end: int, rows: int
) -> Iterator[Piece]:
    """The rows of a table from `start`, where its first piece begins."""
    lines = [match.start() for match in _LINE.finditer(text.markdown, table.body, end)]
    if not lines:
        yield from text.within(section, start, end)
        return
    begin = start
    for number in range(0, len(lines), rows):
        last = lines[number + rows] if number + rows < len(lines) else end
        many = text.cutter.tokens(lines[number], last) > text.cutter.max_tokens
        ends = [*lines[number + 1 : number + rows], last] if many else [last]
        for each in ends:
            yield from text.within(section, begin, each)
            begin = each


def questions(text: Text, _cutting: Cutting) -> Iterator[Piece]:
    """A question and its answer a piece; what is neither by structure."""
    begun = _questions(text)
    for section in text.sections():
        first = bisect_left(begun, (section.start,))
        own = begun[first : bisect_left(begun, (section.end,))]
        if not own:
            yield from text.within(section, section.start, section.end)
            continue
        head = section.start if own[0][0] <= section.body else own[0][0]
        yield from text.within(section, section.start, head)
        bounds = [head, *(start for start, _asked in own[1:]), section.end]
        for (_start, asked), start, end in zip(own, bounds, bounds[1:], strict=False):
            for number, piece in enumerate(text.within(section, start, end)):
                is_above = any(heading == asked for _at, heading in section.path)
                yield piece._replace(above=asked if number and not is_above else "")


def _questions(text: Text) -> list[tuple[int, str]]:
    """Where questions begin, and what they ask, in order."""
    found = [
        (each.start, each.text)
        for each in text.found.headings
        if each.text[-1:] in "?？" and each.text
    ]
    for table in text.found.tables:
        if table.header.partition(" | ")[0].strip().casefold() in _QUESTION_CELLS:
            rows = _LINE.finditer(text.markdown, table.body, table.end)
            found += [(row.start(), plain(_first_cell(row[0]))) for row in rows]
    fence = ""
    for match in _LINE.finditer(text.markdown):
        line = match[0]
        if _FENCE.match(line):
            mark = line.strip()[:3]
            fence = "" if fence == mark else fence or mark
        elif not fence and (_ASKED.match(line) or _BOLD_QUESTION.fullmatch(line)):
            found.append((match.start(), plain(line.strip().strip("*_").strip())))
    return sorted(dict(reversed(found)).items())


def _first_cell(row: str) -> str:
    return row.strip().strip("|").split("|")[0].strip()


def sentences(text: Text, cutting: Cutting) -> Iterator[Piece]:
    """A window that moves over the sentences of a section."""
    size, repeated = cutting.get("sentences"), cutting.get("repeated")
    for section in text.sections():
        starts = list(_sentence_starts(text, section))
        bounds = [*starts, section.end]
        at = 0
        while at < len(starts):
            last = min(at + size, len(starts))
            while last > at + 1 and text.cutter.tokens(bounds[at], bounds[last]) > (
                text.cutter.max_tokens
            ):
                last -= 1
            yield from text.within(section, bounds[at], bounds[last])
            if last >= len(starts):
                break
            at = max(at + 1, last - repeated)
            while at < last and text.cutter.tokens(bounds[at], bounds[last + 1]) > (
                text.cutter.max_tokens
            ):
                at += 1  # repeats less, so that something new has room


def _sentence_starts(text: Text, section: Section) -> Iterator[int]:
    """Where sentences begin; a heading goes with the first, code and tables are one each."""
    yield section.start
    begins = max(section.body, section.start)
    tables = [table for table in text.found.tables if section.start <= table.start < section.end]
    fence, at = "", begins
    is_first = True
    for match in _LINE.finditer(text.markdown, begins, section.end):
        line, start = match[0], match.start()
        table = next((each for each in tables if each.start < start < each.end), None)
        if _FENCE.match(line):
            mark = line.strip()[:3]
            opens = not fence
            fence = "" if fence == mark else fence or mark
            if not opens:
                continue
        elif fence or table is not None:
            continue
        if not line.strip():
            at = match.end()
            continue
        begins_block = start == at or _BLOCK.match(line) is not None
        inner = [
            found.end() for found in SENTENCE_START.finditer(text.markdown, start, match.end())
        ]
        for each in [*([start] if begins_block else []), *inner]:
            if _MARKER.fullmatch(text.markdown, start, each):
                continue  # the number of a list item is no sentence
            if each < match.end() and has_words(text.markdown, each, match.end()):
                if not is_first:
                    yield each
                is_first = False


METHODS: dict[str, Callable[[Text, Cutting], Iterator[Piece]]] = {
    "structure": structure,
    "heading": heading,
    "whole": whole,
    "table_rows": table_rows,
    "questions": questions,
    "sentences": sentences,
}
