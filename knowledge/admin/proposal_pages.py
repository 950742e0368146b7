"""The pages that show a proposal: its changes, what was said, its checks, what happened."""

import uuid
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from knowledge.admin.access import staff
from knowledge.admin.proposal_base import TEMPLATES, ProposalBase, number_of
from knowledge.admin.proposal_lists import changes_in_other_proposals
from knowledge.admin.proposal_shown import Wanted, shown_changes
from knowledge.admin.proposal_times import history_of, talk_of
from knowledge.merging.rows import CONTEXT
from knowledge.models import Proposal, ProposalChange
from knowledge.proposal_access import EDITABLE, curates
from project.accounts.models import User
from project.http.ids import uuid_or_none

PAGE = 25
OPEN_UP_TO = 8
"""Changes of a proposal that are all shown open."""


class ProposalPages(ProposalBase):
    """The part of the proposal admin that shows one."""

    def page_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<uuid:object_id>/"
        return [
            path(
                f"{base}conversation/",
                wrap(self.conversation_view),
                name="knowledge_proposal_conversation",
            ),
            path(f"{base}happened/", wrap(self.happened_view), name="knowledge_proposal_happened"),
            path(
                f"{base}changes/<uuid:change_id>/",
                wrap(self.one_view),
                name="knowledge_proposal_one",
            ),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what a proposal changes."""
        proposal = self.opened(request, object_id)
        return self.changes_page(request, proposal, **(extra_context or {}))

    def changes_page(self, request: HttpRequest, proposal: Proposal, **extra: Any) -> HttpResponse:
        """Answer with the page of all changes; `extra` goes to the page."""
        changes = proposal.changes.select_related("author").order_by("created_at", "pk")
        wanted = wanted_of(request)
        count = changes.count()
        is_small = count <= OPEN_UP_TO
        paginator = Paginator(changes, PAGE)
        page = paginator.get_page(_page_number(request, proposal, wanted.opened))
        if is_small:
            wanted = Wanted(None, wanted.context, wanted.line)
        others = changes_in_other_proposals(proposal, staff(request))
        shown = [
            (each, others.get(each.change.node_id, []))
            for each in shown_changes(proposal, list(page.object_list), wanted)
        ]
        return self.proposal_page(
            request,
            proposal,
            "changes.html",
            here="changes",
            page=page,
            shown=shown,
            is_small=is_small,
            reviewers=list(proposal.reviewers.select_related("user")),
            **view_of(request),
            **extra,
        )

    def one_view(
        self, request: HttpRequest, object_id: uuid.UUID, change_id: uuid.UUID
    ) -> HttpResponse:
        """Show one change: a page, or with `?piece=1` the piece that scripts put into a list."""
        proposal = self.opened(request, object_id)
        change = self.change_of(proposal, str(change_id))
        wanted = wanted_of(request)
        wanted = Wanted(frozenset([change.pk]), wanted.context, wanted.line)
        shown = shown_changes(proposal, [change], wanted)[0]
        others = changes_in_other_proposals(proposal, staff(request))
        facts = {"each": shown, "others": others.get(change.node_id, []), **view_of(request)}
        if request.GET.get("piece"):
            context = {"proposal": proposal, "may_edit": self._may_edit(request, proposal), **facts}
            return TemplateResponse(request, f"{TEMPLATES}/_change_body.html", context)
        return self.proposal_page(request, proposal, "one.html", here="changes", **facts)

    def conversation_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Show what people said of a proposal, the oldest first."""
        proposal = self.opened(request, object_id)
        return self.conversation_page(request, proposal)

    def conversation_page(
        self, request: HttpRequest, proposal: Proposal, **extra: Any
    ) -> HttpResponse:
        """Answer with the page of the conversation; `extra` goes to the page."""
        return self.proposal_page(
            request,
            proposal,
            "conversation.html",
            here="conversation",
            talk=talk_of(proposal),
            **extra,
        )

    def happened_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Show what happened to a proposal, the newest first, and the versions it made."""
        proposal = self.opened(request, object_id)
        found = history_of(proposal)
        return self.proposal_page(
            request,
            proposal,
            "history.html",
            here="history",
            steps=found.steps,
            page=Paginator(found.versions, PAGE).get_page(request.GET.get("page")),
            relations=found.relations,
        )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Lead to what happened: that is the history of a proposal."""
        return HttpResponseRedirect(self.address("happened", object_id))

    def _may_edit(self, request: HttpRequest, proposal: Proposal) -> bool:
        return may_edit(staff(request), proposal)


def may_edit(user: User, proposal: Proposal) -> bool:
    """Return whether the person may change the branch as it stands."""
    is_hers = proposal.author_id == user.pk or curates(user, proposal.space)
    return is_hers and proposal.status in EDITABLE


def wanted_of(request: HttpRequest) -> Wanted:
    """Return how an address asks for changes: `?open=&line=&lines=all`."""
    opened = uuid_or_none(request.GET.get("open", ""))
    line = number_of(request.GET.get("line"))
    return Wanted(
        frozenset([opened] if opened else []),
        None if request.GET.get("lines") == "all" else CONTEXT,
        (opened, line) if opened and line else None,
    )


def view_of(request: HttpRequest) -> dict[str, Any]:
    """Return how an address asks for differences: side by side, and with every line."""
    return {
        "is_split": request.GET.get("view") == "split",
        "is_whole": request.GET.get("lines") == "all",
    }


def _page_number(
    request: HttpRequest, proposal: Proposal, opened: frozenset[uuid.UUID] | None
) -> str | int | None:
    """Return the page that the address names, or the one of the change that it opens."""
    if request.GET.get("page") or not opened:
        return request.GET.get("page")
    wanted = next(iter(opened))
    rows = ProposalChange.objects.filter(proposal=proposal).order_by("created_at", "pk")
    for number, pk in enumerate(rows.values_list("pk", flat=True)):
        if pk == wanted:
            return number // PAGE + 1
    return 1
