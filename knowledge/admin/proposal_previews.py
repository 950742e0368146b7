"""Looking at knowledge as if a proposal were merged: search beside search, and each node's page."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, URLPattern, path, reverse

from knowledge import reading
from knowledge.admin.access import staff
from knowledge.admin.proposal_base import ProposalBase
from knowledge.models import Node, PreviewNode, Proposal
from knowledge.previews import preview_is_fresh, proposal_prepare
from knowledge.proposal_reading import node_previewed
from knowledge.retrieval import search
from knowledge.types import SearchRequest, SearchResult
from project.accounts.models import User
from project.http.errors import ApiError

PAGE = 50
SHOWN = 10
PREPARED_AT_ONCE = 12
"""Changes up to which the page itself brings a stale preview up to date."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A result with its place, and what the other side says of it: `moved` is places up."""

    place: int
    result: SearchResult
    state: str
    moved: int = 0
    is_ours: bool = False

    @property
    def steps(self) -> int:
        """How many places it moved, either way."""
        return abs(self.moved)


@dataclass(frozen=True, slots=True)
class Compared:
    """One question asked of both states; `problem` says why there is no answer."""

    before: list[Hit]
    after: list[Hit]
    degraded: list[str]
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether both lists are the same, versions included."""
        return all(hit.state == "same" for hit in [*self.before, *self.after])


class PreviewPages(ProposalBase):
    """The part of the proposal admin that shows knowledge as if merged."""

    def preview_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<uuid:object_id>/preview/"
        return [
            path(base, wrap(self.preview_view), name="knowledge_proposal_preview"),
            path(
                f"{base}<uuid:node_id>/",
                wrap(self.preview_node_view),
                name="knowledge_proposal_preview_node",
            ),
        ]

    def preview_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Search both states with `?q=`, and list the nodes as the merge would leave them."""
        proposal = self.opened(request, object_id)
        query = request.GET.get("q", "").strip()[:500]
        if not proposal.is_decided and proposal.changes.count() <= PREPARED_AT_ONCE:
            proposal_prepare(proposal.pk)
        nodes = PreviewNode.objects.filter(proposal=proposal).defer("content", "metadata")
        return self.proposal_page(
            request,
            proposal,
            "preview.html",
            here="preview",
            query=query,
            compared=compared_by(proposal, query, staff(request)) if query else None,
            page=Paginator(nodes.order_by("title", "pk"), PAGE).get_page(request.GET.get("page")),
            is_fresh=proposal.is_decided or preview_is_fresh(proposal),
            answer_address=_answer_address(proposal),
        )

    def preview_node_view(
        self, request: HttpRequest, object_id: uuid.UUID, node_id: uuid.UUID
    ) -> HttpResponse:
        """Show a node as the merge would leave it; one that it leaves alone on its own page."""
        proposal = self.opened(request, object_id)
        planned = None if proposal.is_decided else node_previewed(proposal, node_id)
        if planned is None:
            return HttpResponseRedirect(reverse("node-page", args=[node_id]))
        resolver = reading.wiki_links(planned.node, staff(request))
        return self.proposal_page(
            request,
            proposal,
            "preview_node.html",
            here="preview",
            planned=planned,
            html=reading.rendered(planned.node.content, None, resolver),
            exists=Node.objects.filter(pk=node_id).exists(),
        )


def compared_by(proposal: Proposal, query: str, user: User) -> Compared:
    """Ask one question of the state as it is and of that as if merged."""
    spaces = (proposal.space_id,)
    try:
        now = search(SearchRequest(query, limit=SHOWN, spaces=spaces), user=user)
        merged = search(
            SearchRequest(query, limit=SHOWN, spaces=spaces, proposal=proposal.pk), user=user
        )
    except ApiError as error:
        return Compared([], [], [], error.message)
    changed = set(proposal.changes.exclude(node_id=None).values_list("node_id", flat=True))
    return Compared(
        _hits(now.results, merged.results, changed, missing="gone"),
        _hits(merged.results, now.results, changed, missing="new"),
        sorted({*now.degraded, *merged.degraded}),
    )


def _hits(
    results: list[SearchResult], others: list[SearchResult], changed: set[Any], *, missing: str
) -> list[Hit]:
    places = {each.node: place for place, each in enumerate(others)}
    found = []
    for place, each in enumerate(results):
        other = places.get(each.node)
        if other is None:
            hit = Hit(place + 1, each, missing, is_ours=each.node in changed)
        else:
            moved = other - place if missing == "new" else place - other
            state = "moved" if moved else "same"
            hit = Hit(place + 1, each, state, moved, is_ours=each.node in changed)
        found.append(hit)
    return found


def _answer_address(proposal: Proposal) -> str:
    """Return where the app above answers questions as if merged; nothing where it is not there."""
    try:
        return reverse("proposal-answer", args=[proposal.pk])
    except NoReverseMatch:
        return ""
