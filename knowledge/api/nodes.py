"""REST: nodes, and the graph around them."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.job_serializers import JobAnswer, JobSerializer
from knowledge.api.lineage import LineageAction
from knowledge.api.merge_serializers import StaleNodeEnvelope
from knowledge.api.moments import StateQuery
from knowledge.api.quality import QualityActions
from knowledge.api.related import RelatedAction
from knowledge.api.serializers import (
    GraphQuery,
    GraphSerializer,
    NodeBulkInput,
    NodeCreateInput,
    NodeListQuery,
    NodeSerializer,
    NodeUpdateInput,
)
from knowledge.api.spaces import chosen_space
from knowledge.api.versions import IF_MATCH, VersionActions
from knowledge.graph import neighbourhood
from knowledge.models import Node
from knowledge.moments import moment_of
from knowledge.past_reading import node_at
from knowledge.stale_writes import refusal_with_merge
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, expected_version, find, id_of, missing
from project.http.errors import Conflict


class NodeViewSet(VersionActions, QualityActions, LineageAction, RelatedAction, ApiViewSet):
    """Nodes: pieces of knowledge, each with its versions."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = NodeSerializer

    def get_queryset(self) -> QuerySet:
        """Return the nodes that the caller may open."""
        return Node.objects.visible_to(self.request.user)

    def _answer(self, node: Node, code: int = status.HTTP_200_OK) -> Response:
        return Response(
            NodeSerializer(node).data, status=code, headers={"ETag": f'"{node.version}"'}
        )

    @extend_schema(parameters=[NodeListQuery])
    def list(self, request: Request) -> Response:
        """List nodes, newest first."""
        filters: dict[str, Any] = dict(self.query(NodeListQuery))
        tag = filters.pop("tag", None)
        rows = self.get_queryset().filter(**filters)
        return self.page_of(rows.filter(tags__contains=[tag]) if tag else rows, NodeSerializer)

    @extend_schema(request=NodeCreateInput, responses={201: NodeSerializer})
    def create(self, request: Request) -> Response:
        """Make a node; `status: "published"` publishes it at once where the role allows."""
        fields = self.validated(NodeCreateInput)
        space = chosen_space(caller(request), fields.pop("space", None))
        node = services.node_create(acting_user=caller(request), space=space, **fields)
        return self._answer(node, status.HTTP_201_CREATED)

    @extend_schema(parameters=[StateQuery])
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a node: as it is, or with `as_of` or `release` as it was public in that state."""
        moment = moment_of(caller(request), **self.query(StateQuery))
        if moment is None:
            return self._answer(find(self.get_queryset(), pk))
        node = node_at(caller(request), id_of(pk), moment)
        if node is None:
            raise missing()
        return self._answer(node)

    @extend_schema(
        request=NodeUpdateInput,
        responses={200: NodeSerializer, 409: StaleNodeEnvelope},
        parameters=[IF_MATCH],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a node, as a new version.

        409 when it changed since the stated version; `details.merge` then holds both changes
        merged, to be sent again with `merged_from`.
        """
        node = find(self.get_queryset(), pk)
        changes = self.validated(NodeUpdateInput, partial=True)
        version = expected_version(request, changes)
        try:
            node = services.node_update(
                acting_user=caller(request), node=node, expected_version=version, **changes
            )
        except Conflict as refusal:
            if refusal.code != "version_conflict":
                raise
            raise refusal_with_merge(refusal, node, based_on=version, changes=changes) from refusal
        return self._answer(node)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a node with its versions; archive it to keep them."""
        node = find(self.get_queryset(), pk)
        version = expected_version(request, {})
        services.node_delete(acting_user=caller(request), node=node, expected_version=version)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=NodeBulkInput, responses={202: JobAnswer})
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Store up to 1000 nodes in a job; an `external_id` known in the space is updated."""
        body = self.validated(NodeBulkInput)
        space = chosen_space(caller(request), body.get("space"))
        job = services.nodes_bulk(acting_user=caller(request), space=space, rows=body["nodes"])
        return Response({"job": JobSerializer(job).data}, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[GraphQuery], responses=GraphSerializer)
    @action(detail=True)
    def graph(self, request: Request, pk: str) -> Response:
        """Show the neighbourhood of a node."""
        node = find(self.get_queryset(), pk)
        bounds = self.query(GraphQuery)
        found = neighbourhood(node, user=request.user, **bounds)
        return Response(GraphSerializer(found).data)
