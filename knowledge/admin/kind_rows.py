"""The nodes of a plan as a page shows them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.choices import MigratedState
from knowledge.merging.tree import is_same
from knowledge.models import MigratedNode, Node
from project.http.admin_base import tone_of

STATE_TONES = {
    MigratedState.CHANGED: "info",
    MigratedState.UNCHANGED: "default",
    MigratedState.INVALID: "danger",
    MigratedState.CONFLICT: "warning",
}


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A node of a migration as its page shows it; `is_there` says whether it can be opened."""

    row: MigratedNode
    tone: str
    before: str
    after: str
    is_there: bool


def rows_shown(rows: Sequence[MigratedNode]) -> list[ShownRow]:
    """Return rows with their metadata as text: only the outer fields that differ, if any do."""
    ids = [row.node_id for row in rows]
    there = set(Node.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return [
        ShownRow(row, tone_of(STATE_TONES, row.state), *_texts(row), row.node_id in there)
        for row in rows
    ]


def _texts(row: MigratedNode) -> tuple[str, str]:
    before, after = row.before, row.after
    if isinstance(before, dict) and isinstance(after, dict):
        equal = {key for key in before if key in after and is_same(before[key], after[key])}
        if not before.keys() == after.keys() == equal:
            before = {key: each for key, each in before.items() if key not in equal}
            after = {key: each for key, each in after.items() if key not in equal}
    return json_text(before), json_text(after) if after is not None else ""


def json_text(value: Any) -> str:
    """Return a value as readable text, cut where it is long."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return text if len(text) <= 1500 else f"{text[:1500]}…"
