"""What a write that came too late can still become: a merge with what was stored meanwhile."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from knowledge.merging import MISSING, NodeConflict, NodeMerge, merge_nodes
from knowledge.models import Node, NodeVersion
from knowledge.versions import CONTENT_FIELDS, state_of
from knowledge.writing import NodeFields, fields_set
from project.http.errors import Conflict

MERGE_CHARS = 500_000
"""Of one text: longer ones are merged on the page for people, and not within an error."""

NOTHING: dict[str, Any] = {
    "kind": "",
    "title": "",
    "content": "",
    "language": "",
    "tags": [],
    "metadata": {},
    "valid_from": None,
    "valid_until": None,
}
"""The base where none is known: whatever differs is a conflict then."""


@dataclass(frozen=True, slots=True)
class StaleWrite:
    """The version that a write is based on, the stored one, what was to be written, the merge.

    `base` is None where the node has no such version. Of `merge`, `ours` is the writer's side.
    """

    base: Any
    current: Node
    mine: Mapping[str, Any]
    merge: NodeMerge


def stale_write(node: Node, *, based_on: int | None, changes: Mapping[str, Any]) -> StaleWrite:
    """Merge changes of an older version of a node with its stored row; nothing is written.

    Only content fields of `changes` count. Raises Invalid for values that no node may have.
    """
    rows = NodeVersion.objects.filter(id=node.pk).exclude(history_type="-")
    base = rows.filter(version=based_on).select_related("history_user").first()
    begun = base if base is not None else node
    mine = Node(**{name: copy.deepcopy(getattr(begun, name)) for name in CONTENT_FIELDS})
    wanted = {name: value for name, value in changes.items() if name in CONTENT_FIELDS}
    fields_set(mine, cast("NodeFields", wanted))
    state = state_of(mine)
    merge = merge_nodes(state_of(base) if base is not None else NOTHING, state, state_of(node))
    return StaleWrite(base, node, state, merge)


def refusal_with_merge(
    refusal: Conflict, node: Node, *, based_on: int | None, changes: Mapping[str, Any]
) -> Conflict:
    """Return the refusal of a stale write with the merge in its details, ready for JSON.

    `details.merge` is None where the base is unknown, the node is gone or a text is longer than
    MERGE_CHARS. Raises Invalid as `stale_write` does.
    """
    stored = Node.objects.filter(pk=node.pk).first()
    merge = None
    if stored is not None and len(changes.get("content", "")) <= MERGE_CHARS:
        stale = stale_write(stored, based_on=based_on, changes=changes)
        texts = (stale.mine["content"], stored.content, stale.base.content if stale.base else "")
        if stale.base is not None and max(map(len, texts)) <= MERGE_CHARS:
            merge = merge_as_json(stale.merge)
    return Conflict(
        refusal.message,
        code=refusal.code,
        field=refusal.field,
        details={"current": stored.version if stored else None, "merge": merge},
    )


def merge_as_json(merge: NodeMerge) -> dict[str, Any]:
    """Return a merge as REST shows it.

    `result` holds the merged fields with the writer's side in every conflict. A conflict has
    `base`, `mine` and `theirs`, each left out where metadata had no such key; of the text, `start`
    and `end` say where in `result.content` it stands.
    """
    _text, spans = merge.content.rendered([each.ours for each in merge.content.conflicts])
    return {
        "mergeable": merge.is_clean,
        "conflicts": [_conflict_as_json(each, spans) for each in merge.conflicts],
        "result": merge.state,
    }


def _conflict_as_json(conflict: NodeConflict, spans: list[tuple[int, int]]) -> dict[str, Any]:
    shown: dict[str, Any] = {"field": conflict.field}
    if conflict.path:
        shown["path"] = list(conflict.path)
    if conflict.part is not None:
        shown["start"], shown["end"] = spans[conflict.part]
    sides = {"base": conflict.base, "mine": conflict.ours, "theirs": conflict.theirs}
    return shown | {name: value for name, value in sides.items() if value is not MISSING}
