"""Cuts a Markdown passage into the units an extractive answer can be made of.

A unit is a sentence, a list item or a table row, with its place in the passage and the headings,
lead-in and column names that it needs to be understood. Pure.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from project.inference.sentences import sentence_spans

Kind = Literal["sentence", "item", "step", "row"]

# Longer ones are no prose, and patterns take their time over them.
PASSAGE_LIMIT = 20_000
UNIT_LIMIT = 1500
ITEM_LIMIT = 320
POINTER_WORDS = 8
_LINK = re.compile(r"\[\[([^\]]+)\]\]")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*$")
_ITEM = re.compile(r"^(\s*)([-*+•]|\d{1,3}[.)])\s+(?=\S)")
_FENCE = re.compile(r"^\s*(```|~~~)")
_RULE = re.compile(r"^\s*([-*_])(\s*\1){2,}\s*$")
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*$")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_PLAIN = [
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),  # images: their description
    (re.compile(r"\[\[[^\]|]+\|([^\]]+)\]\]"), r"\1"),  # wiki links with a label
    (re.compile(r"\[\[([^\]]+)\]\]"), r"\1"),
    (re.compile(r"\[([^\]]+)\]\((?:[^()]|\([^)]*\))*\)"), r"\1"),
    (re.compile(r"\[\^?(\d+)\]"), r"(\1)"),  # must not be taken for a citation mark
    (re.compile(r"</?[a-zA-Z][^>]*>"), " "),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)[*_](?=\S)(.+?)(?<=\S)[*_](?!\w)"), r"\1"),
    (re.compile(r"`+([^`]+)`+"), r"\1"),
    (re.compile(r"^\s*>\s?", re.MULTILINE), ""),
    (re.compile(r"\s+"), " "),
]


@dataclass(frozen=True, slots=True)
class Unit:
    """One quotable piece: `passage[start:end]` in plain words, and what gives it its meaning.

    `heading` is the nearest one; `lead_in` what the unit completes: the sentence with a colon
    before a list, the question before an answer. `block` tells units of one list, table or
    paragraph from the next. `is_pointer`: it does little more than name another page.
    """

    text: str
    start: int
    end: int
    kind: Kind
    block: int
    heading: str = ""
    lead_in: str = ""
    is_pointer: bool = False


@dataclass
class _Line:
    text: str
    start: int


@dataclass
class _Cutter:
    """Walks over the lines once; a block ends at a blank line or where its kind ends."""

    source: str
    units: list[Unit] = field(default_factory=list)
    heading: str = ""
    lead_in: str = ""
    block: int = 0

    def cut(self) -> list[Unit]:
        for lines in _blocks(self.source):
            self.block += 1
            first = lines[0].text
            heading = _HEADING.match(first)
            if heading:
                self.heading, self.lead_in = plain(heading[1]), ""
            elif len(lines) > 1 and _TABLE_RULE.match(lines[1].text):
                self._table(lines)
            elif "|" in first and first.strip().startswith("|"):
                self._rows(lines, header=[])
            elif _ITEM.match(first):
                self._items(lines)
            else:
                self._paragraph(lines)
        return self.units

    def _paragraph(self, lines: list[_Line]) -> None:
        start, end = lines[0].start, lines[-1].start + len(lines[-1].text)
        asked = ""
        for a, b in sentence_spans(self.source[start:end]):
            text = plain(self.source[start + a : start + b])
            if text.endswith("?"):
                asked = text  # a question is answered by what follows it, not by itself
            elif text:
                self._add(text, start + a, start + b, "sentence", asked)
        last = self.units[-1].text if self.units and self.units[-1].block == self.block else ""
        self.lead_in = last if last.endswith(":") else ""

    def _items(self, lines: list[_Line]) -> None:
        lead_in = self.lead_in
        for group in _grouped_items(lines):
            mark = _ITEM.match(group[0].text)
            if mark is None:
                continue
            kind: Kind = "step" if mark[2][0].isdigit() else "item"
            start = group[0].start + mark.end()
            end = group[-1].start + len(group[-1].text)
            text = plain(self.source[start:end])
            if len(text) <= ITEM_LIMIT:
                if text:
                    self._add(text, start, end, kind, lead_in)
                continue
            for a, b in sentence_spans(self.source[start:end]):
                piece = plain(self.source[start + a : start + b])
                if piece:
                    self._add(piece, start + a, start + b, kind, lead_in)
        self.lead_in = ""

    def _table(self, lines: list[_Line]) -> None:
        self._rows(lines[2:], header=_cells(lines[0].text))

    def _rows(self, lines: list[_Line], header: list[str]) -> None:
        for line in lines:
            text = _row_text(_cells(line.text), header)
            if text and "|" in line.text:
                start = line.start + len(line.text) - len(line.text.lstrip())
                end = line.start + len(line.text.rstrip())
                self._add(text, start, end, "row", self.lead_in)
        self.lead_in = ""

    def _add(self, text: str, start: int, end: int, kind: Kind, near: str) -> None:
        links = _LINK.findall(self.source[start:end])
        words = text.count(" ") + 1 - sum(link.count(" ") + 1 for link in links)
        is_pointer = bool(links) and words < POINTER_WORDS
        unit = Unit(text, start, end, kind, self.block, self.heading, near, is_pointer)
        self.units.append(unit)


def units_of(passage: str) -> list[Unit]:
    """Return the units of a passage, in its order."""
    # Same length, so that the spans still point into the passage.
    source = _COMMENT.sub(lambda match: " " * len(match[0]), passage[:PASSAGE_LIMIT])
    return _Cutter(source).cut()


def plain(markdown: str) -> str:
    """Return a piece of inline Markdown as plain words on one line."""
    text = markdown[:UNIT_LIMIT]
    for pattern, replacement in _PLAIN:
        text = pattern.sub(replacement, text)
    return text.strip()


def _blocks(source: str) -> Iterator[list[_Line]]:
    block: list[_Line] = []
    fenced = False
    position = 0
    for raw in source.splitlines(keepends=True):
        line = _Line(raw.rstrip("\r\n"), position)
        position += len(raw)
        if _FENCE.match(line.text):
            fenced = not fenced
        breaks = not line.text.strip() or bool(_RULE.match(line.text)) or fenced
        if breaks or _FENCE.match(line.text):  # code is not prose: it is left out
            if block:
                yield block
            block = []
            continue
        alone = bool(_HEADING.match(line.text))
        if block and (alone or _kind_changes(block, line.text)):
            yield block
            block = []
        block.append(line)
        if alone:
            yield block
            block = []
    if block:
        yield block


def _kind_changes(block: list[_Line], text: str) -> bool:
    """Return whether a line begins another kind of block without a blank line before it."""
    in_list = bool(_ITEM.match(block[0].text))
    in_table = block[0].text.strip().startswith("|")
    if in_table:
        return "|" not in text
    if in_list:
        return text.strip().startswith("|")
    return bool(_ITEM.match(text)) or text.strip().startswith("|")


def _grouped_items(lines: list[_Line]) -> Iterator[list[_Line]]:
    group: list[_Line] = []
    for line in lines:
        if group and _ITEM.match(line.text):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


def _cells(line: str) -> list[str]:
    stripped = line.strip().strip("|").replace(r"\|", "\x00")
    return [plain(cell.replace("\x00", "|")) for cell in stripped.split("|")]


def _row_text(cells: list[str], header: list[str]) -> str:
    """Return a row as a phrase: "Adult — Line 1: R$ 38; Line 2: R$ 14"."""
    if not any(cells):
        return ""
    rest = []
    for number, cell in enumerate(cells[1:], start=1):
        name = header[number] if number < len(header) else ""
        if cell:
            rest.append(f"{name}: {cell}" if name else cell)
    return f"{cells[0]} — {'; '.join(rest)}" if rest and cells[0] else "; ".join(rest) or cells[0]
