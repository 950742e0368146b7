"""Writing changes: the node form on a branch, new nodes, taking changes out."""

import uuid
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import has_role, staff
from knowledge.admin.node_forms import KINDS
from knowledge.admin.proposal_base import TEMPLATES, ProposalBase, number_of, told
from knowledge.admin.proposal_forms import (
    BranchForm,
    action_for,
    branch_node,
    default_title,
    node_at,
    proposal_named,
)
from knowledge.admin.proposal_lists import proposals_open_for
from knowledge.choices import ChangeAction, NodeStatus
from knowledge.models import Node, Proposal, ProposalChange
from project.accounts.choices import Role
from project.http.errors import ApiError, Conflict, Invalid
from project.http.ids import uuid_or_none


class EditPages(ProposalBase):
    """The part of the proposal admin in which changes are written."""

    def edit_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, one = self.admin_site.admin_view, "<uuid:object_id>/changes/<uuid:change_id>/"
        return [
            path("node/<uuid:node_id>/", wrap(self.node_view), name="knowledge_proposal_node"),
            path("<uuid:object_id>/new/", wrap(self.new_view), name="knowledge_proposal_new"),
            path(f"{one}edit/", wrap(self.edit_view), name="knowledge_proposal_write"),
            path(f"{one}remove/", wrap(self.remove_view), name="knowledge_proposal_remove"),
        ]

    # -- a node's change -------------------------------------------------------------------------

    def node_view(self, request: HttpRequest, node_id: uuid.UUID) -> HttpResponse:
        """Propose a change of a node, in a proposal that is open or a new one.

        The form of the node itself may be sent here: nothing that was typed is lost.
        """
        node = Node.objects.editable_by(staff(request)).select_related("space").filter(pk=node_id)
        stored = node.first()
        if stored is None:
            raise Http404(_("There is no such node, or it is not yours to see."))
        rows = proposals_open_for(staff(request), stored.space)
        known = {
            change.proposal_id: change
            for change in ProposalChange.objects.filter(node_id=node_id, proposal__in=rows)
        }
        chosen = proposal_named(request, rows)
        if request.method == "GET" and chosen is not None and chosen.pk in known:
            return HttpResponseRedirect(self.address("write", chosen.pk, known[chosen.pk].pk))
        version = number_of(request.POST.get("expected_version")) or stored.version
        began = node_at(stored, version)
        branch = BranchForm(request, self._node_admin(), began)
        title = request.POST.get("proposal_title", "").strip() or default_title(stored)
        if request.method == "POST" and "_begin" not in request.POST and branch.form.is_valid():
            try:
                proposal = self._store(request, stored, branch, chosen, title, began.version)
            except ApiError as error:
                late = _late(error, known.get(chosen.pk) if chosen else None)
                if late is not None and chosen is not None:
                    branch.merge_with(late, self.address("write", chosen.pk, late.pk))
                    return self._form_page(request, branch, chosen, change=late, node=stored)
                _show(branch, error)
            else:
                return self.back_to(proposal)
        return self._form_page(
            request,
            branch,
            None,
            node=stored,
            rows=[(row, known.get(row.pk)) for row in rows],
            chosen=chosen,
            proposal_title=title,
            lead=_("Propose a change of “%(title)s”") % {"title": stored.title},
        )

    @transaction.atomic
    def _store(
        self,
        request: HttpRequest,
        node: Node,
        branch: BranchForm,
        chosen: Proposal | None,
        title: str,
        version: int,
    ) -> Proposal:
        fields = branch.fields(branch.state)
        if not fields:
            raise Invalid(_("The form changes nothing of the node yet."))
        proposal = chosen or services.proposal_create(
            acting_user=staff(request), space=node.space, title=title
        )
        services.change_add(
            acting_user=staff(request),
            proposal=proposal,
            action=action_for(fields),
            node=node.pk,
            base_version=version,
            fields=fields,
        )
        text = _("The change of “%(title)s” is in the proposal.")
        messages.success(request, text % {"title": node.title})
        return proposal

    def edit_view(
        self, request: HttpRequest, object_id: uuid.UUID, change_id: uuid.UUID
    ) -> HttpResponse:
        """Write a change again; whoever comes second sees both merged."""
        proposal = self.opened(request, object_id)
        change = self.change_of(proposal, str(change_id))
        if change.is_of_relation:
            return HttpResponseRedirect(
                self.address("relation", proposal.pk) + f"?change={change.pk}"
            )
        seen = number_of(request.POST.get("change_version"))
        branch = BranchForm(request, self._node_admin(), branch_node(change))
        leave = self.address("write", proposal.pk, change.pk)
        if request.method == "POST" and branch.form.is_valid():
            try:
                services.change_update(
                    acting_user=staff(request),
                    change=change,
                    expected_version=seen or 0,
                    fields=_replacing(change, branch),
                    replace=True,
                )
            except ApiError as error:
                if error.code == "version_conflict":
                    change.refresh_from_db()
                    branch.merge_with(change, leave)
                else:
                    _show(branch, error)
            else:
                messages.success(request, _("The change is stored in the proposal."))
                return self.back_to(proposal, after=f"?open={change.pk}#change-{change.pk}")
        elif request.method == "POST":
            branch.merge_again(change, leave)
        node = Node.objects.filter(pk=change.node_id).first() if change.node_id else None
        return self._form_page(request, branch, proposal, change=change, node=node)

    def new_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Write a node that the proposal makes."""
        proposal = self.opened(request, object_id)
        space = proposal.space
        node = Node(space=space, language=space.language, status=NodeStatus.PUBLISHED)
        node.owner_id = staff(request).pk
        branch = BranchForm(request, self._node_admin(), node, is_new=True)
        if request.method == "POST" and branch.form.is_valid():
            try:
                change = services.change_add(
                    acting_user=staff(request),
                    proposal=proposal,
                    action=ChangeAction.CREATE,
                    fields=_filled(branch),
                )
            except ApiError as error:
                _show(branch, error)
            else:
                messages.success(request, _("The new node is in the proposal."))
                return self.back_to(proposal, after=f"?open={change.pk}#change-{change.pk}")
        return self._form_page(
            request, branch, proposal, lead=_("A new node in “%(title)s”") % {"title": proposal}
        )

    def remove_view(
        self, request: HttpRequest, object_id: uuid.UUID, change_id: uuid.UUID
    ) -> HttpResponse:
        """Ask whether to take a change out of a proposal, and do it."""
        proposal = self.opened(request, object_id)
        change = self.change_of(proposal, str(change_id))
        if request.method == "POST":
            with told(request, _("The change is taken out of the proposal.")):
                services.change_remove(
                    acting_user=staff(request),
                    change=change,
                    expected_version=number_of(request.POST.get("version")),
                )
            return self.back_to(proposal)
        return self.proposal_page(request, proposal, "remove.html", change=change)

    # -- the page --------------------------------------------------------------------------------

    def _node_admin(self) -> Any:
        return self.admin_site.get_model_admin(Node)

    def _form_page(
        self,
        request: HttpRequest,
        branch: BranchForm,
        proposal: Proposal | None,
        *,
        change: ProposalChange | None = None,
        node: Node | None = None,
        **extra: Any,
    ) -> HttpResponse:
        title = node.title if node is not None else str(branch.form["title"].value() or "")
        space = proposal.space if proposal else node.space if node else None
        about = change or node or proposal
        extra.setdefault("lead", _("“%(title)s” in the proposal") % {"title": title})
        context = self.page_context(
            request,
            title=extra["lead"],
            original=proposal or node,
            proposal=proposal,
            change=change,
            node=node,
            stored=node,
            keep=f"node-{about.pk if about else ''}-{getattr(about, 'version', 0)}",
            kinds=KINDS,
            preview_url=self._node_admin().address("preview"),
            space=space,
            may_write=space is None or has_role(request, Role.EDITOR, space.pk),
            **branch.context(),
            **extra,
        )
        return TemplateResponse(
            request,
            f"{TEMPLATES}/node.html",
            context,
            status=409 if branch.merge is not None else 200,
        )


def _replacing(change: ProposalChange, branch: BranchForm) -> dict[str, Any]:
    """Return all that a change of a node is to hold: what is equal to the base, too, is trimmed."""
    return _filled(branch) if change.action == ChangeAction.CREATE else branch.typed()


def _filled(branch: BranchForm) -> dict[str, Any]:
    return {
        name: value for name, value in branch.typed().items() if value not in (None, "", [], {})
    }


def _late(error: ApiError, known: ProposalChange | None) -> ProposalChange | None:
    """Return the change that a proposal has of the node by now, when that refused the new one."""
    if not isinstance(error, Conflict) or error.code != "already_changed":
        return None
    if known is not None:
        return known
    pk = uuid_or_none(str((error.details or {}).get("change", "")))
    return ProposalChange.objects.filter(pk=pk).first() if pk else None


def _show(branch: BranchForm, error: ApiError) -> None:
    """Show a refusal on the form, which keeps all that was typed."""
    field = error.field if error.field in branch.form.fields else None
    branch.form.add_error(field, error.message)
