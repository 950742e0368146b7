"""What pages of merges have in common: places where people choose, and what a side changed."""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.admin.versions import shown
from knowledge.choices import NodeStatus
from knowledge.merging import MISSING, NodeConflict, NodeMerge
from knowledge.merging.rows import Part, TextDiff, compare_texts, word_parts
from knowledge.models import Node
from project.accounts.models import User

_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_ITEM = re.compile(r"\s*(?:[-*+>|]|\d+[.)]\s)")


@dataclass(frozen=True, slots=True)
class Place:
    """A place that both sides changed, as the page shows it. `values` is what scripts put in."""

    number: int
    label: str
    is_text: bool
    base: str
    mine: Sequence[Part]
    theirs: Sequence[Part]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Changes:
    """What one side changed since the base: facts with their old and new values, and the text."""

    facts: list[dict[str, str]]
    text: TextDiff

    @property
    def is_equal(self) -> bool:
        """Whether nothing was changed."""
        return not self.facts and not self.text.added and not self.text.removed


def changes_of(
    merge: NodeMerge, side: Literal["ours", "theirs"], base: Any, changed: Any
) -> Changes:
    """Return what a side of a merge changed; `base` and `changed` hold its fields' values."""
    old = "".join(piece.base for piece in merge.content.pieces)
    new = "".join(getattr(piece, side) for piece in merge.content.pieces)
    names = merge.by_ours if side == "ours" else merge.by_theirs
    facts = [
        {"name": label_of(name), "old": _fact(base, name), "new": _fact(changed, name)}
        for name in names
        if name != "content"
    ]
    return Changes(facts, compare_texts(old, new))


def _fact(holder: Any, name: str) -> str:
    value = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    return readable(name, value)


def readable(name: str, value: Any) -> str:
    """Return a value of a node's field, ready for JSON or not, as people read it."""
    if name == "owner" and isinstance(value, str):
        value = User.objects.filter(pk=value).first()
    if name == "status" and value in NodeStatus.values:
        value = NodeStatus(value).label
    if name in {"valid_from", "valid_until"} and isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    if isinstance(value, datetime.datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M")
    return "–" if value is MISSING else shown(value)


def label_of(name: str) -> str:
    """Return the name of a node's field as people know it."""
    label = str(getattr(Node._meta.get_field(name), "verbose_name", name))
    return label[:1].upper() + label[1:]


def inputs_of(name: str, value: Any) -> dict[str, str]:
    """Return what the form's inputs of a field hold for a value, by their names."""
    if name in {"valid_from", "valid_until"}:
        if not value:
            return {f"{name}_0": "", f"{name}_1": ""}
        local = timezone.localtime(datetime.datetime.fromisoformat(value))
        return {f"{name}_0": local.date().isoformat(), f"{name}_1": local.strftime("%H:%M:%S")}
    if name == "tags":
        return {name: ", ".join(value)}
    if name == "metadata":
        return {name: json.dumps(value, indent=2, ensure_ascii=False) if value else ""}
    return {name: "" if value is None else str(value)}


def places_of(merge: NodeMerge) -> list[Place]:
    """Return the places to choose in: first those of the text, by the numbers of their marks."""
    text = [each for each in merge.conflicts if each.part is not None]
    pieces = merge.content
    merged, spans = pieces.rendered([each.ours for each in text])
    places = [
        _text_place(number, each, heading_before(merged, spans[number - 1][0]), pieces.newline)
        for number, each in enumerate(text, 1)
    ]
    others = [each for each in merge.conflicts if each.part is None]
    return places + [
        _field_place(number, each) for number, each in enumerate(others, len(text) + 1)
    ]


def heading_before(text: str, position: int) -> str:
    """Return the last heading before a place of a text; nothing without one."""
    headings = [found[1] for found in _HEADING.finditer(text, 0, position)]
    return headings[-1] if headings else ""


def text_label(heading: str) -> str:
    """Return what a place of the text below a heading is called."""
    return _("Text below “%(heading)s”") % {"heading": heading} if heading else _("Text")


def side_parts(base: str, side: str) -> Sequence[Part]:
    """Return a side's text in parts, each marked whether it is that side's own."""
    return word_parts(base, side)[1] if side else ()


def both(mine: str, theirs: str, newline: str) -> str:
    """Return one text behind the other; paragraphs get the empty line that keeps them apart."""
    if not mine or not theirs:
        return mine or theirs
    parts = [mine if mine.endswith("\n") else mine + newline]
    last, first = mine.splitlines()[-1], theirs.splitlines()[0]
    if last.strip() and first.strip() and not (_ITEM.match(last) and _ITEM.match(first)):
        parts.append(newline)
    return "".join([*parts, theirs])


def _text_place(number: int, conflict: NodeConflict, heading: str, newline: str) -> Place:
    base, mine, theirs = conflict.base, conflict.ours, conflict.theirs
    values = {
        "mine": mine,
        "theirs": theirs,
        "both": both(mine, theirs, newline),
        "base": base,
    }
    return Place(
        number,
        text_label(heading),
        is_text=True,
        base=base,
        mine=side_parts(base, mine),
        theirs=side_parts(base, theirs),
        values={name: text.replace("\r\n", "\n") for name, text in values.items()},
    )


def _field_place(number: int, conflict: NodeConflict) -> Place:
    name, label = conflict.field, label_of(conflict.field)
    sides = {"mine": conflict.ours, "theirs": conflict.theirs}
    values: dict[str, Any]
    if conflict.path:
        label = f"{label}: {' → '.join(conflict.path)}"
        values = {
            side: {"path": list(conflict.path)} | ({} if value is MISSING else {"value": value})
            for side, value in sides.items()
        }
    else:
        values = {side: {"inputs": inputs_of(name, value)} for side, value in sides.items()}
    labels = {side: readable(name, value) for side, value in sides.items()}
    return Place(
        number,
        label,
        is_text=False,
        base=readable(name, conflict.base),
        mine=[(labels["mine"], False)],
        theirs=[(labels["theirs"], False)],
        values={**values, "labels": labels},
    )
