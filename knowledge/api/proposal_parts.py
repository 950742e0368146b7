"""REST: the changes, comments and reviewers of a proposal."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.proposal_inputs import (
    ChangeInput,
    ChangesInput,
    ChangeUpdateInput,
    CommentInput,
    CommentListQuery,
    ResolveInput,
    ReviewersInput,
)
from knowledge.api.proposal_serializers import (
    ProposalChangeSerializer,
    ProposalCommentSerializer,
    ProposalReviewersSerializer,
)
from knowledge.models import Proposal, ProposalChange, ProposalComment
from project.accounts.models import User
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, expected_version, find
from project.http.errors import Invalid
from project.http.pagination import CursorPages

CHANGE_VERSION = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The version that you saw: `"3"`.'
)


CHANGE_ID = OpenApiParameter("change", UUID, OpenApiParameter.PATH)
COMMENT_ID = OpenApiParameter("comment", UUID, OpenApiParameter.PATH)


class OldestFirst(CursorPages):
    """Pages in the order in which things were made."""

    ordering = ("created_at", "id")


if TYPE_CHECKING:
    _Base = ApiViewSet
else:
    _Base = object


class PartActions(_Base):
    """What a proposal's resource offers of its parts."""

    @extend_schema(
        methods=["get"], responses=ProposalChangeSerializer(many=True), operation_id="changes_list"
    )
    @extend_schema(
        methods=["post"],
        request=ChangesInput,
        responses={201: ProposalChangeSerializer(many=True)},
        operation_id="changes_add",
    )
    @action(detail=True, methods=["get", "post"], pagination_class=OldestFirst)
    def changes(self, request: Request, pk: str) -> Response:
        """List the changes, oldest first; or add one, or many as `changes`: all or none."""
        proposal: Proposal = find(self.get_queryset(), pk)
        if request.method == "GET":
            return self.page_of(proposal.changes.all(), ProposalChangeSerializer)
        is_many = isinstance(request.data, dict) and "changes" in request.data
        body = self.validated(ChangesInput if is_many else ChangeInput)
        made = services.changes_add(
            acting_user=caller(request),
            proposal=proposal,
            changes=body["changes"] if is_many else [body],
            expected_revision=expected_version(request, {}),
        )
        shown = ProposalChangeSerializer(made, many=True).data
        answer: Any = {"changes": shown} if is_many else shown[0]
        return Response(answer, status=status.HTTP_201_CREATED)

    @extend_schema(
        methods=["get"],
        responses=ProposalChangeSerializer,
        parameters=[CHANGE_ID],
        operation_id="changes_retrieve",
    )
    @extend_schema(
        methods=["patch"],
        request=ChangeUpdateInput,
        responses=ProposalChangeSerializer,
        parameters=[CHANGE_ID, CHANGE_VERSION],
        operation_id="changes_update",
    )
    @extend_schema(
        methods=["delete"],
        responses={204: None},
        parameters=[CHANGE_ID, CHANGE_VERSION],
        operation_id="changes_remove",
    )
    @action(detail=True, methods=["get", "patch", "delete"], url_path=r"changes/(?P<change>[^/.]+)")
    def change(self, request: Request, pk: str, change: str) -> Response:
        """Show, change or take out one change; writes name the version that they saw."""
        proposal: Proposal = find(self.get_queryset(), pk)
        row: ProposalChange = find(proposal.changes.all(), change)
        if request.method == "GET":
            return self._change_answer(row)
        if request.method == "DELETE":
            services.change_remove(
                acting_user=caller(request), change=row, expected_version=self._stated({})
            )
            return Response(status=status.HTTP_204_NO_CONTENT)
        body = self.validated(ChangeUpdateInput)
        version, replace = self._stated(body), body.pop("replace", False)
        row = services.change_update(
            acting_user=caller(request),
            change=row,
            expected_version=version,
            fields=body,
            replace=replace,
        )
        return self._change_answer(row)

    def _change_answer(self, row: ProposalChange) -> Response:
        data = ProposalChangeSerializer(row).data
        return Response(data, headers={"ETag": f'"{row.version}"'})

    def _stated(self, body: dict[str, Any]) -> int | None:
        """Return the version that a write names; raises Invalid when it names none."""
        version = expected_version(self.request, body)
        if version is None and self.request.headers.get("If-Match", "").strip() != "*":
            message = _("Say which version of the change you saw, as `version` or If-Match.")
            raise Invalid(message, code="required", field="version")
        return version

    @extend_schema(
        methods=["get"],
        parameters=[CommentListQuery],
        responses=ProposalCommentSerializer(many=True),
        operation_id="comments_list",
    )
    @extend_schema(
        methods=["post"],
        request=CommentInput,
        responses={201: ProposalCommentSerializer},
        operation_id="comments_add",
    )
    @action(detail=True, methods=["get", "post"], pagination_class=OldestFirst)
    def comments(self, request: Request, pk: str) -> Response:
        """List the comments, oldest first; or write one."""
        proposal: Proposal = find(self.get_queryset(), pk)
        if request.method == "GET":
            filters = dict(self.query(CommentListQuery))
            resolved = filters.pop("resolved", None)
            rows = proposal.comments.select_related("author").filter(**filters)
            if resolved is not None:
                rows = rows.filter(resolved_at__isnull=not resolved)
            return self.page_of(rows, ProposalCommentSerializer)
        body = self.validated(CommentInput)
        change, parent = body.pop("change", None), body.pop("parent", None)
        comment = services.comment_add(
            acting_user=caller(request),
            proposal=proposal,
            change=find(proposal.changes.all(), change) if change else None,
            parent=find(proposal.comments.all(), parent) if parent else None,
            **body,
        )
        return Response(ProposalCommentSerializer(comment).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        request=ResolveInput, responses=ProposalCommentSerializer, parameters=[COMMENT_ID]
    )
    @action(detail=True, methods=["post"], url_path=r"comments/(?P<comment>[^/.]+)/resolve")
    def resolve(self, request: Request, pk: str, comment: str) -> Response:
        """Mark a comment as settled, or, with `resolved: false`, open it again."""
        proposal: Proposal = find(self.get_queryset(), pk)
        row: ProposalComment = find(proposal.comments.all(), comment)
        resolved = self.validated(ResolveInput)["resolved"]
        row = services.comment_resolve(acting_user=caller(request), comment=row, resolved=resolved)
        return Response(ProposalCommentSerializer(row).data)

    @extend_schema(request=ReviewersInput, responses=ProposalReviewersSerializer)
    @action(detail=True, methods=["put"])
    def reviewers(self, request: Request, pk: str) -> Response:
        """Say who is to review the proposal."""
        proposal: Proposal = find(self.get_queryset(), pk)
        wanted = set(self.validated(ReviewersInput)["reviewers"])
        users = list(User.objects.filter(pk__in=wanted, is_active=True))
        if len(users) != len(wanted):
            raise Invalid(_("There is no such user."), field="reviewers")
        rows = services.reviewers_set(acting_user=caller(request), proposal=proposal, users=users)
        return Response({"reviewers": [row.user_id for row in rows]})
