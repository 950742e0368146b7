"""REST: relations between nodes."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.serializers import (
    RelationInput,
    RelationListQuery,
    RelationSerializer,
    RelationUpdateInput,
)
from knowledge.api.version_serializers import RelationVersionSerializer
from knowledge.api.versions import IF_MATCH, VersionPages
from knowledge.models import Node, Relation, RelationVersion
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, expected_version, find


class RelationViewSet(ApiViewSet):
    """Typed, weighted, directed edges between nodes."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = RelationSerializer

    def get_queryset(self) -> QuerySet:
        """Return the relations both of whose ends the caller may open."""
        return Relation.objects.visible_to(self.request.user)

    @extend_schema(parameters=[RelationListQuery])
    def list(self, request: Request) -> Response:
        """List relations, newest first."""
        rows = self.get_queryset().filter(**self.query(RelationListQuery))
        return self.page_of(rows, RelationSerializer)

    @extend_schema(request=RelationInput, responses={201: RelationSerializer})
    def create(self, request: Request) -> Response:
        """Relate two nodes."""
        fields = self.validated(RelationInput)
        nodes = Node.objects.visible_to(request.user)
        fields["source"] = find(nodes, fields["source"])
        fields["target"] = find(nodes, fields["target"])
        relation = services.relation_create(acting_user=caller(request), **fields)
        return Response(RelationSerializer(relation).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a relation."""
        return Response(RelationSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=RelationUpdateInput, responses=RelationSerializer, parameters=[IF_MATCH])
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a relation, as a new version; `status: "confirmed"` confirms a suggestion."""
        relation = find(self.get_queryset(), pk)
        changes = self.validated(RelationUpdateInput)
        version = expected_version(request, changes)
        relation = services.relation_update(
            acting_user=caller(request), relation=relation, expected_version=version, **changes
        )
        return Response(
            RelationSerializer(relation).data, headers={"ETag": f'"{relation.version}"'}
        )

    @extend_schema(responses=RelationVersionSerializer(many=True))
    @action(detail=True, pagination_class=VersionPages)
    def versions(self, request: Request, pk: str) -> Response:
        """List a relation's versions, newest first."""
        relation = find(self.get_queryset(), pk)
        rows = RelationVersion.objects.filter(id=relation.pk)
        return self.page_of(rows, RelationVersionSerializer)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a relation."""
        relation = find(self.get_queryset(), pk)
        services.relation_delete(acting_user=caller(request), relation=relation)
        return Response(status=status.HTTP_204_NO_CONTENT)
