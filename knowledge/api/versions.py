"""REST: the versions of nodes, and what can be done with a history."""

import uuid
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services, versions
from knowledge.access import versions_tagged
from knowledge.api.serializers import NodeSerializer
from knowledge.api.spaces import chosen_space
from knowledge.api.version_serializers import (
    BulkRevertInput,
    BulkRevertSerializer,
    EraseInput,
    ErasureSerializer,
    NodeDiffSerializer,
    NodeRevertInput,
    NodeVersionDetailSerializer,
    NodeVersionSerializer,
    VersionTagInput,
)
from knowledge.choices import VersionOrigin
from knowledge.models import Node, NodeVersion, Space
from knowledge.relation_history import RelationChange, relation_changes
from knowledge.reverting import Unwanted, revert_plan
from knowledge.types import Origin
from project.accounts.models import User
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, expected_version, find, missing
from project.http.errors import Invalid
from project.http.pagination import CursorPages

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description='The version it is based on: `"3"`.'
)


class VersionPages(CursorPages):
    """Versions, newest first."""

    ordering = ("-version", "history_id")


if TYPE_CHECKING:
    _Base = ApiViewSet
else:
    _Base = object


class VersionActions(_Base):
    """What a node's resource offers of its versions."""

    @extend_schema(responses=NodeVersionSerializer(many=True))
    @action(detail=True, pagination_class=VersionPages)
    def versions(self, request: Request, pk: str) -> Response:
        """List a node's versions, newest first."""
        node = find(self.get_queryset(), pk)
        rows = services.node_versions_visible_to(caller(request), node)
        page = self.paginate_queryset(rows.select_related("history_user"))
        context = {"version_tags": versions_tagged(node.pk)}
        data = NodeVersionSerializer(page, many=True, context=context).data
        return self.get_paginated_response(data)

    @extend_schema(responses=NodeVersionDetailSerializer)
    @action(detail=True, url_path=r"versions/(?P<number>[0-9]{1,9})")
    def version(self, request: Request, pk: str, number: str) -> Response:
        """Show one version with its whole content; an erased one has none."""
        return self._version_answer(self._version(pk, int(number)))

    @extend_schema(request=VersionTagInput, responses=NodeVersionDetailSerializer)
    @action(detail=True, methods=["post"], url_path=r"versions/(?P<number>[0-9]{1,9})/tags")
    def version_tags(self, request: Request, pk: str, number: str) -> Response:
        """Give a version a name that no other version of the node has."""
        row = self._version(pk, int(number))
        name = self.validated(VersionTagInput)["name"]
        node = find(self.get_queryset(), pk)
        services.version_tag(acting_user=caller(request), node=node, version=row.version, name=name)
        return self._version_answer(row)

    @extend_schema(responses={204: None})
    @action(
        detail=True,
        methods=["delete"],
        url_path=r"versions/(?P<number>[0-9]{1,9})/tags/(?P<name>.+)",  # a name may hold a slash
    )
    def version_tag(self, request: Request, pk: str, number: str, name: str) -> Response:
        """Take a name away from a version."""
        row = self._version(pk, int(number))
        if name not in versions_tagged(row.id).get(row.version, []):
            raise missing()
        node = find(self.get_queryset(), pk)
        services.version_untag(acting_user=caller(request), node=node, name=name)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        responses=NodeDiffSerializer,
        parameters=[
            OpenApiParameter("from", int, required=True),
            OpenApiParameter("to", int, required=True),
        ],
    )
    @action(detail=True)
    def diff(self, request: Request, pk: str) -> Response:
        """Compare two versions: fields, the content as a unified diff, and relations to others."""
        find(self.get_queryset(), pk)  # first: a stranger is told of no field of it
        numbers = self._number("from"), self._number("to")
        old, new = (self._version(pk, number) for number in numbers)
        names = (f"version {numbers[0]}", f"version {numbers[1]}")
        answer = versions.compare(old, new, names=names)
        diff = {
            "from_version": numbers[0],
            "to_version": numbers[1],
            "changes": answer["fields"],
            "unified": answer["unified"],
            "relations": relation_changes_visible_to(caller(request), old, new),
        }
        return Response(NodeDiffSerializer(diff).data)

    @extend_schema(request=NodeRevertInput, responses=NodeSerializer, parameters=[IF_MATCH])
    @action(detail=True, methods=["post"])
    def revert(self, request: Request, pk: str) -> Response:
        """Make a new version equal to an old one."""
        node = find(self.get_queryset(), pk)
        body = self.validated(NodeRevertInput)
        node = services.node_revert(
            acting_user=caller(request),
            node=node,
            version=body["version"],
            reason=body.get("reason", ""),
            expected_version=expected_version(request, {}),
        )
        return Response(NodeSerializer(node).data, headers={"ETag": f'"{node.version}"'})

    @extend_schema(request=BulkRevertInput, responses=BulkRevertSerializer)
    @action(detail=False, methods=["post"], url_path="bulk-revert")
    def bulk_revert(self, request: Request) -> Response:
        """Take out what an author, a proposal or an import wrote, and keep what others wrote since.

        New versions are made; nothing is lost. A node in which a later change stands in the way is
        left alone and named as a conflict.
        """
        body = self.validated(BulkRevertInput)
        user = caller(request)
        space = chosen_space(user, body.get("space"))
        unwanted = unwanted_of(user, space, body)
        if body["dry_run"]:
            plan = revert_plan(unwanted)
        else:
            plan = services.nodes_revert(
                acting_user=user, unwanted=unwanted, reason=body.get("reason", "")
            )
        answer = {
            "dry_run": body["dry_run"],
            "nodes": plan.nodes,
            "relations_removed": len(plan.relations_removed),
            "relations_restored": len(plan.relations_restored),
            "relations_changed": len(plan.relations_changed),
        }
        return Response(BulkRevertSerializer(answer).data)

    @extend_schema(request=EraseInput, responses=ErasureSerializer)
    @action(detail=True, methods=["post"])
    def erase(self, request: Request, pk: str) -> Response:
        """Empty versions for legal reasons, for good; without `versions` the whole node.

        Numbers, checksums, authors and times stay as a tombstone. Deleted nodes can be erased, too.
        """
        space = self._space_of(caller(request), pk)
        body = self.validated(EraseInput)
        erasure = services.versions_erase(
            acting_user=caller(request),
            space=space,
            node_id=uuid.UUID(pk),
            versions=body.get("versions"),
            reason=body["reason"],
        )
        return Response(ErasureSerializer(erasure).data)

    def _space_of(self, user: User, pk: str) -> Space:
        try:
            key = uuid.UUID(pk)
        except ValueError:
            raise missing() from None
        spaces = Space.objects.visible_to(user)
        owners = NodeVersion.objects.filter(id=key, space__in=spaces.values("pk"))
        space = spaces.filter(pk__in=owners.values("space")).first()
        if space is None or not (
            self.get_queryset().filter(pk=key).exists()
            or spaces.editable_by(user).filter(pk=space.pk).exists()
        ):
            raise missing()
        return space

    def _version(self, pk: str, number: int) -> Any:
        node = find(self.get_queryset(), pk)
        rows = services.node_versions_visible_to(caller(self.request), node)
        row = rows.filter(version=number).first()
        if row is None:
            raise missing()
        return row

    def _version_answer(self, row: Any) -> Response:
        context = {"version_tags": versions_tagged(row.id)}
        return Response(NodeVersionDetailSerializer(row, context=context).data)

    def _number(self, name: str) -> int:
        raw = self.request.query_params.get(name, "")
        if not (raw.isascii() and raw.isdigit() and len(raw) < 10 and int(raw)):
            message = _("“%(name)s” must be a version number.") % {"name": name}
            raise Invalid(message, field=name)
        return int(raw)


def relation_changes_visible_to(user: User, old: Any, new: Any) -> list[RelationChange]:
    """Return how the relations of two versions differ, as far as `user` may open the other end.

    Whoever edits the space sees those to nodes that are gone, too.
    """
    changes = relation_changes(old, new)
    targets = {each.version.target_id for each in changes}
    open_to = set(Node.objects.visible_to(user).filter(pk__in=targets).values_list("pk", flat=True))
    if Space.objects.editable_by(user).filter(pk=new.space_id).exists():
        there = Node.objects.filter(pk__in=targets).values_list("pk", flat=True)
        open_to |= targets - set(there)
    return [each for each in changes if each.version.target_id in open_to]


def unwanted_of(user: User, space: Space, body: dict[str, Any]) -> Unwanted:
    """Return what a caller who may do so wants to take out. Raises as `revert_permit` does."""
    author = None
    if name := body.get("author"):
        author = User.objects.filter(username=name).first()
        if author is None:
            message = _("There is no user “%(name)s”.") % {"name": name}
            services.revert_permit(user, Unwanted(space, author=user))  # no telling to strangers
            raise Invalid(message, field="author")
    origin = None
    if body.get("proposal"):
        origin = Origin(VersionOrigin.PROPOSAL, body["proposal"])
    elif body.get("job"):
        origin = Origin(VersionOrigin.IMPORT, body["job"])
    unwanted = Unwanted(space, author, origin, body.get("since"), body.get("until"))
    services.revert_permit(user, unwanted)
    return unwanted
