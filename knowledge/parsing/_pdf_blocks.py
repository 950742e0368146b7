"""From the lines of PDF pages to Markdown blocks: paragraphs, headings, lists and code.

A PDF says where each line is printed, not what it is. Type size tells headings, the distance
between lines tells paragraphs, and a paragraph without an end goes on at the top of the next
column or page. Lines are joined by one space, so that a sentence can be found as it was written;
a word divided at a line's end is put together again.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from knowledge.parsing._pdf_rows import rows
from knowledge.parsing._text import escape_block_start
from knowledge.parsing.pages import Line

_BULLET = re.compile(r"(?:[•◦▪‣●○■□–—·*✓➢]|-|\uf0b7|\uf0a7|o(?=\s[A-ZÀ-Ý]))\s+(?=\S)")
_NUMBERED = re.compile(r"\(?(\d{1,3})[.)]\s+(?=\S)")
_SECTION_NUMBER = re.compile(r"(?:\d+(?:\.\d+)*|[A-Z]|[IVX]+)[.)]?\s")
_LEADERS = re.compile(r"(?:\s*[.…]\s*){4,}|(?:\s*_\s*){4,}")
_ENDED = re.compile(r"[.!?:;…][\"'”’»)\]]*$")
_LETTER_HYPHEN = re.compile(r"(\w+)[-‐\u00ad]$")
_FIRST_WORD = re.compile(r"\w+")
# Portuguese pronouns hang on their verb by a hyphen that is part of the word.
_CLITICS = frozenset("se me te lhe lhes nos vos lo la los las no na o a os as".split())  # noqa: SIM905
_HEADING_LENGTH = 200
_FULL_PAGE = 3  # lines: a paragraph does not run over from a page with fewer


@dataclass(slots=True)
class Block:
    """A block of text. ``kind``: paragraph, heading, item, code or table."""

    kind: str
    size: float
    text: str
    level: int = 0
    marker: str = ""
    pages: list[tuple[int, int]] = field(default_factory=list)  # (page index, offset in text)

    def markdown(self) -> tuple[str, int]:
        """The block's Markdown, and how many characters stand in it before ``text``."""
        match self.kind:
            case "heading":
                prefix = "#" * self.level + " "
            case "item":
                prefix = self.marker + " "
            case "table":
                return self.text, 0
            case "code":
                return f"```\n{self.text}\n```", 4
            case _:
                escaped = escape_block_start(self.text)
                return escaped, len(escaped) - len(self.text)
        return prefix + self.text, len(prefix)


@dataclass(frozen=True, slots=True)
class Typography:
    """What is usual in a document: sizes in points, ``pitch`` from line to line over size."""

    body: float
    pitch: float
    width: int  # characters of a full line
    heading_sizes: tuple[float, ...]  # largest first
    has_code: bool
    words: frozenset[str]

    @classmethod
    def of(cls, pages: Sequence[Sequence[Line]]) -> "Typography":
        lines = [line for page in pages for line in page]
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[_round(line.size)] += len(line.text)
        body = sizes.most_common(1)[0][0] if sizes else 10.0
        headings = {_round(line.size) for line in lines if _is_larger(line.size, body)}
        mono = sum(len(line.text) for line in lines if line.is_mono)
        lengths = sorted(len(line.text) for line in lines if _round(line.size) == body)
        words = {word.lower() for line in lines for word in re.findall(r"[\w-]+\w", line.text)}
        return cls(
            body=body,
            pitch=_pitch(pages),
            width=lengths[len(lengths) * 9 // 10] if lengths else 80,
            heading_sizes=tuple(sorted(headings, reverse=True)),
            has_code=mono < 0.4 * sum(sizes.values()),
            words=frozenset(words),
        )


def _round(size: float) -> float:
    return round(size * 2) / 2


def _is_larger(size: float, body: float) -> bool:
    return size >= body * 1.12


def _pitch(pages: Sequence[Sequence[Line]]) -> float:
    """The usual distance between the lines of a paragraph, as a multiple of the type size."""
    ratios = [
        (before.y - line.y) / line.size
        for page in pages
        for before, line in pairwise(page)
        if line.size
        and abs(before.size - line.size) < 1
        and 0.8 < (before.y - line.y) / line.size < 2.2
    ]
    return min(median(ratios), 1.8) if ratios else 1.2


def blocks(pages: Sequence[Sequence[Line]]) -> list[Block]:
    """The blocks of a document, in order; ``Block.pages`` says where each page begins."""
    typography = Typography.of(pages)
    found: list[Block] = []
    for index, lines in enumerate(pages):
        is_after_full = index > 0 and len(pages[index - 1]) >= _FULL_PAGE
        builder = _Builder(typography, found, index, is_after_full=is_after_full)
        for row in rows(lines):
            if isinstance(row, str):
                builder.take_table(row)
            else:
                builder.take(row)
    for block in found:
        if block.kind == "heading":
            block.level = _level(block, typography)
    return _without_bold_runs(found)


def _level(block: Block, typography: Typography) -> int:
    size = _round(block.size)
    larger = [step for step in typography.heading_sizes if step > size + 0.4]
    return min(6, len(_steps(larger)) + 1)


def _steps(sizes: Iterable[float]) -> list[float]:
    """Sizes that differ by more than measuring does."""
    steps: list[float] = []
    for size in sizes:
        if not steps or steps[-1] - size > 0.9:
            steps.append(size)
    return steps


def _without_bold_runs(found: list[Block]) -> list[Block]:
    """Bold lines in a row are emphasis or a form, not headings over nothing."""
    for before, block in pairwise(found):
        if before.kind == block.kind == "heading" and before.marker == block.marker == "bold":
            before.kind = "paragraph"
    return found


class _Builder:
    """Adds the lines of one page to the blocks so far."""

    def __init__(
        self, typography: Typography, found: list[Block], page: int, *, is_after_full: bool
    ) -> None:
        self._t = typography
        self._found = found
        self._page = page
        self._is_after_full = is_after_full  # text may run over from the page before
        self._before: Line | None = None  # the line before, unless a table stands between
        self._has_begun = False  # something of this page is in a block

    def take(self, line: Line) -> None:
        kind = self._kind(line)
        last = self._found[-1] if self._found else None
        if last is not None and self._joins(last, line, kind):
            self._join(last, line)
        else:
            self._open(line, kind)
        self._before = line
        self._has_begun = True

    def take_table(self, markdown: str) -> None:
        """Add a table that is Markdown already."""
        page = [] if self._has_begun else [(self._page, 0)]
        self._found.append(Block("table", self._t.body, markdown, pages=page))
        self._before = None
        self._has_begun = True

    def _kind(self, line: Line) -> str:
        if line.is_mono and self._t.has_code:
            return "code"
        if _is_larger(line.size, self._t.body) and len(line.text) <= _HEADING_LENGTH:
            return "heading"
        if _BULLET.match(line.text) or _NUMBERED.match(line.text):
            return "item"
        is_title = line.is_bold and len(line.text) <= 80 and not _ENDED.search(line.text)
        return "heading" if is_title and self._stands_apart(line) else "paragraph"

    def _stands_apart(self, line: Line) -> bool:
        """Above the line there is more space than between lines, or nothing."""
        before = self._before
        return before is None or not 0 < before.y - line.y <= 1.3 * self._t.pitch * line.size

    def _open(self, line: Line, kind: str) -> None:
        text, marker = line.text, ""
        if kind == "item":
            numbered = _NUMBERED.match(text)
            match = numbered or _BULLET.match(text)
            assert match is not None
            marker, text = (f"{numbered[1]}." if numbered else "-"), text[match.end() :]
        if kind == "heading" and not _is_larger(line.size, self._t.body):
            marker = "bold"
        text = _LEADERS.sub(" … ", text)
        page = [] if self._has_begun else [(self._page, 0)]
        self._found.append(Block(kind, line.size, text, marker=marker, pages=page))

    def _joins(self, last: Block, line: Line, kind: str) -> bool:
        if kind == "item" or _LEADERS.search(line.text) or last.text.endswith(" … "):
            return False
        if last.kind == "table":
            return False
        if kind == "code" or last.kind == "code":
            return kind == last.kind and self._before is not None
        if abs(line.size - last.size) > 0.12 * last.size and kind != last.kind:
            return False
        before = self._before
        if before is None:
            is_text = kind == last.kind == "paragraph"
            return is_text and self._is_after_full and self._runs_on(last, line)
        if kind == "heading" or last.kind == "heading":
            return kind == last.kind and self._goes_on_as_heading(last, before, line)
        if abs(before.y - line.y) < 0.4 * line.size:
            return True  # another piece of the same line
        if not self._is_next_line(before, line):
            moved_up = line.y > before.y
            return moved_up and kind == "paragraph" and self._runs_on(last, line)
        return not self._begins_paragraph(last, before, line)

    def _is_next_line(self, before: Line, line: Line) -> bool:
        return 0 < before.y - line.y <= 1.3 * self._t.pitch * max(line.size, before.size)

    def _goes_on_as_heading(self, last: Block, before: Line, line: Line) -> bool:
        """The second line of a long heading: same size, close below, no number of its own."""
        is_same = _is_larger(line.size, self._t.body) and abs(line.size - last.size) < 1
        is_close = abs(before.y - line.y) <= 1.4 * line.size
        return is_same and is_close and _SECTION_NUMBER.match(line.text) is None

    def _begins_paragraph(self, last: Block, before: Line, line: Line) -> bool:
        """A paragraph with no space above it: its first line is set in, or the last was short."""
        if not _ENDED.search(before.text) or line.text[:1].islower():
            return False
        is_set_in = line.x - before.x > 0.8 * line.size and last.kind == "paragraph"
        return is_set_in or len(before.text) < 0.7 * self._t.width

    def _runs_on(self, last: Block, line: Line) -> bool:
        """Whether a paragraph at the end of a page or column goes on in ``line``."""
        if last.kind not in ("paragraph", "item") or _ENDED.search(last.text):
            return False
        tail = last.text[-200:]
        return line.text[:1].islower() or len(tail) >= 0.8 * self._t.width

    def _join(self, last: Block, line: Line) -> None:
        text, glue = last.text, " "
        if last.kind == "code":
            glue = "\n"
        elif (match := _LETTER_HYPHEN.search(text)) and line.text[:1].islower():
            glue = ""
            if not self._keeps_hyphen(match[1], line.text):
                text = text[:-1]
        if not self._has_begun:
            last.pages.append((self._page, len(text) + len(glue)))
        last.text = text + glue + line.text

    def _keeps_hyphen(self, before: str, after: str) -> bool:
        """Whether the hyphen at the line's end belongs to the word."""
        match = _FIRST_WORD.match(after)
        rest = match[0].lower() if match else ""
        whole, hyphened = before.lower() + rest, f"{before.lower()}-{rest}"
        if whole in self._t.words:
            return False
        return hyphened in self._t.words or rest in _CLITICS or before[-1:].isdigit()
