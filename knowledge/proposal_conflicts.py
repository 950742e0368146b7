"""Conflicts of a proposal: named so that a choice counts only for what was shown, and settled.

Nothing here knows the database.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.merging import MISSING
from project.http.errors import Conflict, Invalid

ABOUT: dict[str, Promise] = {
    "text": gettext_lazy("Both sides changed this part of the text."),
    "field": gettext_lazy("Both sides changed this field."),
    "metadata": gettext_lazy("Both sides changed this value."),
    "renamed": gettext_lazy("Both sides gave the node a new title."),
    "archived_edited": gettext_lazy("One side archived the node that the other one changed."),
    "deleted": gettext_lazy("The node was deleted meanwhile."),
    "title_taken": gettext_lazy("Another node has this title by now."),
    "title_twice": gettext_lazy("Two nodes of the proposal would have the same title."),
    "external_id_taken": gettext_lazy("Another node has this external id by now."),
    "external_id_twice": gettext_lazy("Two nodes of the proposal would have the same external id."),
    "relation_value": gettext_lazy("Both sides changed this value of the relation."),
    "relation_changed": gettext_lazy("The relation that the proposal removes was changed."),
    "relation_deleted": gettext_lazy("The relation that the proposal changes was removed."),
    "end_archived": gettext_lazy("The proposal relates a node that is archived by now."),
    "end_deleted": gettext_lazy("The proposal relates a node that is not there any more."),
    "archived_related": gettext_lazy(
        "The proposal archives a node to which others have been related since."
    ),
    "link_to_archived": gettext_lazy("The text links to a node that is archived by now."),
}
"""What each kind of conflict says to people."""


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """A place where the branch and what is stored by now cannot both have their way.

    `ours` is the branch. `part` counts the conflicts of a text from 0; `path` leads into metadata.
    `others` are the nodes or relations on the other side of a conflict between several. A value is
    `tree.MISSING` where metadata has no such key. `choices` says what a resolution may name;
    besides, a text takes `text` and every other field `value`.
    """

    kind: str
    change: uuid.UUID
    node: uuid.UUID | None
    title: str
    field: str = ""
    path: tuple[str, ...] = ()
    part: int | None = None
    base: Any = None
    ours: Any = None
    theirs: Any = None
    others: tuple[str, ...] = ()
    choices: tuple[str, ...] = ("ours", "theirs", "base")
    takes_value: bool = True

    @property
    def id(self) -> str:
        """A name that changes with all that was to be chosen between."""
        seen = [
            *(str(self.change), self.kind, self.field, list(self.path), self.part),
            *(_shown(each) for each in (self.base, self.ours, self.theirs)),
            sorted(self.others),
        ]
        text = json.dumps(seen, sort_keys=True, ensure_ascii=False, cls=DjangoJSONEncoder)
        return f"{self.kind}-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:24]}"

    @property
    def message(self) -> str:
        """What people read."""
        return str(ABOUT[self.kind])

    def as_json(self) -> dict[str, Any]:
        """Return the conflict as REST shows it; a side without the key is left out."""
        shown: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "message": self.message,
            "change": str(self.change),
            "node": str(self.node) if self.node else None,
            "title": self.title,
            "field": self.field,
            "path": list(self.path),
            "part": self.part,
            "others": list(self.others),
            "choices": list(self.choices),
        }
        sides = {"base": self.base, "ours": self.ours, "theirs": self.theirs}
        return shown | {name: value for name, value in sides.items() if value is not MISSING}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was decided for a conflict: a choice, or a value of its own."""

    choice: str = ""
    value: Any = None

    def as_json(self) -> dict[str, Any]:
        """Return what callers send."""
        return {"choice": self.choice} if self.choice else {"value": self.value}


@dataclass(slots=True)
class Resolutions:
    """Decisions by the ids of conflicts; knows which of them met their conflict."""

    given: dict[str, Resolution] = field(default_factory=dict)
    used: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def of(self, conflict: MergeConflict) -> Resolution | None:
        """Return what was decided for a conflict. Raises Invalid for what it does not take."""
        found = self.given.get(conflict.id)
        if found is None:
            return None
        if (found.choice and found.choice not in conflict.choices) or (
            not found.choice and not conflict.takes_value
        ):
            message = _("The conflict “%(id)s” takes one of: %(choices)s.")
            names = ", ".join(conflict.choices)
            raise Invalid(message % {"id": conflict.id, "choices": names}, field="resolutions")
        self.settled.add(conflict.id)
        self.used.setdefault(conflict.change, {})[conflict.id] = found.as_json()
        return found

    def again(self) -> "Resolutions":
        """Return the same decisions, none of them used yet."""
        return Resolutions(dict(self.given))

    @property
    def stale(self) -> list[str]:
        """The ids of decisions that met no conflict."""
        return sorted(set(self.given) - self.settled)


def resolutions_read(raw: Mapping[str, Any]) -> Resolutions:
    """Return decisions from `{conflict id: {"choice" | "text" | "value": …}}`. Raises Invalid."""
    given = {}
    for key, each in raw.items():
        if isinstance(each, str):
            each = {"choice": each}
        if not isinstance(each, Mapping) or len(each) != 1:
            raise _unreadable(key)
        ((name, value),) = each.items()
        if name == "choice" and value in {"ours", "theirs", "base", "both"}:
            given[str(key)] = Resolution(choice=value)
        elif name == "value" or (name == "text" and isinstance(value, str)):
            given[str(key)] = Resolution(value=value)
        else:
            raise _unreadable(key)
    return Resolutions(given)


def _unreadable(key: object) -> Invalid:
    message = _("A resolution is a “choice” (ours, theirs, base or both), a “text” or a “value”.")
    return Invalid(message, field="resolutions", details={"conflict": str(key)})


def conflicts_refuse(conflicts: list[MergeConflict]) -> Conflict:
    """Return the refusal of a merge that has something left to be chosen."""
    message = _("%(count)s conflicts are left: send a resolution for each of them.")
    return MergeRefused(message % {"count": len(conflicts)}, conflicts)


class MergeRefused(Conflict):
    """409: the branch and what is stored by now conflict; `conflicts` says where."""

    code = "merge_conflicts"

    def __init__(
        self, message: str, conflicts: list[MergeConflict], *, code: str | None = None, **extra: Any
    ) -> None:
        super().__init__(message, code=code, **extra)
        self.conflicts = conflicts

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the error envelope, with the conflicts beside it."""
        shown = [conflict.as_json() for conflict in self.conflicts]
        return super().body(request_id) | {"conflicts": shown}


def _shown(value: Any) -> Any:
    return {"missing": True} if value is MISSING else [value]
