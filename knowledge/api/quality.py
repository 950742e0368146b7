"""REST: what the checks say of a node, what stands on it, and who read it again."""

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge import services
from knowledge.access import role_require
from knowledge.api.serializers import NodeSerializer
from knowledge.impact import blast_radius
from knowledge.models import Node
from knowledge.quality import CATALOGUE, NodeState, Severity, checks_of, score_of
from project.accounts.choices import Role
from project.accounts.permissions import caller
from project.http.api import ApiViewSet, find
from project.http.serializers import StrictSerializer

if TYPE_CHECKING:
    _Base = ApiViewSet
else:
    _Base = object


class FindingSerializer(serializers.Serializer):
    """Something that a check found."""

    code = serializers.CharField()
    severity = serializers.ChoiceField(choices=Severity.choices)
    field = serializers.CharField(help_text="The field of the node that it is about.")
    message = serializers.CharField(help_text="What to do, in the caller's language.")
    details = serializers.JSONField(
        help_text="`start` and `end` are offsets into the content; other nodes are `node`, `title`."
    )


class ChecksSerializer(serializers.Serializer):
    """All findings of one state of a node, worst first."""

    version = serializers.IntegerField(allow_null=True)
    score = serializers.IntegerField(help_text="From 0 to 100.")
    findings = FindingSerializer(many=True)


class ExampleSerializer(serializers.Serializer):
    """One of the things that stand on a node."""

    title = serializers.CharField()
    url = serializers.CharField(allow_blank=True)


class DependentSerializer(serializers.Serializer):
    """Things of one kind that stand on a node; examples are only of what the caller may open."""

    kind = serializers.CharField(help_text="Such as link, relation_in, proposal, answer.")
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    count = serializers.IntegerField()
    examples = ExampleSerializer(many=True)


class DependentsSerializer(serializers.Serializer):
    """What is touched when the node is archived, deleted or changed."""

    dependents = DependentSerializer(many=True)


class ReviewedInput(StrictSerializer):
    """That a node was read again."""

    review_due = serializers.DateField(
        required=False, help_text="The next time; by default by the interval of kind or space."
    )


class SnoozeInput(StrictSerializer):
    """A finding to leave out of the lists for a while."""

    code = serializers.ChoiceField(choices=sorted(CATALOGUE))
    until = serializers.DateField(allow_null=True, help_text="Null: show it again.")


def checks_answer(state: NodeState, version: int | None) -> dict[str, Any]:
    """Return the checks of a state as REST gives them."""
    found = checks_of(state)
    return {"version": version, "score": score_of(each.code for each in found), "findings": found}


class QualityActions(_Base):
    """What a node's resource offers of its quality. Findings are for the editors of its space."""

    @extend_schema(responses=ChecksSerializer)
    @action(detail=True)
    def checks(self, request: Request, pk: str) -> Response:
        """Check the stored state of a node now: the list to go through before publishing."""
        node = self._edited(request, pk)
        answer = checks_answer(NodeState.of(node), node.version)
        return Response(ChecksSerializer(answer).data)

    @extend_schema(responses=DependentsSerializer)
    @action(detail=True)
    def dependents(self, request: Request, pk: str) -> Response:
        """Count what stands on a node: links, relations, proposals, golden questions, answers."""
        node = self._edited(request, pk)
        found = [
            {
                "kind": each.kind,
                "label": each.label,
                "count": each.count,
                "examples": [{"title": title, "url": url} for title, url in each.examples],
            }
            for each in blast_radius([node.pk], caller(request))
        ]
        return Response(DependentsSerializer({"dependents": found}).data)

    @extend_schema(request=ReviewedInput, responses=NodeSerializer)
    @action(detail=True, methods=["post"])
    def reviewed(self, request: Request, pk: str) -> Response:
        """Note that a node was read again; its next review is due by its interval."""
        node = find(self.get_queryset(), pk)
        body = self.validated(ReviewedInput)
        node = services.node_mark_reviewed(acting_user=caller(request), node=node, **body)
        return Response(NodeSerializer(node).data)

    @extend_schema(request=SnoozeInput, responses={204: None})
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        """Leave a finding out of what needs attention until a day, for everyone."""
        node = find(self.get_queryset(), pk)
        body = self.validated(SnoozeInput)
        if body["until"] is None:
            services.finding_wake(acting_user=caller(request), node=node, code=body["code"])
        else:
            services.finding_snooze(acting_user=caller(request), node=node, **body)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _edited(self, request: Request, pk: str) -> Node:
        node: Any = find(self.get_queryset().select_related("space", "owner"), pk)
        role_require(caller(request), node.space, Role.EDITOR)
        assert isinstance(node, Node)
        return node
