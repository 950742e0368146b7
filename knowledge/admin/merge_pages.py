"""The page of a save that came too late: both changes merged, and what people have to choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.exceptions import NON_FIELD_ERRORS
from django.urls import reverse
from django.utils.translation import gettext as _

from knowledge.admin.merge_marks import marked
from knowledge.admin.merge_parts import Changes, Place, changes_of, inputs_of, places_of
from knowledge.merging import NodeMerge
from knowledge.models import Node, NodeVersion
from knowledge.node_fields import BOOKKEEPING_FIELDS
from knowledge.stale_writes import StaleWrite, stale_write, stale_write_again
from knowledge.versions import CONTENT_FIELDS
from project.http.errors import ApiError, Invalid

SALT = "knowledge.merge.mine"
KEPT_CHARS = 2_000_000
"""Of a typed text that the page sends along, to show the places again after a mistake."""
NEWEST = 5


@dataclass(frozen=True, slots=True)
class MergePage:
    """Everything that the page shows around the form; the form holds the result.

    `base` and `next_version` are versions of the node; the base may be unknown. `base_kept` goes
    along with a page that knows its base by its text alone.
    """

    base: Any
    next_version: int
    versions: list[Any]
    places: list[Place]
    mine: Changes
    theirs: Changes
    typed: str
    kept: str
    title: str
    base_label: str
    save_label: str
    leave_address: str
    stored_text: str
    base_kept: str = ""

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
        fill(form, stale.merge, stale.mine)
        form.data["expected_version"] = stale.current.version
        form.data["merged_from"] = (
            (cleaned.get("merged_from") or based_on) if stale.base is not None else ""
        )
        return _page(stale)
    if not form.errors:
        return None
    try:
        mine = signing.loads(form.data.get("_mine", ""), salt=f"{SALT}.{stored.pk}")
    except signing.BadSignature:
        return None
    base = form.cleaned_data.get("merged_from")
    return _page(stale_write_again(stored, based_on=base, mine=mine))


def _page(stale: StaleWrite) -> MergePage:
    first = stale.base.version + 1 if stale.base is not None else stale.current.version
    rows = NodeVersion.objects.filter(id=stale.current.pk, version__gte=first)
    rows = rows.select_related("history_user").defer("content", "anchors", "metadata")
    return MergePage(
        base=stale.base,
        next_version=stale.current.version + 1,
        versions=list(rows.order_by("-version")[:NEWEST]),
        places=places_of(stale.merge),
        mine=changes_of(stale.merge, "ours", stale.base, stale.mine),
        theirs=changes_of(stale.merge, "theirs", stale.base, stale.current),
        typed=stale.mine["content"],
        kept=kept_text(stale.mine, salt=f"{SALT}.{stale.current.pk}"),
        title=_("Somebody else saved this node while you were writing"),
        base_label=_base_label(stale.base),
        save_label=_("Save the result as version %(number)s")
        % {"number": stale.current.version + 1},
        leave_address=reverse("admin:knowledge_node_change", args=[stale.current.pk]),
        stored_text=stale.current.content,
    )


def _base_label(base: Any) -> str:
    if base is None:
        return _("Before (not known)")
    return _("Before (version %(number)s)") % {"number": base.version}


def kept_text(mine: Mapping[str, Any], *, salt: str) -> str:
    """Return a state, signed, for the page to send along; nothing for one that is too long."""
    is_short = len(mine["content"]) <= KEPT_CHARS
    return signing.dumps(dict(mine), salt=salt, compress=True) if is_short else ""


def fill(form: Any, merge: NodeMerge, mine: Mapping[str, Any]) -> None:
    """Put a merge into a form: what was typed stays wherever the merge kept it."""
    state = merge.state
    data = form.data.copy()
    for name in state:
        if name not in {"content", "status"} and state[name] != mine[name]:
            for key, value in inputs_of(name, state[name]).items():
                data[key] = value
    content = merge.content
    choices = [
        marked(number, piece.with_ours, piece.with_theirs, content.newline)
        for number, piece in enumerate(content.conflicts, 1)
    ]
    data["content"] = content.rendered(choices)[0]
    form.data = data
    form.errors.pop(NON_FIELD_ERRORS, None)  # the page itself says that it was too late
