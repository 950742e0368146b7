"""REST: what a proposal changes, what conflicts, and its merge."""

from typing import TYPE_CHECKING

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.proposal_inputs import MergeInput, PreviewQuery, SuggestInput
from knowledge.api.proposal_merge_serializers import (
    ChangeDiffSerializer,
    MergeRefusedSerializer,
    ProposalChecksSerializer,
    ProposalConflictsSerializer,
    ProposalFindingsSerializer,
    ProposalPreviewSerializer,
    ProposalSuggestionSerializer,
)
from knowledge.api.proposal_parts import OldestFirst
from knowledge.api.proposal_serializers import ProposalSerializer
from knowledge.branches import node_state
from knowledge.impact import blast_radius
from knowledge.models import Proposal
from knowledge.proposal_checks import findings_of, proposal_check, quality_check
from knowledge.proposal_plans import proposal_plan
from knowledge.proposal_reading import changes_compare
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, expected_version, find, missing

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The revision that you saw: `"3"`.'
)


class FewAtOnce(OldestFirst):
    """Pages of what takes its time."""

    page_size = 10
    max_page_size = 50


if TYPE_CHECKING:
    _Base = ApiViewSet
else:
    _Base = object


class MergeActions(_Base):
    """What a proposal's resource offers around its merge."""

    @extend_schema(responses=ChangeDiffSerializer(many=True))
    @action(detail=True, pagination_class=OldestFirst)
    def diff(self, request: Request, pk: str) -> Response:
        """Show what each change changes: field by field, and the text as a unified diff."""
        proposal: Proposal = find(self.get_queryset(), pk)
        page = self.paginate_queryset(proposal.changes.all())
        found = changes_compare(proposal, page or [])
        return self.get_paginated_response(ChangeDiffSerializer(found, many=True).data)

    @extend_schema(responses=ProposalConflictsSerializer)
    @action(detail=True)
    def conflicts(self, request: Request, pk: str) -> Response:
        """List what would be left to be chosen if the proposal were merged now."""
        proposal: Proposal = find(self.get_queryset(), pk)
        found = services.proposal_conflicts(acting_user=caller(request), proposal=proposal)
        return Response({"conflicts": [each.as_json() for each in found]})

    @extend_schema(request=SuggestInput, responses=ProposalSuggestionSerializer)
    @action(detail=True, methods=["post"], url_path="conflicts/suggest")
    def suggest(self, request: Request, pk: str) -> Response:
        """Ask the language model what it would make of a conflict; nothing is changed by it."""
        proposal: Proposal = find(self.get_queryset(), pk)
        conflict = self.validated(SuggestInput)["conflict"]
        text = services.conflict_suggest(
            acting_user=caller(request), proposal=proposal, conflict_id=conflict
        )
        return Response({"conflict": conflict, "suggestion": text})

    @extend_schema(responses=ProposalChecksSerializer)
    @action(detail=True)
    def checks(self, request: Request, pk: str) -> Response:
        """Show what stands in the way of a merge, and what to know before."""
        proposal: Proposal = find(self.get_queryset(), pk)
        plan = None if proposal.is_decided else proposal_plan(proposal)
        found = proposal_check(proposal, plan)
        dependents = [
            {
                "kind": each.kind,
                "label": each.label,
                "count": each.count,
                "examples": [{"title": title, "url": url} for title, url in each.examples],
            }
            for each in blast_radius(found.nodes, request.user)
        ]
        answer = {
            "is_mergeable": found.is_mergeable,
            "approvals": found.approvals,
            "missing": found.missing,
            "conflicts": found.conflicts,
            "checks": [*found.checks, *(quality_check(plan) if plan else [])],
            "dependents": dependents,
        }
        return Response(ProposalChecksSerializer(answer).data)

    @extend_schema(responses=ProposalFindingsSerializer(many=True))
    @action(detail=True, pagination_class=FewAtOnce)
    def findings(self, request: Request, pk: str) -> Response:
        """List what the quality checks find in the changed nodes, as if merged."""
        proposal: Proposal = find(self.get_queryset(), pk)
        page = self.paginate_queryset(proposal.changes.exclude(node_id=None)) or []
        plan = proposal_plan(proposal) if page and not proposal.is_decided else None
        planned = {each.change.pk: each for each in plan.nodes} if plan else {}
        rows = [
            {
                "change": change.pk,
                "node": planned[change.pk].node.pk,
                "title": planned[change.pk].node.title,
                "findings": findings_of(plan, planned[change.pk]),
            }
            for change in page
            if plan and change.pk in planned
        ]
        return self.get_paginated_response(ProposalFindingsSerializer(rows, many=True).data)

    @extend_schema(parameters=[PreviewQuery], responses=ProposalPreviewSerializer)
    @action(detail=True)
    def preview(self, request: Request, pk: str) -> Response:
        """Show a node as the merge would leave it, with the branch's side in what conflicts."""
        proposal: Proposal = find(self.get_queryset(), pk)
        wanted = self.query(PreviewQuery)["node"]
        if proposal.is_decided:
            raise missing()
        plan = proposal_plan(proposal)
        planned = plan.by_node.get(wanted)
        if planned is None:
            raise missing()
        conflicts = [each for each in plan.conflicts if each.change == planned.change.pk]
        return Response(
            {
                "node": str(wanted),
                "version": planned.version,
                "merged_version": planned.before.version if planned.before else None,
                "state": node_state(planned.node),
                "conflicts": [each.as_json() for each in conflicts],
            }
        )

    @extend_schema(
        request=MergeInput,
        responses={200: ProposalSerializer, 409: MergeRefusedSerializer},
        parameters=[IF_MATCH],
    )
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Merge the proposal: all of it, or nothing. 409 lists the conflicts that are left."""
        proposal: Proposal = find(self.get_queryset(), pk)
        body = self.validated(MergeInput)
        revision = expected_version(request, {"version": body.pop("revision", None)})
        merged = services.proposal_merge(
            acting_user=caller(request), proposal=proposal, expected_revision=revision, **body
        )
        return Response(ProposalSerializer(find(self.get_queryset(), merged.pk)).data)

    @extend_schema(request=MergeInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def rebase(self, request: Request, pk: str) -> Response:
        """Let the branch begin from the nodes as they are stored now."""
        proposal: Proposal = find(self.get_queryset(), pk)
        body = self.validated(MergeInput)
        revision = expected_version(request, {"version": body.pop("revision", None)})
        row = services.proposal_rebase(
            acting_user=caller(request), proposal=proposal, expected_revision=revision, **body
        )
        return Response(ProposalSerializer(find(self.get_queryset(), row.pk)).data)
