"""Conflicts of a proposal as people settle them: words, sides, choices, and what was chosen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.admin.merge_parts import both, readable, side_parts, text_label
from knowledge.admin.proposal_shown import name_of
from knowledge.merge_suggestions import SUGGESTIBLE
from knowledge.merging import MISSING
from knowledge.merging.rows import Part
from knowledge.merging.text import with_line_ends_of
from knowledge.proposal_conflicts import MergeConflict, Resolution, Resolutions

OWN = "own"
SIDES: dict[str, Promise] = {
    "ours": gettext_lazy("The proposal's"),
    "theirs": gettext_lazy("What is stored now"),
    "both": gettext_lazy("Both, one behind the other"),
    "base": gettext_lazy("As it was before"),
    OWN: gettext_lazy("In my own words"),
}
WORDS: dict[str, dict[str, Promise]] = {
    "deleted": {
        "ours": gettext_lazy("Store it again, with the proposal's text"),
        "theirs": gettext_lazy("Leave it deleted"),
    },
    "title_taken": {
        "ours": gettext_lazy("Use the same title all the same"),
        "theirs": gettext_lazy("Keep its old title, or leave out a new node"),
        OWN: gettext_lazy("Give it another title"),
    },
    "external_id_taken": {
        "theirs": gettext_lazy("Keep the external id it has"),
        OWN: gettext_lazy("Give it another one"),
    },
    "relation_changed": {
        "ours": gettext_lazy("Remove the relation all the same"),
        "theirs": gettext_lazy("Keep the relation"),
    },
    "relation_deleted": {
        "ours": gettext_lazy("Relate them again"),
        "theirs": gettext_lazy("Leave it removed"),
    },
    "end_deleted": {"theirs": gettext_lazy("Leave the relation out")},
    "end_archived": {
        "ours": gettext_lazy("Relate them all the same"),
        "theirs": gettext_lazy("Leave the relation out"),
    },
    "archived_related": {
        "ours": gettext_lazy("Archive it all the same"),
        "theirs": gettext_lazy("Do not archive it"),
    },
    "link_to_archived": {"ours": gettext_lazy("Keep the link all the same")},
}
WORDS["title_twice"] = WORDS["title_taken"]
WORDS["external_id_twice"] = WORDS["external_id_taken"]
"""What the choices of each kind are called; kinds that are not here use the words of SIDES."""
TYPED = frozenset({"title", "kind", "language", "external_id", "metadata", "weight"})
"""Fields for which people may type a value of their own."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the choices of a conflict."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ShownConflict:
    """A conflict as the page shows it, with what was chosen so far."""

    conflict: MergeConflict
    number: int
    label: str
    base: str
    mine: Sequence[Part]
    theirs: Sequence[Part]
    options: list[Option]
    own: str
    is_text: bool
    may_suggest: bool
    suggestion: str = ""
    problem: str = ""

    @property
    def id(self) -> str:
        """The name under which it is decided."""
        return self.conflict.id

    @property
    def is_decided(self) -> bool:
        """Whether something was chosen."""
        return any(option.is_chosen for option in self.options)

    @property
    def takes_own(self) -> bool:
        """Whether people may type something of their own."""
        return any(option.value == OWN for option in self.options)

    @property
    def has_sides(self) -> bool:
        """Whether there are three values to look at; otherwise the message says it all."""
        kind = self.conflict.kind
        return kind not in WORDS or kind.startswith(("title_", "external_id_"))


def choices_sent(data: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what a form says of each conflict: the choice and the typed text, by its id."""
    begin = "choice-", "own-"
    ids = {name.removeprefix(each) for name in data for each in begin if name.startswith(each)}
    return {key: (data.get(f"choice-{key}", ""), data.get(f"own-{key}", "")) for key in ids}


def decisions(
    conflicts: Sequence[MergeConflict], sent: Mapping[str, tuple[str, str]]
) -> Resolutions:
    """Return the decisions that count: those sent for conflicts that there are."""
    found = Resolutions()
    for conflict in conflicts:
        choice, own = sent.get(conflict.id, ("", ""))
        decided = _decided(conflict, choice, own)
        if decided is not None:
            found.given[conflict.id] = decided
    return found


def _decided(conflict: MergeConflict, choice: str, own: str) -> Resolution | None:
    if choice == OWN and takes_own(conflict):
        return Resolution(value=_typed(conflict, own))
    if choice == "both" and conflict.kind == "text":
        newline = "\r\n" if "\r\n" in str(conflict.ours) else "\n"
        return Resolution(value=both(conflict.ours, conflict.theirs, newline))
    if choice in conflict.choices:
        return Resolution(choice=choice)
    return None


def takes_own(conflict: MergeConflict) -> bool:
    """Return whether people may type what becomes of a conflict."""
    if not conflict.takes_value:
        return False
    return conflict.kind == "text" or conflict.field in TYPED


def _typed(conflict: MergeConflict, own: str) -> Any:
    if conflict.kind == "text":
        return with_line_ends_of(own.replace("\r\n", "\n"), str(conflict.theirs or conflict.ours))
    text = own.strip()
    if conflict.field in {"metadata", "weight"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def shown_conflict(
    number: int, conflict: MergeConflict, sent: Mapping[str, tuple[str, str]], *, has_model: bool
) -> ShownConflict:
    """Return a conflict as the page shows it."""
    choice, own = sent.get(conflict.id, ("", ""))
    is_text = conflict.kind == "text"
    sides = [_side(conflict, value) for value in (conflict.base, conflict.ours, conflict.theirs)]
    values = [*conflict.choices, *([OWN] if takes_own(conflict) else [])]
    order = [value for value in SIDES if value in values]
    return ShownConflict(
        conflict=conflict,
        number=number,
        label=_label(conflict),
        base=sides[0],
        mine=side_parts(sides[0], sides[1]) if is_text else [(sides[1], False)],
        theirs=side_parts(sides[0], sides[2]) if is_text else [(sides[2], False)],
        options=[Option(each, _word(conflict, each), each == choice) for each in order],
        own=own,
        is_text=is_text,
        may_suggest=has_model
        and conflict.kind in SUGGESTIBLE
        and takes_own(conflict)
        and all(isinstance(v, str) for v in (conflict.base, conflict.ours, conflict.theirs)),
    )


def _side(conflict: MergeConflict, value: Any) -> str:
    if conflict.kind == "text":
        return str(value or "").replace("\r\n", "\n")
    if conflict.kind == "relation_value":
        return "–" if value in (None, MISSING) else str(value)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return readable(conflict.field, value)


def _label(conflict: MergeConflict) -> str:
    if conflict.kind == "text":
        return text_label("")
    if conflict.field in {"source", "target"}:
        return _("The relation")
    if not conflict.field:
        return _("The relation") if conflict.kind.startswith("relation_") else _("The node")
    label = name_of(conflict.field)
    return f"{label}: {' → '.join(conflict.path)}" if conflict.path else label


def _word(conflict: MergeConflict, value: str) -> str:
    word = WORDS.get(conflict.kind, {}).get(value) or SIDES[value]
    if conflict.kind == "archived_edited":
        return f"{word}: {readable('status', getattr(conflict, value))}"
    return str(word)
