"""REST: asking for a person, and answering as one."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from chat import services
from chat.api.serializers import (
    AuthorSerializer,
    EmptyInput,
    GoldenMadeSerializer,
    MessageSerializer,
)
from chat.choices import HandoffOrigin, HandoffStatus
from chat.handoff.desk import messages_of
from chat.handoff.representation import asker_body, listed_body
from chat.models import Conversation, Handoff
from project.accounts.choices import Scope
from project.accounts.models import ApiKey
from project.accounts.permissions import caller, has_scope
from project.http.api import ApiViewSet, find, missing
from project.http.errors import Forbidden
from project.http.pagination import CursorPages
from project.http.serializers import StrictSerializer


class HandoffSerializer(serializers.Serializer):
    """A conversation in the hands of people, as the person who asked sees it."""

    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    space = serializers.UUIDField()
    queue = serializers.CharField(help_text="The language of the person who asks.")
    status = serializers.ChoiceField(choices=HandoffStatus.choices)
    origin = serializers.ChoiceField(choices=HandoffOrigin.choices)
    reason = serializers.CharField(allow_blank=True)
    operator = AuthorSerializer(allow_null=True)
    requested_at = serializers.DateTimeField()
    assigned_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    waited_seconds = serializers.IntegerField(help_text="Until somebody came, or it ended.")
    at_desk = serializers.IntegerField(help_text="Operators who have their inbox open.")

    def to_representation(self, instance: Handoff) -> dict[str, Any]:
        """Return the row."""
        return asker_body(instance)


class ListedHandoffSerializer(HandoffSerializer):
    """A handoff, as operators see it."""

    at_desk: Any = None
    user = AuthorSerializer()
    title = serializers.CharField(allow_blank=True)
    is_unanswered = serializers.BooleanField(help_text="The newest message is the person's.")
    newest_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Handoff) -> dict[str, Any]:
        """Return the row."""
        return listed_body(instance)


class HandoffInput(StrictSerializer):
    """Why a person is wanted; of a conversation about all spaces, also in which."""

    reason = serializers.CharField(required=False, allow_blank=True, max_length=500)
    space = serializers.UUIDField(required=False, allow_null=True)


class AssignInput(StrictSerializer):
    """Whether to take it from whoever has it."""

    take_over = serializers.BooleanField(required=False, default=False)


class AnswerInput(StrictSerializer):
    """What an operator answers; `[1]` in the text is the first of the passages."""

    content = serializers.CharField(trim_whitespace=False, allow_blank=True)
    client_message_id = serializers.CharField(trim_whitespace=False, max_length=100)
    citations = serializers.ListField(
        child=serializers.UUIDField(), required=False, help_text="Ids of passages (chunks)."
    )


class AnswerNamed(StrictSerializer):
    """An operator's answer."""

    message = serializers.UUIDField()


class ProposedSerializer(serializers.Serializer):
    """The draft that was made of an answer."""

    proposal = serializers.UUIDField()
    created = serializers.BooleanField()


class HandoffQuery(serializers.Serializer):
    """What to list."""

    status = serializers.ChoiceField(choices=HandoffStatus.choices, required=False)
    space = serializers.UUIDField(required=False)
    mine = serializers.BooleanField(required=False, default=False)


class NewestHandoffs(CursorPages):
    """Pages of handoffs, the newest first."""

    ordering = ("-requested_at", "id")


class HandoffViewSet(ApiViewSet):
    """Handoffs of the spaces that the caller edits: theirs to answer."""

    read_scope = Scope.CHAT
    write_scope = Scope.CHAT
    serializer_class = ListedHandoffSerializer
    pagination_class = NewestHandoffs

    def get_queryset(self) -> QuerySet:
        """Return the handoffs that the caller may answer."""
        rows = Handoff.objects.visible_to(self.request.user).with_newest()
        return rows.select_related("conversation__user", "space")

    @extend_schema(parameters=[HandoffQuery], responses=ListedHandoffSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the handoffs of the spaces that the caller edits, the newest first."""
        wanted = self.query(HandoffQuery)
        rows = self.get_queryset()
        if "status" in wanted:
            rows = rows.filter(status=wanted["status"])
        if "space" in wanted:
            rows = rows.filter(space=wanted["space"])
        if wanted["mine"]:
            rows = rows.filter(operator=caller(request))
        return self.page_of(rows, ListedHandoffSerializer)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a handoff."""
        return self._shown(pk)

    @extend_schema(
        parameters=[OpenApiParameter("limit", int)], responses=MessageSerializer(many=True)
    )
    @action(detail=True, methods=["get"])
    def messages(self, request: Request, pk: str) -> Response:
        """List the messages of the conversation, newest first; none from after the handoff."""
        self._paginator = CursorPages()
        rows = messages_of(find(self.get_queryset(), pk)).with_turns()
        return self.page_of(rows, MessageSerializer)

    @extend_schema(request=AnswerInput, responses={201: MessageSerializer})
    @messages.mapping.post
    def answer(self, request: Request, pk: str) -> Response:
        """Answer. The same `client_message_id` again returns the first message."""
        handoff = find(self.get_queryset(), pk)
        message = services.handoff_answer(
            acting_user=caller(request), handoff_id=handoff.pk, **self.validated(AnswerInput)
        )
        return Response(MessageSerializer(message).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=AssignInput, responses=ListedHandoffSerializer)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        """Take a conversation; 409 `already_assigned` when somebody else was first."""
        handoff = find(self.get_queryset(), pk)
        body = self.validated(AssignInput)
        services.handoff_assign(acting_user=caller(request), handoff_id=handoff.pk, **body)
        return self._shown(pk)

    @extend_schema(request=EmptyInput, responses=ListedHandoffSerializer)
    @action(detail=True, methods=["post"])
    def requeue(self, request: Request, pk: str) -> Response:
        """Put a conversation back in the queue."""
        return self._done(request, pk, services.handoff_requeue)

    @extend_schema(request=EmptyInput, responses=ListedHandoffSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Let the AI answer again."""
        return self._done(request, pk, services.handoff_release)

    @extend_schema(request=EmptyInput, responses=ListedHandoffSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        """End it as settled."""
        return self._done(request, pk, services.handoff_close)

    @extend_schema(
        request=AnswerNamed, responses={200: ProposedSerializer, 201: ProposedSerializer}
    )
    @action(detail=True, methods=["post"], write_scope=Scope.KNOWLEDGE_WRITE)
    def proposal(self, request: Request, pk: str) -> Response:
        """Propose a node made of an operator's answer; 200 with the one there is already."""
        self._chat_require(request)
        handoff = find(self.get_queryset(), pk)
        body = self.validated(AnswerNamed)
        made, is_new = services.answer_propose(
            acting_user=caller(request), handoff_id=handoff.pk, message_id=body["message"]
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response({"proposal": str(made.pk), "created": is_new}, status=code)

    @extend_schema(
        request=AnswerNamed, responses={200: GoldenMadeSerializer, 201: GoldenMadeSerializer}
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="golden-question",
        write_scope=Scope.KNOWLEDGE_WRITE,
    )
    def golden_question(self, request: Request, pk: str) -> Response:
        """Make a golden question of what was asked and the nodes that an answer cites."""
        self._chat_require(request)
        handoff = find(self.get_queryset(), pk)
        body = self.validated(AnswerNamed)
        asked = services.answer_golden(
            acting_user=caller(request), handoff_id=handoff.pk, message_id=body["message"]
        )
        code = status.HTTP_201_CREATED if asked.is_new else status.HTTP_200_OK
        made = GoldenMadeSerializer(asked, context={"request": request}).data
        return Response(made, status=code)

    def _done(self, request: Request, pk: str, step: Any) -> Response:
        handoff = find(self.get_queryset(), pk)
        self.validated(EmptyInput)
        step(acting_user=caller(request), handoff_id=handoff.pk)
        return self._shown(pk)

    def _shown(self, pk: str) -> Response:
        return Response(ListedHandoffSerializer(find(self.get_queryset(), pk)).data)

    def _chat_require(self, request: Request) -> None:
        if not has_scope(request, Scope.CHAT):
            raise Forbidden(_("This call needs the scope “chat”, too."), code="missing_scope")


class ConversationHandoffViewSet(ApiViewSet):
    """The handoff of one of the caller's conversations."""

    read_scope = Scope.CHAT
    write_scope = Scope.CHAT
    serializer_class = HandoffSerializer

    def get_queryset(self) -> QuerySet:
        """Return the caller's conversations."""
        return Conversation.objects.visible_to(self.request.user)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show the newest handoff of a conversation; 404 where nobody asked for a person."""
        return Response(HandoffSerializer(self._newest(pk)).data)

    @extend_schema(request=HandoffInput, responses={200: HandoffSerializer, 201: HandoffSerializer})
    def create(self, request: Request, pk: str) -> Response:
        """Ask for a person: the AI does not answer until the conversation is given back.

        200 with the open handoff when there is one; 409 `no_operator` when nobody could answer.
        """
        conversation = find(self.get_queryset(), pk)
        is_program = isinstance(request.auth, ApiKey)
        made = services.handoff_request(
            acting_user=caller(request),
            conversation_id=conversation.pk,
            origin=HandoffOrigin.API if is_program else HandoffOrigin.BUTTON,
            **self.validated(HandoffInput),
        )
        code = status.HTTP_201_CREATED if made.is_new else status.HTTP_200_OK
        return Response(HandoffSerializer(made.handoff).data, status=code)

    @extend_schema(request=EmptyInput, responses=HandoffSerializer)
    def release(self, request: Request, pk: str) -> Response:
        """Go back to the AI."""
        handoff = self._newest(pk)
        self.validated(EmptyInput)
        done = services.handoff_release(acting_user=caller(request), handoff_id=handoff.pk)
        return Response(HandoffSerializer(done).data)

    def _newest(self, pk: str) -> Handoff:
        conversation = find(self.get_queryset(), pk)
        rows = Handoff.objects.filter(conversation=conversation).select_related("space")
        handoff: Handoff | None = rows.order_by("-requested_at", "pk").first()
        if handoff is None:
            raise missing()
        return handoff
