"""REST: where a version of a node comes from, and what became of it."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge.access import node_versions_visible_to
from knowledge.lineage.graph import ThingType
from knowledge.lineage.tracing import lineage_of
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find, missing

if TYPE_CHECKING:
    _Base = ApiViewSet
else:
    _Base = object


class LineageQuery(serializers.Serializer):
    """Which version: the newest that the caller may open, unless named."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)


class LineageThingSerializer(serializers.Serializer):
    """A thing in a lineage; `count` is how many it stands for."""

    id = serializers.CharField()
    type = serializers.ChoiceField(choices=[(each.value, each.value) for each in ThingType])
    name = serializers.CharField(source="label", help_text="In the caller's language.")
    title = serializers.CharField()
    detail = serializers.CharField()
    url = serializers.CharField(help_text="Empty where there is nothing to open.")
    at = serializers.DateTimeField(allow_null=True)
    count = serializers.IntegerField()
    is_focus = serializers.BooleanField()


class LineageLinkSerializer(serializers.Serializer):
    """`from` led to `to`."""

    to = serializers.CharField(source="end")
    name = serializers.CharField(source="label", help_text="In which way; may be empty.")

    def get_fields(self) -> dict[str, Any]:
        """Return the fields, with the one whose name is a word of Python."""
        return {"from": serializers.CharField(source="start"), **super().get_fields()}


class LineageSerializer(serializers.Serializer):
    """Things, and what led to what."""

    nodes = LineageThingSerializer(many=True)
    edges = LineageLinkSerializer(many=True)


class LineageAction(_Base):
    """The part of the nodes' resource that tells their lineage."""

    @extend_schema(parameters=[LineageQuery], responses=LineageSerializer)
    @action(detail=True)
    def lineage(self, request: Request, pk: str) -> Response:
        """Show where a version comes from and what became of it.

        Answers of other people are counted and not named.
        """
        node = find(self.get_queryset().select_related("space"), pk)
        versions = node_versions_visible_to(caller(request), node)
        number = self.query(LineageQuery).get("version")
        if number is not None:
            versions = versions.filter(version=number)
        version = versions.values_list("version", flat=True).first()
        if version is None:
            raise missing()
        found = lineage_of(node, version, caller(request))
        answer = LineageSerializer({"nodes": found.things.values(), "edges": found.links})
        return Response(answer.data)
