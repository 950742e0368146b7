"""What makes one version of a node equal to another, and what makes two of them differ.

Pure functions over the content fields; they read nodes and versions alike.
"""

import datetime
import difflib
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

CONTENT_FIELDS = (
    "kind",
    "title",
    "content",
    "language",
    "tags",
    "metadata",
    "valid_from",
    "valid_until",
)
"""The fields whose change makes a version. All others are bookkeeping."""


RELATION_FIELDS = ("source_id", "target_id", "kind", "weight", "metadata", "status", "origin")
"""The same for a relation."""


class FieldChange(TypedDict):
    """One field that differs, with its values ready for JSON."""

    field: str
    old: Any
    new: Any


class VersionDiff(TypedDict):
    """How one version differs from another; `unified` is the text's, empty when it is equal."""

    fields: list[FieldChange]
    unified: str


class Anchor(TypedDict, total=False):
    """Where a page or sheet of the source is in the content: characters `start` to `end`."""

    page: int
    label: str
    start: int
    end: int


def state_of(holder: object) -> dict[str, Any]:
    """Return the content fields of a node or a version, ready for JSON."""
    return {name: _plain(getattr(holder, name)) for name in CONTENT_FIELDS}


def relation_state_of(holder: object) -> dict[str, Any]:
    """Return the fields of a relation or a version of one, ready for JSON."""
    return {name: _plain(getattr(holder, name)) for name in RELATION_FIELDS}


def canonical(state: Mapping[str, Any]) -> str:
    """Return the canonical JSON of a state: sorted keys, no spaces, UTC times, nothing escaped."""
    plain = {name: _plain(value) for name, value in state.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def checksum_of(holder: object) -> str:
    """Return the SHA-256 of the canonical JSON of a node or version, in hexadecimal."""
    return _digest(canonical(state_of(holder)))


def relation_checksum_of(holder: object) -> str:
    """Return the SHA-256 of the canonical JSON of a relation or a version of one."""
    return _digest(canonical(relation_state_of(holder)))


def chain_of(previous: str, version: Any) -> str:
    """Return the chain of a version: the SHA-256 of the chain before it and of its facts.

    `previous` is empty for the first version. The content takes part through its checksum, so an
    erased text breaks no chain. Facts that name rows which may go away are kept out: the author
    counts by name. Raises TypeError for a version without a date.
    """
    if version.history_date is None:
        message = "A version without a date has no chain."
        raise TypeError(message)
    facts = {
        "id": str(version.id),
        "version": version.version,
        "type": version.history_type,
        "checksum": version.checksum,
        "parents": list(version.parents),
        "author": version.author_name,
        "reason": version.history_change_reason or "",
        "date": version.history_date,
        "origin": str(version.change_origin),
        "origin_id": str(version.change_origin_id) if version.change_origin_id else None,
    }
    return _digest(f"{previous}\n{canonical(facts)}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def compare(old: object, new: object, *, names: tuple[str, str] = ("old", "new")) -> VersionDiff:
    """Return how `new` differs from `old`: field by field, and the content as a unified diff."""
    before, after = state_of(old), state_of(new)
    changes: list[FieldChange] = [
        {"field": name, "old": before[name], "new": after[name]}
        for name in CONTENT_FIELDS
        if before[name] != after[name]
    ]
    lines = difflib.unified_diff(
        before["content"].splitlines(), after["content"].splitlines(), *names, lineterm=""
    )
    return {"fields": changes, "unified": "\n".join(lines)}


def shift_anchors(old: str, new: str, anchors: Sequence[Anchor]) -> list[Anchor]:
    """Move page spans from one text to an edited one; spans whose text is gone are left out.

    1. What stands before the first and after the last difference keeps its place there.
    2. Between them, lines that both texts share carry the positions in them along.
    3. A position in text that was removed moves to where that text stood.
    """
    if old == new or not anchors:
        return [anchor.copy() for anchor in anchors]
    move = _mover(old, new)
    moved: list[Anchor] = []
    for anchor in anchors:
        start, end = move(anchor["start"]), move(anchor["end"])
        if end > start:
            moved.append({**anchor, "start": start, "end": end})
    return moved


def _mover(old: str, new: str) -> "_Mover":
    limit = min(len(old), len(new))
    head = _common(old, new, limit)
    tail = len(old) - _common(old[::-1], new[::-1], limit - head)
    # Whole lines only: half a line in common is chance.
    head = old.rfind("\n", 0, head) + 1
    line = old.find("\n", tail)
    return _Mover(old, new, head, len(old) - line - 1 if line >= 0 else 0)


def _common(left: str, right: str, limit: int) -> int:
    """Return how many first characters are equal, by bisection: comparing slices is fast."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class _Mover:
    """Maps a position of the old text to the new one."""

    def __init__(self, old: str, new: str, head: int, tail: int) -> None:
        self._head = head
        self._old_tail = len(old) - tail
        self._shift = len(new) - len(old)
        self._blocks = self._line_blocks(
            old[head : len(old) - tail], new[head : len(new) - tail], head
        )

    @staticmethod
    def _line_blocks(old: str, new: str, offset: int) -> list[tuple[int, int, int, int]]:
        """Return (old start, old end, new start, new end) of the changed middle, in order."""
        left, right = old.splitlines(keepends=True), new.splitlines(keepends=True)
        left_at, right_at = _offsets(left, offset), _offsets(right, offset)
        matcher = difflib.SequenceMatcher(None, left, right, autojunk=len(left) > 2000)
        return [
            (left_at[i1], left_at[i2], right_at[j1], right_at[j2])
            for _tag, i1, i2, j1, j2 in matcher.get_opcodes()
        ]

    def __call__(self, position: int) -> int:
        if position <= self._head:
            return position
        if position >= self._old_tail:
            return position + self._shift
        for old_start, old_end, new_start, new_end in self._blocks:
            if old_start <= position < old_end:
                return min(new_start + position - old_start, new_end)
        return position + self._shift


def _offsets(lines: Sequence[str], start: int) -> list[int]:
    at = [start]
    for line in lines:
        at.append(at[-1] + len(line))
    return at


def _plain(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return _as_stored(value) if isinstance(value, float) else value


def _as_stored(number: float) -> float | int:
    """Return a number as JSON comes back from the database: it knows no exponents and no -0."""
    if number == 0:
        return 0.0
    text = repr(number)
    return int(Decimal(text)) if "e+" in text else number
