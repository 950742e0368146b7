"""REST: the nodes related to a node."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge.relating.related import related_of
from project.http.api import ApiViewSet, find

if TYPE_CHECKING:
    _Base = ApiViewSet
else:
    _Base = object


class RelatedQuery(serializers.Serializer):
    """How many."""

    limit = serializers.IntegerField(min_value=1, max_value=50, default=12)


class ReasonSerializer(serializers.Serializer):
    """Why a node is related."""

    way = serializers.ChoiceField(choices=["linked", "similar", "cited"])
    words = serializers.CharField(help_text="For people, in the caller's language.")
    strength = serializers.FloatField(help_text="From 0 to 1.")


class RelatedNodeSerializer(serializers.Serializer):
    """A related node."""

    node = serializers.UUIDField(source="node.pk")
    external_id = serializers.CharField(source="node.external_id", allow_null=True)
    space = serializers.UUIDField(source="node.space_id")
    kind = serializers.CharField(source="node.kind")
    title = serializers.CharField(source="node.title")
    language = serializers.CharField(source="node.language")
    version = serializers.IntegerField(source="node.version")
    url = serializers.CharField()
    score = serializers.FloatField(help_text="From 0 to 1: how strong the reasons are together.")
    reasons = ReasonSerializer(many=True)


class RelatedSerializer(serializers.Serializer):
    """Related nodes, best first: all of them on one page, as many as `limit` says."""

    results = RelatedNodeSerializer(many=True)
    next = serializers.CharField(allow_null=True, default=None)
    previous = serializers.CharField(allow_null=True, default=None)


class RelatedAction(_Base):
    """The part of the nodes' resource that tells what belongs to one."""

    @extend_schema(parameters=[RelatedQuery], responses=RelatedSerializer)
    @action(detail=True, pagination_class=None)
    def related(self, request: Request, pk: str) -> Response:
        """Show what is related to a node: linked, alike in text, or cited together with it."""
        node: Any = find(self.get_queryset(), pk)
        found = related_of(node, request.user, limit=self.query(RelatedQuery)["limit"])
        return Response(RelatedSerializer({"results": found, "next": None, "previous": None}).data)
