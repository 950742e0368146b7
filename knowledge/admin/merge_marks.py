"""Undecided places inside a merged text, between marks such as other tools write.

`<<<<<<< 2`, mine, `======= 2`, theirs, `>>>>>>> 2`: each mark on a line of its own, with the number
of the place. Pages with scripts replace them as people choose; without, people edit them.
"""

import re

_MARK = re.compile(r"^(?:<{7}|>{7}) \d+\r?$", re.MULTILINE)


def marked(number: int, mine: str, theirs: str, newline: str) -> str:
    """Return both texts of a place between marks."""
    parts = [f"{'<' * 7} {number}{newline}", _ended(mine, newline)]
    parts += [f"{'=' * 7} {number}{newline}", _ended(theirs, newline)]
    return "".join([*parts, f"{'>' * 7} {number}{newline}"])


def has_marks(text: str) -> bool:
    """Return whether a place in a text is still undecided."""
    return _MARK.search(text) is not None


def _ended(text: str, newline: str) -> str:
    return text if not text or text.endswith("\n") else text + newline
