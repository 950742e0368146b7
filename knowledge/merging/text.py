"""Three-way merge of texts: by lines, then by words inside a paragraph that both sides changed.

The regions of a merge are those of diff3 (Khanna, Kunal, Pierce, "A Formal Investigation of Diff3",
2007): what one side alone changed is taken, what both changed alike is taken once, and the rest is
a conflict. Line ends are compared apart from the lines, so that a browser's line ends or a missing
last one are no conflict. Everything is symmetric: swapping the sides swaps their names only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from knowledge.merging.aligning import Region, common_ends, hunks_of, regions_of

WORD_CHARS = 40_000
"""Of one side of a conflict whose words are compared."""
APART = 2
"""Unchanged words that must stand between the changes of two sides; fewer are one conflict."""
ALIKE = 0.5
"""Of the words of the shorter text that a side must share with the base to be merged by words."""

Kind = Literal["same", "ours", "theirs", "both", "words", "conflict"]

_LINES = re.compile(r"([^\n]*?)(\r?\n|\Z)")
_WORDS = re.compile(r"(\w+|[^\w\s]|)(\s+|)")


class Unit(NamedTuple):
    """A line or a word: what is compared, and the white space behind it, which is merged."""

    text: str
    tail: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a merge: the texts of the three that stand there, and what becomes of them.

    `text` is the merged text; empty in a conflict, where people choose between `with_ours` and
    `with_theirs`: that side's words where both changed the same, and all other changes. Whatever
    the kind, the `base`, `ours` and `theirs` of all pieces together are the texts that went in,
    with the line ends of the result where each had one kind of them.
    """

    kind: Kind
    base: str
    ours: str
    theirs: str
    text: str = ""
    with_ours: str = ""
    with_theirs: str = ""


@dataclass(frozen=True)
class TextMerge:
    """A merge of three texts in pieces. `newline` is the line end of the result."""

    pieces: tuple[Piece, ...]
    newline: str = "\n"

    @cached_property
    def conflicts(self) -> tuple[Piece, ...]:
        """The pieces that both sides changed differently."""
        return tuple(piece for piece in self.pieces if piece.kind == "conflict")

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to be chosen."""
        return not self.conflicts

    def rendered(self, choices: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
        """Return the text with a choice for each conflict, and where (start, end) these stand."""
        waiting = iter(choices)
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        length = 0
        for piece in self.pieces:
            is_conflict = piece.kind == "conflict"
            text = next(waiting) if is_conflict else piece.text
            if text and parts and not parts[-1].endswith("\n"):
                parts[-1] += self.newline
                length += len(self.newline)
            if is_conflict:
                spans.append((length, length + len(text)))
            if text:
                parts.append(text)
                length += len(text)
        return "".join(parts), spans

    def text_of(self, side: Literal["ours", "theirs"] = "ours") -> str:
        """Return the merged text, with that side's words where there is a conflict."""
        return self.rendered([getattr(piece, f"with_{side}") for piece in self.conflicts])[0]


def merge_texts(base: str, ours: str, theirs: str, *, by_words: bool = True) -> TextMerge:
    """Merge what two sides made of a text. Without `by_words`, lines are the smallest part."""
    newline, is_uniform = _newline_of(base, ours, theirs)
    if is_uniform:
        base, ours, theirs = (_with_newline(each, newline) for each in (base, ours, theirs))
    sides = lines_of(base), lines_of(ours), lines_of(theirs)
    pieces: list[Piece] = []
    for region in regions_of(*([unit.text for unit in side] for side in sides)):
        units = _cut(sides, region)
        piece = _decided(region, *units)
        if piece is not None:
            pieces.append(piece)
        elif by_words:
            pieces += _by_words(*units) or _by_ends(*units)
        else:
            pieces += _by_ends(*units)
    return TextMerge(tuple(pieces), newline)


def lines_of(text: str) -> list[Unit]:
    """Return the lines; only \\n and \\r\\n end one, as in every tool that compares lines."""
    units = [Unit(*found.groups()) for found in _LINES.finditer(text)]
    return [unit for unit in units if unit.text or unit.tail]


def words_of(text: str) -> list[Unit]:
    """Return the words and the marks between them, each with the white space behind it."""
    units = [Unit(*found.groups()) for found in _WORDS.finditer(text)]
    return [unit for unit in units if unit.text or unit.tail]


def with_line_ends_of(text: str, like: str) -> str:
    """Return a text with the line ends of another where that has only one kind of them."""
    style = _style_of(like)
    return _with_newline(text, style) if style in {"\n", "\r\n"} else text


Units = Sequence[Unit]


def _cut(sides: tuple[Units, Units, Units], region: Region) -> tuple[Units, Units, Units]:
    return sides[0][region.base], sides[1][region.ours], sides[2][region.theirs]


def _decided(region: Region, base: Units, ours: Units, theirs: Units) -> Piece | None:
    """Return the piece of a region that needs no choice, else None."""
    texts = _join(base), _join(ours), _join(theirs)
    if not region.by_ours and not region.by_theirs:
        tails = zip(base, ours, theirs, strict=True)
        return Piece("same", *texts, "".join(_with_tail(*three) for three in tails))
    if not region.by_theirs:
        return Piece("ours", *texts, texts[1])
    if not region.by_ours:
        return Piece("theirs", *texts, texts[2])
    if [unit.text for unit in ours] == [unit.text for unit in theirs]:
        longest = (max(pair, key=_weight) for pair in zip(ours, theirs, strict=True))
        return Piece("both", *texts, _join(list(longest)))
    return None


def _by_words(base: Units, ours: Units, theirs: Units) -> list[Piece] | None:
    """Merge a region by its words, in pieces of whole lines; None when the texts are too unlike.

    Pieces end behind a word that all three share at an end of a line. One that holds a conflict is
    a conflict as a whole: people choose between lines, not syllables.
    """
    texts = [_join(side) for side in (base, ours, theirs)]
    if not all(texts) or max(map(len, texts)) > WORD_CHARS:
        return None
    sides = words_of(texts[0]), words_of(texts[1]), words_of(texts[2])
    keys = [[unit.text for unit in side] for side in sides]
    if not (_are_alike(keys[0], keys[1]) and _are_alike(keys[0], keys[2])):
        return None
    pieces: list[Piece] = []
    group: list[Piece] = []
    for region in regions_of(*keys, apart=APART):
        units = _cut(sides, region)
        if region.by_ours or region.by_theirs:
            decided = _decided(region, *units)
            group.append(decided or _conflict(*units))
            continue
        for three in zip(*units, strict=True):
            raw = _join(three[:1]), _join(three[1:2]), _join(three[2:])
            group.append(Piece("same", *raw, _with_tail(*three)))
            if all("\n" in unit.tail for unit in three):
                pieces.append(_as_one(group))
                group = []
    if group:
        pieces.append(_as_one(group))
    return pieces


def _as_one(group: Sequence[Piece]) -> Piece:
    """Return one piece for neighbours: a conflict if one of them is."""
    texts = (
        "".join(piece.base for piece in group),
        "".join(piece.ours for piece in group),
        "".join(piece.theirs for piece in group),
    )
    kinds = {piece.kind for piece in group}
    if "conflict" in kinds:
        with_ours = "".join(piece.with_ours or piece.text for piece in group)
        with_theirs = "".join(piece.with_theirs or piece.text for piece in group)
        return Piece("conflict", *texts, with_ours=with_ours, with_theirs=with_theirs)
    merged = "".join(piece.text for piece in group)
    kind: Kind = "same" if kinds == {"same"} and len(set(texts)) == 1 else "words"
    return Piece(kind, *texts, merged)


def _by_ends(base: Units, ours: Units, theirs: Units) -> list[Piece]:
    """Return a conflict without the first and last lines that both sides have alike."""
    head, tail = common_ends(ours, theirs)
    pieces = [
        _shared(ours[:head]),
        _conflict(base, ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]),
        _shared(ours[len(ours) - tail :]),
    ]
    return [piece for piece in pieces if piece.base or piece.ours or piece.theirs]


def _conflict(base: Units, ours: Units, theirs: Units) -> Piece:
    one, two = _join(ours), _join(theirs)
    return Piece("conflict", _join(base), one, two, with_ours=one, with_theirs=two)


def _shared(units: Units) -> Piece:
    text = _join(units)
    return Piece("both", "", text, text, text)


def _are_alike(base: Sequence[str], side: Sequence[str]) -> bool:
    changed = sum(hunk.high - hunk.low for hunk in hunks_of(base, side))
    return len(base) - changed >= ALIKE * min(len(base), len(side))


def _join(units: Sequence[Unit]) -> str:
    return "".join(text + tail for text, tail in units)


def _with_tail(base: Unit, ours: Unit, theirs: Unit) -> str:
    """Return a unit that all three share, with its white space merged; both changed: the longer."""
    if ours.tail == base.tail:
        return base.text + theirs.tail
    if theirs.tail == base.tail:
        return base.text + ours.tail
    return base.text + max(ours, theirs, key=_weight).tail


def _weight(unit: Unit) -> tuple[int, str]:
    return len(unit.tail), unit.tail


def _style_of(text: str) -> str:
    """Return the one line end of a text, empty where it has none, or `mixed`."""
    windows = text.count("\r\n")
    unix = text.count("\n") - windows
    if windows and unix:
        return "mixed"
    return "\r\n" if windows else "\n" if unix else ""


def _newline_of(base: str, ours: str, theirs: str) -> tuple[str, bool]:
    """Return the line end of the result, and whether each text has only one kind of them."""
    styles = [_style_of(each) for each in (base, ours, theirs)]
    if "mixed" in styles:
        windows = sum(each.count("\r\n") for each in (base, ours, theirs))
        return "\r\n" if 2 * windows > sum(map(_ends, (base, ours, theirs))) else "\n", False
    old, one, two = (style or styles[0] or "\n" for style in styles)
    chosen = two if one == old else one if two == old else max(one, two)
    return chosen, True


def _ends(text: str) -> int:
    return text.count("\n")


def _with_newline(text: str, newline: str) -> str:
    plain = text.replace("\r\n", "\n")
    return plain if newline == "\n" else plain.replace("\n", newline)
