"""Splitting a streaming Markdown text into its top-level blocks.

The reader of a streaming answer sees plain text for the block being written and rendered HTML
for each finished one. The splitter says, for every piece of text, which block it belongs to, and
when a block is over. It never changes a character: the pieces, joined, are the input.

A block ends at a blank line, except inside a fence, and except in a list whose next line goes on
(a further item, or an indented line). Doubt is settled towards one larger block: that renders as
the whole text does, while a cut in the wrong place would not. Footnotes and link references that
are defined in another block than their use are resolved only when the whole text is rendered.
"""

import re
from dataclasses import dataclass

_SPACE = " \t\r\n"
_ITEM = r"(?:[-*+]|\d{1,9}[.)])"
_FENCE = re.compile(
    rf"(?P<before>[ \t]*(?P<items>(?:{_ITEM}[ \t]+)*))(?P<run>`{{3,}}|~{{3,}})(?P<info>.*)"
)
# What may go on after a blank line: a list item, or the definition of a footnote.
_ITEM_START = re.compile(rf"[ \t]*(?:{_ITEM}(?:[ \t\r\n]|$)|\[\^[^\]]+\]:)")
# The start of a line from which a list item cannot yet be told apart from other text.
_UNDECIDED = re.compile(rf"[ \t\r]*(?:{_ITEM}|\d{{1,9}})?")


@dataclass(frozen=True, slots=True)
class BlockText:
    """``text`` is the next piece of block number ``block`` (0, 1, 2, ...)."""

    block: int
    text: str


@dataclass(frozen=True, slots=True)
class BlockClosed:
    """Block ``block`` is complete; ``markdown`` is all of it, with the blank lines after it."""

    block: int
    markdown: str


BlockEvent = BlockText | BlockClosed


class BlockSplitter:
    """Feed text as it arrives; each call returns what became certain, in order.

    Text is passed on at once, except at the start of a line after a blank line in or after a
    block, where up to a list marker's length of it is held back until it is clear which block it
    belongs to. ``finish`` releases the rest and closes the last block; no call may follow it.
    A text without anything but white space has the one block 0.
    """

    def __init__(self) -> None:
        self._block = 0
        self._parts: list[str] = []  # the current block so far
        self._line = ""  # the current line so far, held text included
        self._held = ""  # the end of the current line that has no block yet
        self._blank_before = False  # a blank line precedes the current line
        self._has_text = False  # the block holds more than white space
        self._in_list = False
        self._is_code = False  # the block began as indented code
        self._fence: _Fence | None = None

    def feed(self, text: str) -> list[BlockEvent]:
        """Take the next piece of the text, of any length."""
        events: list[BlockEvent] = []
        for part in _at_newlines(text):
            self._take(part, events)
        return _joined(events)

    def finish(self) -> list[BlockEvent]:
        """The text is over: release what was held and close the last block."""
        events: list[BlockEvent] = []
        if self._held:
            self._decide(events)
        if self._parts:
            events.append(BlockClosed(self._block, "".join(self._parts)))
            self._parts = []
        return _joined(events)

    def _take(self, part: str, events: list[BlockEvent]) -> None:
        """Take a part of one line; it may end with the line's newline."""
        self._line += part
        self._held += part
        if self._may_end_block() and not part.endswith("\n"):
            undecided = _UNDECIDED.fullmatch(self._line) if self._in_list else None
            if undecided or not self._line.strip(_SPACE):
                return
            self._decide(events)
        else:
            if self._line.strip(_SPACE) and self._may_end_block():
                self._decide(events)
            self._emit(events)
        if part.endswith("\n"):
            self._end_line()

    def _may_end_block(self) -> bool:
        """Whether the current line, if it has text, could begin a new block."""
        can_leave = self._fence is None or self._fence.least_indent > 0
        return self._blank_before and self._has_text and can_leave

    def _decide(self, events: list[BlockEvent]) -> None:
        """Give the held start of a line after a blank line to this block or to a new one."""
        if self._line.strip(_SPACE) and self._has_text and not self._continues():
            events.append(BlockClosed(self._block, "".join(self._parts)))
            self._block += 1
            self._parts = []
            self._has_text = self._in_list = self._is_code = False
            self._fence = None
        self._emit(events)

    def _continues(self) -> bool:
        """Whether the line after a blank one belongs to the fence, list or code before it."""
        if self._fence is not None and not self._fence.is_left_by(self._line):
            return True
        if self._is_code and self._line.startswith(("    ", "\t")):
            return True
        if not self._in_list:
            return False
        return self._line.startswith(("  ", "\t")) or _ITEM_START.match(self._line) is not None

    def _emit(self, events: list[BlockEvent]) -> None:
        if self._held:
            events.append(BlockText(self._block, self._held))
            self._parts.append(self._held)
            if self._line.strip(_SPACE):
                self._blank_before = False
                if not self._has_text:
                    self._has_text = True
                    self._is_code = self._line.startswith(("    ", "\t"))
            self._held = ""

    def _end_line(self) -> None:
        """Note what the finished line opened or closed."""
        line, self._line = self._line, ""
        if not line.strip(_SPACE):
            self._blank_before = True
            return
        self._blank_before = False
        if self._fence is not None and not self._fence.is_left_by(line):
            if self._fence.is_closed_by(line):
                self._fence = None
            return
        self._fence = None
        if _ITEM_START.match(line):
            self._in_list = True
        opening = _FENCE.match(line)
        if opening is not None:
            self._fence = _Fence.opened_by(opening, in_list=self._in_list)


@dataclass(frozen=True, slots=True)
class _Fence:
    """An open fence: its run of back-ticks or tildes, and where a line leaves its list item."""

    run: str
    column: int
    least_indent: int

    @classmethod
    def opened_by(cls, match: re.Match[str], *, in_list: bool) -> "_Fence | None":
        if match["run"][0] == "`" and "`" in match["info"]:
            return None  # inline code
        column = len(match["before"].expandtabs(4))
        if not in_list:
            return cls(match["run"], column, 0) if column <= 3 else None
        return cls(match["run"], column, column if match["items"] else max(0, column - 3))

    def is_left_by(self, line: str) -> bool:
        return _indent(line) < self.least_indent

    def is_closed_by(self, line: str) -> bool:
        run = line.strip(_SPACE)
        is_run = not run.strip(self.run[0]) and len(run) >= len(self.run)
        return is_run and _indent(line) <= max(3, self.column + 3 if self.least_indent else 3)


def _indent(line: str) -> int:
    line = line.expandtabs(4)
    return len(line) - len(line.lstrip(" "))


def _at_newlines(text: str) -> list[str]:
    parts = [part + "\n" for part in text.split("\n")]
    parts[-1] = parts[-1][:-1]
    return [part for part in parts if part]


def _joined(events: list[BlockEvent]) -> list[BlockEvent]:
    """Adjacent pieces of one block as one event."""
    joined: list[BlockEvent] = []
    for event in events:
        last = joined[-1] if joined else None
        if (
            isinstance(event, BlockText)
            and isinstance(last, BlockText)
            and event.block == last.block
        ):
            joined[-1] = BlockText(last.block, last.text + event.text)
        else:
            joined.append(event)
    return joined
