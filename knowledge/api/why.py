"""REST: why a search does not show a node."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from knowledge import retrieval
from knowledge.access import not_found, role_require
from knowledge.api.search import search_request
from knowledge.api.search_serializers import SearchInput
from knowledge.models import Node
from project.accounts.choices import Role, Scope
from project.accounts.permissions import caller


class WhyNotInput(SearchInput):
    """A search, and the node that it should have shown."""

    node = serializers.UUIDField()


class WhyStage(serializers.Serializer):
    """A stage of the search; `passed` is null for one that the node did not reach."""

    key = serializers.CharField()
    name = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    words = serializers.CharField(allow_blank=True)


class WhyNotAnswer(serializers.Serializer):
    """The stage that lost the node, in words and in numbers; `shown` when none did."""

    node = serializers.UUIDField()
    title = serializers.CharField()
    stage = serializers.CharField()
    stage_name = serializers.CharField()
    words = serializers.CharField()
    advice = serializers.CharField(allow_blank=True)
    stages = WhyStage(many=True)
    numbers = serializers.DictField()


class WhyNotView(APIView):
    """Follow a node through a search."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_READ  # a POST only because a search is a body

    @extend_schema(request=WhyNotInput, responses=WhyNotAnswer)
    def post(self, request: Request) -> Response:
        """Say which stage of a search lost a node, and what to do about it; for curators."""
        checked = WhyNotInput(data=request.data)
        checked.is_valid(raise_exception=True)
        body: dict[str, Any] = dict(checked.validated_data)
        node_id, user = body.pop("node"), caller(request)
        node = Node.objects.visible_to(user).select_related("space").filter(pk=node_id).first()
        if node is None:
            raise not_found()
        role_require(user, node.space, Role.CURATOR)
        why = retrieval.why_not(search_request(body), node_id, user=user)
        return Response(asdict(why))
