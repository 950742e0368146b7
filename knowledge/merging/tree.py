"""Three-way merge of JSON by path: objects key by key, lists element by element, values whole."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from knowledge.merging.aligning import regions_of

Path = tuple[str, ...]


class Missing(Enum):
    """What stands where an object has no such key."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class TreeConflict:
    """A place that both sides changed differently; a value is MISSING where its key is not there.

    `path` holds the keys from the root.
    """

    path: Path
    base: Any
    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class TreeMerge:
    """The merged value, with our side's value in every conflict."""

    value: Any
    conflicts: tuple[TreeConflict, ...] = ()


def merge_trees(base: Any, ours: Any, theirs: Any) -> TreeMerge:
    """Merge two sides of a JSON value. Keys keep our order, and those of theirs alone follow."""
    conflicts: list[TreeConflict] = []
    value = _merged((), base, ours, theirs, conflicts)
    return TreeMerge(copy.deepcopy(value), tuple(conflicts))


def placed(tree: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return a copy of an object with `value` at a path; MISSING takes the key away.

    Objects on the way that are not there are made, unless there is nothing to put.
    """
    key, rest = path[0], path[1:]
    copied = dict(tree)
    if rest:
        inner = copied.get(key)
        if isinstance(inner, Mapping) or value is not MISSING:
            copied[key] = placed(inner if isinstance(inner, Mapping) else {}, rest, value)
    elif value is MISSING:
        copied.pop(key, None)
    else:
        copied[key] = value
    return copied


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same JSON; 1, 1.0 and true are three values."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other  # long texts need not be encoded
    return _key(one) == _key(other)


def _merged(path: Path, base: Any, ours: Any, theirs: Any, conflicts: list[TreeConflict]) -> Any:
    if is_same(ours, theirs) or is_same(theirs, base):
        return ours
    if is_same(ours, base):
        return theirs
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        known = base if isinstance(base, Mapping) else {}
        made = {}
        for key in dict.fromkeys([*ours, *theirs]):
            value = _merged(
                (*path, key),
                known.get(key, MISSING),
                ours.get(key, MISSING),
                theirs.get(key, MISSING),
                conflicts,
            )
            if value is not MISSING:
                made[key] = value
        return made
    if all(isinstance(each, list) for each in (base, ours, theirs)):
        merged = _merged_lists(base, ours, theirs)
        if merged is not None:
            return merged
    conflicts.append(TreeConflict(path, base, ours, theirs))
    return ours


def _merged_lists(
    base: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any]
) -> list[Any] | None:
    """Merge lists as diff3 merges lines; None when both sides changed the same place."""
    merged: list[Any] = []
    for region in regions_of(*([_key(each) for each in side] for side in (base, ours, theirs))):
        mine, other = ours[region.ours], theirs[region.theirs]
        if not region.by_theirs or is_same(mine, other):
            merged += mine
        elif not region.by_ours:
            merged += other
        else:
            return None
    return merged


def _key(value: Any) -> str:
    if value is MISSING:
        return ""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
