"""The node form on a branch: what it begins with, what it changes, and late writes merged."""

import copy
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.core import signing
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from knowledge.admin.merge_pages import MergePage, fill, kept_text
from knowledge.admin.merge_parts import changes_of, places_of
from knowledge.admin.node_forms import FIELDS
from knowledge.branches import State, branch_load, node_state, state_apply
from knowledge.choices import ChangeAction, NodeStatus
from knowledge.merging import merge_nodes
from knowledge.merging.tree import is_same
from knowledge.models import Node, NodeVersion, Proposal, ProposalChange

SALT = "knowledge.proposal.form"
AFTER = {
    "": gettext_lazy("Leave it as it is"),
    NodeStatus.PUBLISHED: gettext_lazy("Publish it"),
    NodeStatus.ARCHIVED: gettext_lazy("Archive it"),
    NodeStatus.DRAFT: gettext_lazy("Make it a draft"),
}


def branch_node(change: ProposalChange) -> Node:
    """Return the node of a change as it is on the branch; never saved."""
    branch = branch_load(change.proposal, only=[change.pk])
    loaded = branch.changes[0]
    assert loaded.node_id is not None
    stored = branch.nodes.get(loaded.node_id)
    node = copy.copy(stored) if stored else Node(pk=loaded.node_id, space=change.proposal.space)
    state_apply(node, branch.ours_of(loaded))
    node._state.adding = stored is None
    return node


def node_at(node: Node, version: int | None) -> Node:
    """Return a copy of a node as its version was, or as it is when there is none of that number."""
    found = copy.copy(node)
    row = NodeVersion.objects.filter(id=node.pk, version=version, erased_at=None).first()
    if row is not None and row.version != node.version:
        facts = {**node_state(node), **{name: getattr(row, name) for name in _content()}}
        state_apply(found, facts)
        found.version = row.version
    return found


def _content() -> tuple[str, ...]:
    return tuple(name for name in FIELDS if name not in {"owner", "external_id", "review_due"})


class BranchForm:
    """The node form of one request: bound to what was sent, or filled from the branch.

    `node` is what it begins with; `began` its state. A form that was sent names in `_began` the
    state that it was filled from, so that a late one is merged from there.
    """

    def __init__(
        self, request: HttpRequest, node_admin: Any, node: Node, *, is_new: bool = False
    ) -> None:
        self.node_admin = node_admin
        self.key = str(node.pk) if not is_new else "new"
        self.state = node_state(node)
        self.is_bound = request.method == "POST"
        self.began: State = self._signed(request, "_began") or self.state
        self._typed = self._signed(request, "_mine")
        self._base = self._signed(request, "_base")
        if self.is_bound and not is_new:
            node = copy.copy(node)
            state_apply(node, self.began)  # line ends are those of what people were shown
        form_class = node_admin.get_form(
            request, None if is_new else node, change=False, exclude=["space"]
        )
        form_class = type("BranchNodeForm", (form_class,), {"refusal": None})
        self.form = form_class(request.POST if self.is_bound else None, instance=node)
        self.form.fields.pop("space", None)
        self.form.fields.pop("reason", None)
        self.form.fields["status_after"] = forms.ChoiceField(
            label=_("When it is merged"),
            required=False,
            initial="",
            choices=[(value, label) for value, label in AFTER.items() if value or not is_new],
            widget=UnfoldAdminSelectWidget,
        )
        self.merge: MergePage | None = None

    def _signed(self, request: HttpRequest, name: str) -> State | None:
        try:
            found = signing.loads(request.POST.get(name, ""), salt=f"{SALT}.{self.key}")
        except signing.BadSignature:
            return None
        return cast("State", found)

    def signed(self, state: Mapping[str, Any]) -> str:
        """Return a state as the page sends it along."""
        return kept_text(state, salt=f"{SALT}.{self.key}")

    def fields(self, base: Mapping[str, Any]) -> State:
        """Return what a valid form changes of a base state, ready for the services."""
        typed = self.typed()
        names = [*FIELDS, "status"]
        return {name: typed[name] for name in names if not is_same(typed[name], base.get(name))}

    def typed(self) -> State:
        """Return the whole state that a valid form stands for."""
        state = node_state(self.form.instance)
        wanted = self.form.cleaned_data.get("status_after")
        return {**state, "status": str(wanted or self.began["status"])}

    def merge_with(self, theirs: ProposalChange, leave: str) -> None:
        """Fill the form with the merge of what was typed and what a change holds by now."""
        base, typed = self._base or self.began, self._typed or self.typed()
        self.show_merge(base, typed, theirs, leave)
        fill(self.form, self._merged, typed)
        self.form.data["expected_version"] = theirs.base_version or 1
        self.form.data["merged_from"] = theirs.base_version or 1

    def merge_again(self, theirs: ProposalChange, leave: str) -> None:
        """Show the places of an earlier merge once more, after a mistake in the form."""
        if self._typed is not None and self._base is not None:
            self.show_merge(self._base, self._typed, theirs, leave)

    def show_merge(self, base: State, typed: State, theirs: ProposalChange, leave: str) -> None:
        """Make the page of a merge with what a change holds."""
        stored = node_state(branch_node(theirs))
        self._merged = merge_nodes(base, typed, stored)
        self.merge = MergePage(
            base=None,
            next_version=theirs.version + 1,
            versions=[],
            places=places_of(self._merged),
            mine=changes_of(self._merged, "ours", base, typed),
            theirs=changes_of(self._merged, "theirs", base, stored),
            typed=typed["content"],
            kept=self.signed(typed),
            title=_("Somebody else wrote this change while you were writing"),
            base_label=_("Before (where you began)"),
            save_label=_("Save the result into the proposal"),
            leave_address=leave,
            stored_text=stored["content"],
            base_kept=self.signed(base),
        )
        self.began = stored

    def context(self) -> dict[str, Any]:
        """Return what the template needs around the form."""
        aside = {"classes": ["ac-aside"]}
        fieldsets: list[Any] = [
            (None, {"fields": ("title", "content", "expected_version", "merged_from")}),
            (_("What it is"), {**aside, "fields": ("kind", "language", "tags", "status_after")}),
            (
                _("Who looks after it"),
                {**aside, "fields": ("owner", "review_due", "valid_from", "valid_until")},
            ),
            (_("For programs"), {**aside, "fields": ("external_id", "metadata")}),
        ]
        shown = AdminForm(self.form, fieldsets, {}, (), model_admin=self.node_admin)
        errors = [] if self.merge and not self.form.errors else self.form.errors
        return {
            "adminform": shown,
            "form": self.form,
            "form_media": self.node_admin.media + shown.media,
            "errors": errors,
            "began": self.signed(self.began),
            "merge": self.merge,
        }


def action_for(fields: Mapping[str, Any], *, is_new: bool = False) -> ChangeAction:
    """Return which action fits changed fields: a lone status archives or publishes."""
    if is_new:
        return ChangeAction.CREATE
    if set(fields) == {"status"}:
        if fields["status"] == NodeStatus.ARCHIVED:
            return ChangeAction.ARCHIVE
        if fields["status"] == NodeStatus.PUBLISHED:
            return ChangeAction.PUBLISH
    return ChangeAction.EDIT


def default_title(node: Node) -> str:
    """Return what a new proposal about a node is called unless somebody names it."""
    return (_("Change “%(title)s”") % {"title": node.title})[:200]


def proposal_named(request: HttpRequest, rows: list[Proposal]) -> Proposal | None:
    """Return the proposal that a form or an address chose of those offered; None for a new one."""
    wanted = request.POST.get("proposal") or request.GET.get("proposal") or ""
    return next((row for row in rows if str(row.pk) == wanted), None)
