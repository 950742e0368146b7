"""REST: retrieval profiles, for those who curate a space."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.access import not_found
from knowledge.api.profile_serializers import (
    ActivationInput,
    ActivationSerializer,
    KnobSerializer,
    ProfileInput,
    ProfileSerializer,
    knobs_shown,
)
from knowledge.models import ProfileActivation, RetrievalProfile, Space
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find


class ProfileViewSet(ApiViewSet):
    """How search weighs what it finds: versions that never change, and which of them holds."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_WRITE
    serializer_class = ProfileSerializer

    def get_queryset(self) -> QuerySet:
        """Return the versions, for curators of any space and up."""
        return RetrievalProfile.objects.visible_to(self.request.user)

    def list(self, request: Request) -> Response:
        """List versions, newest first."""
        return self.page_of(self.get_queryset(), ProfileSerializer)

    @extend_schema(request=ProfileInput, responses={201: ProfileSerializer})
    def create(self, request: Request) -> Response:
        """Make a version; no search uses it until it is activated, or named in a search."""
        body = self.validated(ProfileInput)
        if "based_on" in body:
            body["based_on"] = find(self.get_queryset(), body["based_on"])
        row = services.profile_create(acting_user=caller(request), **body)
        return Response(self._shown(row), status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a version."""
        return Response(self._shown(find(self.get_queryset(), pk)))

    @extend_schema(request=ActivationInput, responses=ActivationSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Let a version hold for a space, or for the installation; the next search uses it."""
        profile = find(self.get_queryset(), pk)
        row = services.profile_activate(
            acting_user=caller(request), profile=profile, **self._place(request)
        )
        return Response(ActivationSerializer(row).data)

    @extend_schema(request=ActivationInput, responses=ActivationSerializer)
    @action(detail=False, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request) -> Response:
        """Let what held before hold again."""
        if not self.get_queryset().exists():
            raise not_found()
        row = services.profile_roll_back(acting_user=caller(request), **self._place(request))
        return Response(ActivationSerializer(row).data)

    @extend_schema(responses=ActivationSerializer(many=True))
    @action(detail=False, methods=["get"])
    def activations(self, request: Request) -> Response:
        """List what held when, newest first."""
        rows = ProfileActivation.objects.visible_to(request.user)
        return self.page_of(rows, ActivationSerializer)

    @extend_schema(responses=KnobSerializer(many=True))
    @action(detail=False, methods=["get"], pagination_class=None)
    def knobs(self, request: Request) -> Response:
        """List the knobs and what each does."""
        return Response(knobs_shown())

    def _place(self, request: Request) -> dict[str, Any]:
        body = self.validated(ActivationInput)
        if "space" in body:
            body["space"] = find(Space.objects.visible_to(caller(request)), body["space"])
        return dict(body)

    def _shown(self, row: RetrievalProfile) -> Any:
        return ProfileSerializer(row, context=self.get_serializer_context()).data
