"""REST: a cited summary of a topic."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from knowledge.models import Space
from knowledge.synthesis import Synthesis, markdown_of, synthesise
from knowledge.synthesis.composing import MOST_NODES, MOST_TOPIC, NODES
from knowledge.synthesis.limits import rate_require
from project.accounts.choices import Scope
from project.accounts.permissions import caller
from project.http.api import find
from project.http.serializers import StrictSerializer


class SynthesisInput(StrictSerializer):
    """A topic, and where to look."""

    topic = serializers.CharField(max_length=MOST_TOPIC)
    space = serializers.UUIDField(required=False)
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_NODES, default=NODES, help_text="Nodes to draw from, at most."
    )
    by_model = serializers.BooleanField(
        default=True, help_text="False: quoted from the sources, even where a model is set up."
    )


class SynthesisCitationSerializer(serializers.Serializer):
    """Where a sentence comes from: `content[start:end]` of that version of the node."""

    index = serializers.IntegerField(help_text="The number of the source.")
    node = serializers.UUIDField()
    version = serializers.IntegerField()
    chunk = serializers.UUIDField()
    title = serializers.CharField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    page = serializers.IntegerField(allow_null=True)
    url = serializers.CharField()


class SentenceSerializer(serializers.Serializer):
    """A sentence with its citations; it always has some."""

    text = serializers.CharField()
    citations = SynthesisCitationSerializer(many=True)
    support = serializers.ChoiceField(
        choices=["quoted", "checked", "unchecked"],
        help_text="Unchecked: written by a model from sources in another language.",
    )


class SectionSerializer(serializers.Serializer):
    """One aspect."""

    heading = serializers.CharField(allow_blank=True)
    sentences = SentenceSerializer(many=True)


class SynthesisSourceSerializer(serializers.Serializer):
    """A cited node."""

    index = serializers.IntegerField()
    node = serializers.UUIDField()
    space = serializers.UUIDField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    language = serializers.CharField()
    url = serializers.CharField()


class LinkSerializer(serializers.Serializer):
    """A confirmed relation between two cited nodes."""

    relation = serializers.UUIDField()
    source = serializers.UUIDField()  # type: ignore[assignment]  # a field of that name
    target = serializers.UUIDField()
    kind = serializers.CharField()
    weight = serializers.FloatField()


class DisagreementSerializer(serializers.Serializer):
    """Two sentences of different nodes that cannot both be true."""

    kind = serializers.CharField(help_text="Such as numbers, modality, negation, opposites.")
    sides = SentenceSerializer(many=True)


class SynthesisSerializer(serializers.Serializer):
    """A cited summary. Without sections nothing was found, and `notice` says so."""

    topic = serializers.CharField()
    language = serializers.CharField()
    method = serializers.ChoiceField(choices=["extractive", "model"])
    model = serializers.CharField(allow_blank=True)
    notice = serializers.CharField(allow_blank=True)
    summary = serializers.CharField(help_text="The whole as Markdown.", allow_blank=True)
    sections = SectionSerializer(many=True)
    sources = SynthesisSourceSerializer(many=True)
    relations = LinkSerializer(many=True)
    disagreements = DisagreementSerializer(many=True)
    left_out = serializers.IntegerField(help_text="A model's sentences that nothing bore out.")
    degraded = serializers.ListField(child=serializers.CharField())
    took_ms = serializers.IntegerField()


class SynthesisView(APIView):
    """Summarise what the knowledge says of a topic."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_READ  # a POST only because a topic is a body

    @extend_schema(request=SynthesisInput, responses=SynthesisSerializer)
    def post(self, request: Request) -> Response:
        """Summarise a topic over the nodes that the caller may read, every sentence cited.

        A language model writes it, if one is set up and answers; otherwise it is quoted from the
        sources. `method` says which it is.
        """
        checked = SynthesisInput(data=request.data)
        checked.is_valid(raise_exception=True)
        body: dict[str, Any] = checked.validated_data
        user = caller(request)
        spaces = None
        if "space" in body:
            spaces = (find(Space.objects.visible_to(user), body["space"]).pk,)
        if body["by_model"]:
            rate_require(user.pk)
        made = synthesise(
            body["topic"],
            user=user,
            spaces=spaces,
            limit=body["limit"],
            by_model=body["by_model"],
        )
        summary = markdown_of(made)
        return Response(SynthesisSerializer(_shown(made, summary)).data)


def _shown(made: Synthesis, summary: str) -> dict[str, Any]:
    names = SynthesisSerializer().fields.keys() - {"summary"}
    return {**{name: getattr(made, name) for name in names}, "summary": summary}
