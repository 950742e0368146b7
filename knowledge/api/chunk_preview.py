"""REST: how a text would be cut."""

from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from knowledge.access import not_found, role_require
from knowledge.chunking.cutting import STRATEGIES, Cutting, CuttingFault, cutting_of
from knowledge.cutting_previews import MOST_CHARACTERS, CutText, cutting_now, text_cut
from knowledge.models import Node, Space
from project.accounts.choices import Role, Scope
from project.accounts.models import User
from project.accounts.permissions import caller
from project.http.api import find
from project.http.errors import Forbidden, Invalid
from project.http.serializers import StrictSerializer


class ChunkPreviewInput(StrictSerializer):
    """A text, or a node's; and how to cut it, as its kind says if not told otherwise."""

    text = serializers.CharField(required=False, max_length=MOST_CHARACTERS, trim_whitespace=False)
    node = serializers.UUIDField(required=False)
    title = serializers.CharField(required=False, max_length=300, allow_blank=True, default="")
    language = serializers.CharField(required=False, max_length=10, default="en")
    space = serializers.UUIDField(required=False, help_text="Of the kind.")
    kind = serializers.CharField(required=False, max_length=40)
    chunking = serializers.DictField(
        required=False,
        help_text=f"`strategy` ({', '.join(STRATEGIES)}) and its parameters; `{{}}`: by structure.",
    )
    offset = serializers.IntegerField(required=False, min_value=0, default=0)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=200, default=100)


class ChunkPreviewPassage(serializers.Serializer):
    """A passage; its first `repeated` characters are in the one before, too."""

    position = serializers.IntegerField()
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    text = serializers.CharField()
    repeated = serializers.IntegerField()
    tokens = serializers.IntegerField()
    read_tokens = serializers.IntegerField(help_text="Of all that is embedded, about.")
    heading_path = serializers.ListField(child=serializers.CharField())
    page = serializers.IntegerField(allow_null=True)
    place = serializers.CharField(allow_blank=True)
    embedded = serializers.CharField(help_text="What the embedding model reads.")
    is_shared = serializers.BooleanField(help_text="Whether the present cut has it, too.")


class ChunkPreviewAnswer(serializers.Serializer):
    """The passages from `offset` on; `present` counts those of the present cut."""

    chunking = serializers.DictField()
    counts = serializers.DictField(child=serializers.IntegerField())
    present_chunking = serializers.DictField()
    present = serializers.DictField(child=serializers.IntegerField())
    passages = ChunkPreviewPassage(many=True)
    next_offset = serializers.IntegerField(allow_null=True)


class ChunkPreviewView(APIView):
    """See how a text would be cut; nothing is written."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_READ  # a POST only because a text is a body

    @extend_schema(request=ChunkPreviewInput, responses=ChunkPreviewAnswer)
    def post(self, request: Request) -> Response:
        """Cut a text, or a node's, for curators; a part of the passages at a time."""
        checked = ChunkPreviewInput(data=request.data)
        checked.is_valid(raise_exception=True)
        body = dict(checked.validated_data)
        user = caller(request)
        text, now = _text_of(user, body)
        wanted = _wanted(body["chunking"]) if "chunking" in body else now
        cut, present = text_cut(cuttings=(wanted, now), **text)
        offset, end = body["offset"], body["offset"] + body["limit"]
        answer = {
            "chunking": _told(cut),
            "counts": cut.counts,
            "present_chunking": _told(present),
            "present": present.counts,
            "passages": [asdict(each) for each in cut.passages[offset:end]],
            "next_offset": end if end < len(cut.passages) else None,
        }
        return Response(answer)


def _text_of(user: User, body: dict[str, Any]) -> tuple[dict[str, Any], Cutting]:
    """Return the text with what belongs to it, and how it is cut now."""
    if ("text" in body) == ("node" in body):
        raise Invalid(_("Give either a text or a node."), code="required", field="text")
    if "node" in body:
        rows = Node.objects.visible_to(user).select_related("space")
        node = rows.filter(pk=body["node"]).first()
        if node is None:
            raise not_found()
        role_require(user, node.space, Role.CURATOR)
        text = {
            "text": node.content,
            "title": node.title,
            "language": node.language,
            "anchors": node.anchors,
        }
        return text, cutting_now(node.space, body.get("kind", node.kind))
    space = None
    if "space" in body:
        space = find(Space.objects.visible_to(user), body["space"])
        role_require(user, space, Role.CURATOR)
    elif not user.is_superuser and not Space.objects.with_role(user, Role.CURATOR).exists():
        raise Forbidden(_("Only curators see how texts are cut."))
    text = {name: body[name] for name in ("text", "title", "language")}
    return text, cutting_now(space, body.get("kind", ""))


def _wanted(value: Any) -> Cutting:
    try:
        return cutting_of(value)
    except CuttingFault as fault:
        name, message = next(iter(fault.faults.items()))
        details = {"chunking": fault.faults}
        raise Invalid(
            f"{name}: {message}", code="chunking_invalid", field="chunking", details=details
        ) from None


def _told(cut: CutText) -> dict[str, Any]:
    return {"strategy": cut.cutting.strategy, **dict(cut.cutting.values)}
