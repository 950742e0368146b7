"""REST: spaces."""

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.api.space_serializers import SpaceInput, SpaceSerializer
from knowledge.models import Space
from project.accounts.choices import Scope
from project.accounts.models import User
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find


class SpaceViewSet(ApiViewSet):
    """Spaces: the unit of access."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = SpaceSerializer

    def get_queryset(self) -> QuerySet:
        """Return the spaces that the caller may read."""
        return Space.objects.visible_to(self.request.user)

    def list(self, request: Request) -> Response:
        """List the spaces that the caller may read."""
        return self.page_of(self.get_queryset(), SpaceSerializer)

    @extend_schema(request=SpaceInput, responses={201: SpaceSerializer})
    def create(self, request: Request) -> Response:
        """Make a space; its maker manages it."""
        space = services.space_create(acting_user=caller(request), **self.validated(SpaceInput))
        return Response(SpaceSerializer(space).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a space."""
        return Response(SpaceSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=SpaceInput, responses=SpaceSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a space."""
        space = find(self.get_queryset(), pk)
        changes = self.validated(SpaceInput, partial=True)
        space = services.space_update(acting_user=caller(request), space=space, **changes)
        return Response(SpaceSerializer(space).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a space that holds nothing."""
        services.space_delete(acting_user=caller(request), space=find(self.get_queryset(), pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


def chosen_space(user: User, pk: uuid.UUID | None) -> Space:
    """Return the named space, or the caller's default one; raises NotFound like any other."""
    if pk is None:
        return services.space_default_for(user)
    return find(Space.objects.visible_to(user), pk)
