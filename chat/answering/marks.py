"""Citation marks in a text that is still being written.

A model cites passage numbers of its prompt: `[4]`, `[4, 7]`, `[4][7]`. The reader gets numbers in
the order of first use, `[1] [2]`, and no mark that leads nowhere. Code is left alone, and so are
links such as `[4](address)`.
"""

import re
from dataclasses import dataclass

_WHOLE = re.compile(r"\[(\d{1,3}(?:[ \t]*[,;][ \t]*\d{1,3})*)\]")
_BEGUN = re.compile(r"\[(?:\d[\d \t,;]{0,30})?\]?\Z")
_TICKS = re.compile(r"`+|~+")
_SPECIAL = re.compile(r"[`~\[]")
_FENCE = 3  # ticks from which code goes on over lines


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to show; `cited` are the passages (numbers of the prompt) that it cites first."""

    text: str
    cited: tuple[int, ...] = ()


class MarkRewriter:
    """Feed text as it comes; what may be the beginning of a mark is held back until it is known.

    `order` lists the passages in the order of first use: `order[0]` is shown as `[1]`.
    """

    def __init__(self, passages: int) -> None:
        self.order: list[int] = []
        self._passages = passages
        self._held = ""
        self._code = ""  # the run of ticks that opened the code in which the text is
        self._shown = ""  # the end of what was given out

    def feed(self, text: str) -> Piece:
        """Return what has become certain."""
        return self._take(self._held + text, is_last=False)

    def finish(self) -> Piece:
        """Return the rest."""
        return self._take(self._held, is_last=True)

    def _take(self, text: str, *, is_last: bool) -> Piece:
        known = len(self.order)
        out: list[str] = []
        position = 0
        self._held = ""
        while position < len(text):
            rest = text[position:]
            ticks = _TICKS.match(rest)
            if ticks is not None:
                used = self._ticks(ticks[0], rest, out, is_last=is_last)
            elif rest[0] == "[" and not self._code:
                used = self._mark(rest, out, is_last=is_last)
            else:
                used = self._plain(rest, out)
            if used == 0:
                self._held = rest
                break
            position += used
        shown = "".join(out)
        self._shown = (self._shown + shown)[-2:]
        return Piece(shown, tuple(self.order[known:]))

    def _plain(self, rest: str, out: list[str]) -> int:
        """Give out the text up to the next character that may mean something."""
        special = _SPECIAL.search(rest, 1)
        stop = special.start() if special is not None else len(rest)
        if len(self._code) < _FENCE and "\n" in rest[:stop]:
            self._code = ""  # a tick that was never closed is no code
        out.append(rest[:stop])
        return stop

    def _ticks(self, run: str, rest: str, out: list[str], *, is_last: bool) -> int:
        """Give out a run of ticks, which may open or close code; 0 while it may grow."""
        if len(run) == len(rest) and not is_last:
            return 0
        if not self._code:
            self._code = run if run[0] == "`" or len(run) >= _FENCE else ""
        elif run[0] == self._code[0] and (
            len(run) == len(self._code)
            or (len(self._code) >= _FENCE and len(run) > len(self._code))
        ):
            self._code = ""
        out.append(run)
        return len(run)

    def _mark(self, rest: str, out: list[str], *, is_last: bool) -> int:
        """Give out the mark that `rest` begins with, or its bracket; 0 while that is open."""
        match = _WHOLE.match(rest)
        if match is None:
            if not is_last and _BEGUN.match(rest):
                return 0
            out.append("[")
            return 1
        following = rest[match.end() : match.end() + 1]
        if not following and not is_last:
            return 0  # "(" would make it a link
        if following == "(":
            out.append(match[0])
            return match.end()
        numbers = [int(number) for number in re.findall(r"\d+", match[1])]
        out.append(self._shown_as(numbers, "".join(out)))
        return match.end()

    def _shown_as(self, numbers: list[int], before: str) -> str:
        """Return the marks of those passages, apart from a mark right before them."""
        marks = []
        for number in numbers:
            if not 1 <= number <= self._passages:
                continue
            if number not in self.order:
                self.order.append(number)
            mark = f"[{self.order.index(number) + 1}]"
            if mark not in marks:
                marks.append(mark)
        if not marks:
            return ""
        touching = (self._shown + before).endswith("]")
        return (" " if touching else "") + " ".join(marks)
