"""REST: proposals and their states."""

from typing import Any

from django.db.models import Count, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.proposal_inputs import (
    DecisionInput,
    ProposalInput,
    ProposalListQuery,
    ProposalUpdateInput,
    RevisionInput,
)
from knowledge.api.proposal_merges import MergeActions
from knowledge.api.proposal_parts import PartActions
from knowledge.api.proposal_serializers import ProposalRowSerializer, ProposalSerializer
from knowledge.api.spaces import chosen_space
from knowledge.choices import ProposalOrigin, Verdict
from knowledge.models import Proposal, ProposalChange
from project.accounts.choices import Scope
from project.accounts.models import ApiKey
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, expected_version, find

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The revision that you saw: `"3"`.'
)


class ProposalViewSet(MergeActions, PartActions, ApiViewSet):
    """Proposals: branches of edits, reviewed and merged as one."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = ProposalSerializer

    def get_queryset(self) -> QuerySet:
        """Return the proposals of the spaces that the caller may edit."""
        rows = Proposal.objects.visible_to(self.request.user)
        counted = rows.annotate(changes_count=Count("changes", distinct=True))
        return counted.select_related("space", "author")

    def _answer(self, proposal: Proposal, code: int = status.HTTP_200_OK) -> Response:
        data = ProposalSerializer(find(self.get_queryset(), proposal.pk)).data
        return Response(data, status=code, headers={"ETag": f'"{data["revision"]}"'})

    def _revision(self, body: dict[str, Any]) -> int | None:
        """Return the revision that the caller saw, where they said one."""
        return expected_version(self.request, {"version": body.pop("revision", None)})

    @extend_schema(parameters=[ProposalListQuery], responses=ProposalRowSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List proposals, newest first."""
        filters: dict[str, Any] = dict(self.query(ProposalListQuery))
        node = filters.pop("node", None)
        rows = self.get_queryset().filter(**filters)
        if node:
            changes = ProposalChange.objects.filter(node_id=node)
            rows = rows.filter(pk__in=changes.values("proposal"))
        return self.page_of(rows, ProposalRowSerializer)

    @extend_schema(request=ProposalInput, responses={201: ProposalSerializer})
    def create(self, request: Request) -> Response:
        """Begin a proposal, with changes if you like; it is a draft until it is submitted."""
        body = self.validated(ProposalInput)
        by_program = isinstance(request.auth, ApiKey)
        body.setdefault("origin", ProposalOrigin.PROGRAM if by_program else ProposalOrigin.MANUAL)
        space = chosen_space(caller(request), body.pop("space", None))
        proposal = services.proposal_create(acting_user=caller(request), space=space, **body)
        return self._answer(proposal, status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a proposal."""
        return self._answer(find(self.get_queryset(), pk))

    @extend_schema(request=ProposalUpdateInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the title or description of a proposal."""
        proposal = find(self.get_queryset(), pk)
        body = self.validated(ProposalUpdateInput)
        revision = self._revision(body)
        proposal = services.proposal_update(
            acting_user=caller(request), proposal=proposal, expected_revision=revision, **body
        )
        return self._answer(proposal)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a draft or a rejected proposal."""
        services.proposal_delete(
            acting_user=caller(request),
            proposal=find(self.get_queryset(), pk),
            expected_revision=self._revision({}),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=RevisionInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str) -> Response:
        """Hand a draft, or one with requested changes, in for review."""
        proposal = find(self.get_queryset(), pk)
        revision = self._revision(self.validated(RevisionInput))
        services.proposal_submit(
            acting_user=caller(request), proposal=proposal, expected_revision=revision
        )
        return self._answer(proposal)

    @extend_schema(request=DecisionInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: str) -> Response:
        """Approve the proposal as it is; a later change makes the approval stale."""
        return self._review(pk, Verdict.APPROVED)

    @extend_schema(request=DecisionInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"], url_path="request-changes")
    def request_changes(self, request: Request, pk: str) -> Response:
        """Ask for changes before the proposal may be merged."""
        return self._review(pk, Verdict.CHANGES_REQUESTED)

    def _review(self, pk: str, verdict: Verdict) -> Response:
        proposal = find(self.get_queryset(), pk)
        body = self.validated(DecisionInput)
        revision = self._revision(body)
        services.proposal_review(
            acting_user=caller(self.request),
            proposal=proposal,
            verdict=verdict,
            expected_revision=revision,
            **body,
        )
        return self._answer(proposal)

    @extend_schema(request=DecisionInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: str) -> Response:
        """Close the proposal without merging it."""
        proposal = find(self.get_queryset(), pk)
        body = self.validated(DecisionInput)
        revision = self._revision(body)
        services.proposal_reject(
            acting_user=caller(request), proposal=proposal, expected_revision=revision, **body
        )
        return self._answer(proposal)

    @extend_schema(request=RevisionInput, responses=ProposalSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Make the proposal a draft again."""
        proposal = find(self.get_queryset(), pk)
        revision = self._revision(self.validated(RevisionInput))
        services.proposal_reopen(
            acting_user=caller(request), proposal=proposal, expected_revision=revision
        )
        return self._answer(proposal)
