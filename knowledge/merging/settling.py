"""Where a change stands that could stand in several places, such as one of two equal lines."""

from collections.abc import Hashable, Sequence


def gaps_of(changed: Sequence[bool]) -> list[bool]:
    """Return whether there is a change before each kept unit, and behind the last of them."""
    gaps = [False]
    for is_changed in changed:
        if is_changed:
            gaps[-1] = True
        else:
            gaps.append(False)
    return gaps


def settle(units: Sequence[Hashable], changed: list[bool], other: Sequence[bool]) -> None:
    """Move each run of changed units that could stand elsewhere; `other` is the other side's gaps.

    As GNU diff and git do: a run goes up as far as it can and joins what it meets, then down in the
    same way; there it stays, or goes back to the last place where the other side has a change.
    """
    at = kept = 0
    while at < len(units):
        if not changed[at]:
            at, kept = at + 1, kept + 1
            continue
        run = _Run(units, changed, at, kept)
        size = -1
        while size != run.end - run.start:
            size = run.end - run.start
            while run.can_rise():
                run.rise()
            meets = run.kept if other[run.kept] else -1
            while run.can_sink():
                run.sink()
                if other[run.kept]:
                    meets = run.kept
        while 0 <= meets < run.kept:
            run.rise()
        at, kept = run.end, run.kept


class _Run:
    """A run of changed units from `start` to `end`, with `kept` unchanged ones before it."""

    def __init__(
        self, units: Sequence[Hashable], changed: list[bool], start: int, kept: int
    ) -> None:
        self._units, self._changed = units, changed
        self.start = self.end = start
        self.kept = kept
        self._grow()

    def can_rise(self) -> bool:
        """Return whether the unit before equals the last one."""
        return self.start > 0 and self._units[self.start - 1] == self._units[self.end - 1]

    def can_sink(self) -> bool:
        """Return whether the unit behind equals the first one."""
        return self.end < len(self._units) and self._units[self.start] == self._units[self.end]

    def rise(self) -> None:
        """Move up by one unit, and join what is met."""
        self.start, self.end, self.kept = self.start - 1, self.end - 1, self.kept - 1
        self._changed[self.start], self._changed[self.end] = True, False
        while self.start > 0 and self._changed[self.start - 1]:
            self.start -= 1

    def sink(self) -> None:
        """Move down by one unit, and join what is met."""
        self._changed[self.start], self._changed[self.end] = False, True
        self.start, self.end, self.kept = self.start + 1, self.end + 1, self.kept + 1
        self._grow()

    def _grow(self) -> None:
        while self.end < len(self._units) and self._changed[self.end]:
            self.end += 1
