"""Merging: what it will touch, the merge itself, and the checks before it."""

import time
import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import staff
from knowledge.admin.proposal_base import ProposalBase, number_of, told
from knowledge.admin.proposal_touches import checklist_of, quality_of, touches_of
from knowledge.models import EvaluationRun, PreviewNode
from knowledge.previews import preview_is_fresh
from knowledge.proposal_conflicts import MergeRefused
from project.http.admin_base import posted_only
from project.http.errors import ApiError


class MergePages(ProposalBase):
    """The part of the proposal admin that checks and merges."""

    def merge_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<uuid:object_id>/"
        pages = {
            "checks": self.checks_view,
            "evaluate": self.evaluate_view,
            "merge": self.merge_view,
            "ready": self.ready_view,
        }
        return [
            path(f"{base}{name}/", wrap(view), name=f"knowledge_proposal_{name}")
            for name, view in pages.items()
        ]

    def checks_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Show what stands in the way of a merge, and what to know before it."""
        proposal = self.opened(request, object_id)
        found = checklist_of(proposal)
        runs = EvaluationRun.objects.filter(proposal_id=proposal.pk)
        newest = runs.select_related("created_by").order_by("-created_at", "pk").first()
        return self.proposal_page(
            request,
            proposal,
            "checks.html",
            here="checks",
            conflicts=found.conflicts,
            checklist=found,
            quality=quality_of(proposal, number_of(request.GET.get("page"))),
            run=newest,
            run_is_stale=newest is not None and newest.proposal_revision != proposal.revision,
            touches=None if proposal.is_decided else touches_of(proposal, staff(request)),
        )

    def evaluate_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Ask the golden questions of the state as if merged."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        proposal = self.opened(request, object_id)
        with told(request, _("The golden questions are being asked.")):
            services.evaluation_start(acting_user=staff(request), proposal=proposal.pk)
        return self.back_to(proposal, "checks", after="#evaluation")

    def merge_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Say what a merge would touch and ask for it; then do it, all of it or nothing."""
        proposal = self.opened(request, object_id)
        if proposal.is_decided:
            return self.back_to(proposal)
        if request.method == "POST":
            began = time.monotonic()
            try:
                services.proposal_merge(
                    acting_user=staff(request),
                    proposal=proposal,
                    expected_revision=number_of(request.POST.get("revision")),
                )
            except MergeRefused as error:
                messages.error(request, error.message)
                return self.back_to(proposal, "conflicts")
            except ApiError as error:
                messages.error(request, error.message)
                return self.back_to(proposal)
            text = _("The proposal is merged (%(seconds)s s).")
            messages.success(request, text % {"seconds": f"{time.monotonic() - began:.1f}"})
            return self.back_to(proposal, "happened")
        touches = touches_of(proposal, staff(request))
        return self.proposal_page(
            request,
            proposal,
            "merge.html",
            conflicts=touches.conflicts,
            touches=touches,
            is_prepared=preview_is_fresh(proposal),
        )

    def ready_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Answer scripts whether the passages that a merge needs are prepared."""
        proposal = self.opened(request, object_id)
        return JsonResponse(
            {
                "is_ready": preview_is_fresh(proposal),
                "prepared": PreviewNode.objects.filter(proposal=proposal).count(),
                "changes": proposal.changes.exclude(node_id=None).count(),
            }
        )
