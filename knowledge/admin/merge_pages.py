"""The page of a save that came too late: both changes merged, and what people have to choose."""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.admin.merge_marks import marked
from knowledge.admin.versions import shown
from knowledge.merging import MISSING, NodeConflict
from knowledge.merging.rows import Part, TextDiff, compare_texts, word_parts
from knowledge.models import Node, NodeVersion
from knowledge.node_fields import BOOKKEEPING_FIELDS
from knowledge.stale_writes import StaleWrite, stale_write, stale_write_again
from knowledge.versions import CONTENT_FIELDS
from project.accounts.models import User
from project.http.errors import ApiError, Invalid

SALT = "knowledge.merge.mine"
KEPT_CHARS = 2_000_000
"""Of a typed text that the page sends along, to show the places again after a mistake."""
NEWEST = 5
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


@dataclass(frozen=True, slots=True)
class MergePage:
    """Everything that the page shows around the form; the form holds the result."""

    base: Any
    next_version: int
    versions: list[Any]
    places: list[Place]
    mine: Changes
    theirs: Changes
    typed: str
    kept: str

    @property
    def script_data(self) -> list[dict[str, Any]]:
        """What scripts put into the form, by place."""
        return [{"number": place.number, **place.values} for place in self.places]


def merge_page_of(refusal: ApiError | None, stored: Node, form: Any) -> MergePage | None:
    """Return the page of a save that was refused as stale, and fill the form with the merge.

    The page stays while the form comes back with mistakes. None for every other answer.
    """
    if not form.is_bound:
        return None
    if refusal is not None and refusal.code == "version_conflict":
        cleaned = form.cleaned_data
        based_on = cleaned["expected_version"]
        names = (*CONTENT_FIELDS, *BOOKKEEPING_FIELDS)
        changes = {name: cleaned[name] for name in names if name in cleaned}
        try:
            stale = stale_write(stored, based_on=based_on, changes=changes, bookkeeping=True)
        except Invalid as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
            return None
        _fill(form, stale, based_on)
        return _page(stale, form)
    if not form.errors:
        return None
    try:
        mine = signing.loads(form.data.get("_mine", ""), salt=f"{SALT}.{stored.pk}")
    except signing.BadSignature:
        return None
    base = form.cleaned_data.get("merged_from")
    return _page(stale_write_again(stored, based_on=base, mine=mine), form)


def _page(stale: StaleWrite, form: Any) -> MergePage:
    first = stale.base.version + 1 if stale.base is not None else stale.current.version
    rows = NodeVersion.objects.filter(id=stale.current.pk, version__gte=first)
    rows = rows.select_related("history_user").defer("content", "anchors", "metadata")
    is_short = len(stale.mine["content"]) <= KEPT_CHARS
    salt = f"{SALT}.{stale.current.pk}"
    return MergePage(
        base=stale.base,
        next_version=stale.current.version + 1,
        versions=list(rows.order_by("-version")[:NEWEST]),
        places=_places(stale, form),
        mine=_changes(stale, stale.mine),
        theirs=_changes(stale, None),
        typed=stale.mine["content"],
        kept=signing.dumps(dict(stale.mine), salt=salt, compress=True) if is_short else "",
    )


def _changes(stale: StaleWrite, mine: Mapping[str, Any] | None) -> Changes:
    """Return what a side changed: the writer's for `mine`, the stored one for None."""
    merge = stale.merge
    base = "".join(piece.base for piece in merge.content.pieces)
    side = "ours" if mine is not None else "theirs"
    text = "".join(getattr(piece, side) for piece in merge.content.pieces)
    names = merge.by_ours if mine is not None else merge.by_theirs
    holders = (stale.base, mine if mine is not None else stale.current)
    facts = [
        {"name": label_of(name), "old": _fact(holders[0], name), "new": _fact(holders[1], name)}
        for name in names
        if name != "content"
    ]
    return Changes(facts, compare_texts(base, text))


def _fact(holder: Any, name: str) -> str:
    value = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    return _readable(name, value)


def _readable(name: str, value: Any) -> str:
    if name == "owner" and isinstance(value, str):
        value = User.objects.filter(pk=value).first()
    if name in {"valid_from", "valid_until"} and isinstance(value, str):
        value = datetime.datetime.fromisoformat(value)
    if isinstance(value, datetime.datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M")
    return "–" if value is MISSING else shown(value)


def label_of(name: str) -> str:
    """Return the name of a node's field as people know it."""
    label = str(getattr(Node._meta.get_field(name), "verbose_name", name))
    return label[:1].upper() + label[1:]


# -- the form --------------------------------------------------------------------------------------


def _fill(form: Any, stale: StaleWrite, based_on: int | None) -> None:
    """Put the merge into the form: what was typed stays wherever the merge kept it."""
    state, mine = stale.merge.state, stale.mine
    data = form.data.copy()
    for name in state:
        if name not in {"content", "status"} and state[name] != mine[name]:
            for key, value in inputs_of(name, state[name]).items():
                data[key] = value
    content = stale.merge.content
    choices = [
        marked(number, piece.with_ours, piece.with_theirs, content.newline)
        for number, piece in enumerate(content.conflicts, 1)
    ]
    data["content"] = content.rendered(choices)[0]
    data["expected_version"] = stale.current.version
    data["merged_from"] = (form.cleaned_data.get("merged_from") or based_on) if stale.base else ""
    form.data = data
    form.errors.pop(NON_FIELD_ERRORS, None)  # the page itself says that it was too late


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


# -- the places ------------------------------------------------------------------------------------


def _places(stale: StaleWrite, form: Any) -> list[Place]:
    """Return the places to choose in: first those of the text, by the numbers of their marks."""
    conflicts = stale.merge.conflicts
    text = [each for each in conflicts if each.part is not None]
    pieces = stale.merge.content
    merged, spans = pieces.rendered([each.ours for each in text])
    places = [
        _text_place(number, each, _heading_before(merged, spans[number - 1][0]), pieces.newline)
        for number, each in enumerate(text, 1)
    ]
    others = [each for each in conflicts if each.part is None]
    return places + [
        _field_place(number, each) for number, each in enumerate(others, len(text) + 1)
    ]


def _heading_before(text: str, position: int) -> str:
    headings = [found[1] for found in _HEADING.finditer(text, 0, position)]
    return headings[-1] if headings else ""


def _text_place(number: int, conflict: NodeConflict, heading: str, newline: str) -> Place:
    label = _("Text below “%(heading)s”") % {"heading": heading} if heading else _("Text")
    base, mine, theirs = conflict.base, conflict.ours, conflict.theirs
    both = _both(mine, theirs, newline)
    values = {"mine": mine, "theirs": theirs, "both": both, "base": base}
    return Place(
        number,
        label,
        is_text=True,
        base=base,
        mine=word_parts(base, mine)[1] if mine else (),
        theirs=word_parts(base, theirs)[1] if theirs else (),
        values={name: text.replace("\r\n", "\n") for name, text in values.items()},
    )


def _both(mine: str, theirs: str, newline: str) -> str:
    """Return one text behind the other; paragraphs get the empty line that keeps them apart."""
    if not mine or not theirs:
        return mine or theirs
    parts = [mine if mine.endswith("\n") else mine + newline]
    last, first = mine.splitlines()[-1], theirs.splitlines()[0]
    if last.strip() and first.strip() and not (_ITEM.match(last) and _ITEM.match(first)):
        parts.append(newline)
    return "".join([*parts, theirs])


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
    labels = {side: _readable(name, value) for side, value in sides.items()}
    return Place(
        number,
        label,
        is_text=False,
        base=_readable(name, conflict.base),
        mine=[(labels["mine"], False)],
        theirs=[(labels["theirs"], False)],
        values={**values, "labels": labels},
    )
