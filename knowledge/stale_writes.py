"""What a write that came too late can still become: a merge with what was stored meanwhile."""

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from knowledge.merging import MISSING, NodeConflict, NodeMerge, merge_nodes
from knowledge.models import Node, NodeVersion
from knowledge.node_fields import BOOKKEEPING_FIELDS, NodeFields, fields_set
from knowledge.versions import CONTENT_FIELDS, state_of
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


def stale_write(
    node: Node, *, based_on: int | None, changes: Mapping[str, Any], bookkeeping: bool = False
) -> StaleWrite:
    """Merge changes of an older version of a node with its stored row; nothing is written.

    Only content fields of `changes` count, and with `bookkeeping` those fields, too. Raises Invalid
    for values that no node may have.
    """
    base = _version(node, based_on)
    names = (*CONTENT_FIELDS, *(BOOKKEEPING_FIELDS if bookkeeping else ()))
    begun = base if base is not None else node
    mine = Node(**{name: copy.deepcopy(getattr(begun, name)) for name in CONTENT_FIELDS})
    if bookkeeping:
        mine.owner_id, mine.review_due = begun.owner_id, begun.review_due
        mine.external_id = begun.external_id
    wanted = {name: value for name, value in changes.items() if name in names}
    fields_set(mine, cast("NodeFields", wanted))
    return _merged(node, base, _state(mine, names))


def stale_write_again(node: Node, *, based_on: int | None, mine: Mapping[str, Any]) -> StaleWrite:
    """Merge once more what an earlier `stale_write` of the node had for `mine`."""
    return _merged(node, _version(node, based_on), mine)


def _version(node: Node, number: int | None) -> Any:
    rows = NodeVersion.objects.filter(id=node.pk, erased_at=None).exclude(history_type="-")
    return rows.filter(version=number).select_related("history_user").first()


def _merged(node: Node, base: Any, mine: Mapping[str, Any]) -> StaleWrite:
    old = _state(base, mine) if base is not None else {name: NOTHING.get(name) for name in mine}
    return StaleWrite(base, node, mine, merge_nodes(old, mine, _state(node, mine)))


def _state(holder: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return the fields of a node or version, ready for JSON; the owner by id."""
    state = state_of(holder)
    if "owner" in names:
        state["owner"] = str(holder.owner_id) if holder.owner_id is not None else None
        state["review_due"] = holder.review_due.isoformat() if holder.review_due else None
        state["external_id"] = holder.external_id
    return state


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
    _text, spans = merge.content.rendered([each.with_ours for each in merge.content.conflicts])
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
