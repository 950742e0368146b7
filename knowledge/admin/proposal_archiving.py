"""Proposing to archive many nodes at once, from their list."""

import uuid
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import services
from knowledge.admin.access import staff
from knowledge.admin.proposal_base import TEMPLATES, ProposalBase
from knowledge.admin.proposal_forms import proposal_named
from knowledge.admin.proposal_lists import MOST_ARCHIVED, proposals_open_for
from knowledge.choices import ChangeAction, NodeStatus
from knowledge.models import Node, Proposal, Space
from project.http.admin_base import posted_only
from project.http.errors import ApiError
from project.http.ids import uuid_or_none


class ArchivePages(ProposalBase):
    """The part of the proposal admin that takes chosen nodes in."""

    def archive_urls(self) -> list[URLPattern]:
        """Return the address of this page."""
        view = self.admin_site.admin_view(self.archive_view)
        return [path("archive/", view, name="knowledge_proposal_archive")]

    def archive_view(self, request: HttpRequest) -> HttpResponse:
        """Propose to archive the chosen nodes: asks in which proposal, and does it."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        wanted = [pk for text in request.POST.getlist("node") if (pk := uuid_or_none(text))]
        return self.archive_page(request, wanted[:MOST_ARCHIVED])

    def archive_page(self, request: HttpRequest, wanted: list[uuid.UUID]) -> HttpResponse:
        """Ask in which proposal nodes are to be archived; put them there when that is answered."""
        nodes = list(
            Node.objects.editable_by(staff(request))
            .filter(pk__in=wanted)
            .exclude(status=NodeStatus.ARCHIVED)
            .select_related("space")
            .only("pk", "title", "space__name", "status", "version")
        )
        spaces = {node.space_id for node in nodes}
        if len(spaces) != 1:
            text = _("Choose nodes of one space that are not archived yet.")
            messages.error(request, text)
            return HttpResponseRedirect(self._nodes().address("changelist"))
        space = Space.objects.get(pk=spaces.pop())
        rows = proposals_open_for(staff(request), space)
        title = request.POST.get("proposal_title", "").strip()
        if "_propose" in request.POST:
            try:
                proposal = self._archive(
                    request, space, nodes, proposal_named(request, rows), title
                )
            except ApiError as error:
                messages.error(request, error.message)
            else:
                text = ngettext(
                    "%(count)s node is proposed for the archive.",
                    "%(count)s nodes are proposed for the archive.",
                    len(nodes),
                )
                messages.success(request, text % {"count": len(nodes)})
                return self.back_to(proposal)
        default = ngettext("Archive %(count)s node", "Archive %(count)s nodes", len(nodes))
        context = self.page_context(
            request,
            title=_("Propose to archive"),
            nodes=nodes,
            space=space,
            rows=[(row, None) for row in rows],
            chosen=proposal_named(request, rows),
            proposal_title=title or default % {"count": len(nodes)},
        )
        return TemplateResponse(request, f"{TEMPLATES}/archive.html", context)

    @transaction.atomic
    def _archive(
        self,
        request: HttpRequest,
        space: Space,
        nodes: list[Node],
        chosen: Proposal | None,
        title: str,
    ) -> Proposal:
        proposal = chosen or services.proposal_create(
            acting_user=staff(request), space=space, title=title
        )
        services.changes_add(
            acting_user=staff(request),
            proposal=proposal,
            changes=[
                {"action": ChangeAction.ARCHIVE, "node": node.pk, "base_version": node.version}
                for node in nodes
            ],
        )
        return proposal

    def _nodes(self) -> Any:
        return self.admin_site.get_model_admin(Node)
