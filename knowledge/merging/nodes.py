"""Three-way merge of whole nodes: text by lines and words, tags as a set, metadata by path.

States are those of `knowledge.versions.state_of`: the content fields, ready for JSON. A state may
also carry `status`, `owner`, `review_due` and `external_id`. All but text, tags and metadata is
merged whole: two different new titles are a conflict. So is archiving what the other side goes on
writing, and a validity that would end before it begins because each side moved one end of it.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from knowledge.merging.sets import merge_sets
from knowledge.merging.text import TextMerge, merge_texts
from knowledge.merging.tree import Path, is_same, merge_trees, placed

ARCHIVED = "archived"
WHOLE_FIELDS = (
    "title",
    "kind",
    "language",
    "valid_from",
    "valid_until",
    "status",
    "owner",
    "review_due",
    "external_id",
)

Side = Literal["ours", "theirs"]
State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NodeConflict:
    """A place where the sides cannot both have their way, with what each of the three holds there.

    Of `content`, `part` counts the conflicts of the text from 0, and a side's text has what the
    other side alone changed around the conflict. Of `metadata`, `path` leads to the
    place, and a value is `tree.MISSING` where its key is not there.
    """

    field: str
    base: Any
    ours: Any
    theirs: Any
    path: Path = ()
    part: int | None = None


@dataclass(frozen=True, slots=True)
class NodeMerge:
    """The merged state, with our side in every conflict, and the conflicts.

    `by_ours` and `by_theirs` name the fields that each side changed.
    """

    state: dict[str, Any]
    content: TextMerge
    conflicts: tuple[NodeConflict, ...] = ()
    by_ours: tuple[str, ...] = field(default=())
    by_theirs: tuple[str, ...] = field(default=())

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to be chosen."""
        return not self.conflicts


def merge_nodes(base: State, ours: State, theirs: State) -> NodeMerge:
    """Merge what two sides made of one state of a node."""
    by_ours = tuple(name for name in ours if not is_same(ours[name], base[name]))
    by_theirs = tuple(name for name in theirs if not is_same(theirs[name], base[name]))
    state: dict[str, Any] = {}
    conflicts: list[NodeConflict] = []
    for name in WHOLE_FIELDS:
        if name in ours and name in theirs:
            sides = base[name], ours[name], theirs[name]
            state[name] = sides[2] if name in by_theirs and name not in by_ours else sides[1]
            if name in by_ours and name in by_theirs and sides[1] != sides[2]:
                conflicts.append(NodeConflict(name, *sides))
    content = merge_texts(base["content"], ours["content"], theirs["content"])
    state["content"] = content.text_of("ours")
    conflicts += [
        NodeConflict("content", piece.base, piece.with_ours, piece.with_theirs, part=number)
        for number, piece in enumerate(content.conflicts)
    ]
    state["tags"] = merge_sets(base["tags"], ours["tags"], theirs["tags"])
    tree = merge_trees(base["metadata"], ours["metadata"], theirs["metadata"])
    state["metadata"] = tree.value
    conflicts += [
        NodeConflict("metadata", each.base, each.ours, each.theirs, path=each.path)
        for each in tree.conflicts
    ]
    conflicts += _hidden_conflicts(base, ours, theirs, state, {each.field for each in conflicts})
    merged = {name: state[name] for name in ours if name in state}
    return NodeMerge(merged, content, tuple(conflicts), by_ours, by_theirs)


def chosen(state: State, conflict: NodeConflict, side: Side) -> dict[str, Any]:
    """Return a merged state with one side's value for a conflict outside the text."""
    value = getattr(conflict, side)
    if conflict.path:
        return {**state, conflict.field: placed(state[conflict.field], conflict.path, value)}
    return {**state, conflict.field: value}


def _hidden_conflicts(
    base: State, ours: State, theirs: State, state: State, known: set[str]
) -> list[NodeConflict]:
    """Return conflicts of fields that merge one by one, and not together."""
    found = []
    begins, ends = _time(state["valid_from"]), _time(state["valid_until"])
    if begins and ends and ends <= begins and not known & {"valid_from", "valid_until"}:
        found += [
            NodeConflict(name, base[name], ours[name], theirs[name])
            for name in ("valid_from", "valid_until")
        ]
    if "status" in state and "status" not in known:
        for one, other in ((ours, theirs), (theirs, ours)):
            is_archived = one["status"] == ARCHIVED != base["status"]
            if is_archived and any(
                not is_same(other[name], base[name]) for name in other if name != "status"
            ):
                found.append(
                    NodeConflict("status", base["status"], ours["status"], theirs["status"])
                )
                break
    return found


def _time(value: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(value) if value else None
