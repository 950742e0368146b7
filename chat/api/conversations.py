"""REST: conversations and what is said in them."""

import uuid
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from chat import services
from chat.api.guests import GuestsToo, caller_or_new_guest
from chat.api.negotiation import AnyAccept
from chat.api.serializers import (
    ConversationChanges,
    ConversationInput,
    ConversationQuery,
    ConversationSerializer,
    EmptyInput,
    FeedbackInput,
    FeedbackSerializer,
    GoldenMadeSerializer,
    MessageInput,
    MessageSerializer,
    SentSerializer,
    ShareInput,
    ShareSerializer,
    TurnSerializer,
)
from chat.cold import warm, warmed
from chat.exporting import FORMATS, exported
from chat.history.kept import kept
from chat.history.revisions import with_revision
from chat.history.rows import WentCold, folded
from chat.listing import conversations_with
from chat.models import Conversation, Message, Share, Turn
from chat.searching import words_of
from project.accounts.choices import Scope
from project.accounts.permissions import caller, has_scope
from project.http.api import find, id_of, missing
from project.http.errors import Forbidden, Invalid, NotFound
from project.http.pagination import CursorPages
from project.http.rates import allowance_body, rate_headers


class NewestConversations(CursorPages):
    """Pages of conversations, the one spoken in last first."""

    ordering = ("-updated_at", "id")


class ConversationViewSet(GuestsToo):
    """Conversations of the caller; nobody else's exist for them."""

    read_scope = Scope.CHAT
    write_scope = Scope.CHAT
    guest_actions = frozenset({"list", "retrieve", "partial_update", "destroy", "messages", "send"})
    visitor_actions = frozenset({"create"})
    serializer_class = ConversationSerializer

    def get_queryset(self) -> QuerySet:
        """Return the caller's conversations."""
        return Conversation.objects.visible_to(self.request.user)

    @property
    def paginator(self) -> CursorPages:
        """Return the order of the list at hand."""
        if not hasattr(self, "_paginator"):
            is_list = self.action == "list"
            self._paginator = NewestConversations() if is_list else CursorPages()
        return self._paginator

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "q", str, description="Words, or their beginnings, of titles and messages."
            ),
            OpenApiParameter("archived", bool, description="Only those, or all but those."),
            OpenApiParameter("pinned", bool, description="Only those, or all but those."),
        ]
    )
    def list(self, request: Request) -> Response:
        """List the caller's conversations, the one spoken in last first."""
        asked = self.query(ConversationQuery)
        rows = self.get_queryset()
        if wanted := words_of(asked.get("q", "")):
            rows = conversations_with(caller(request), wanted)
        for name in ("archived", "pinned"):
            if name in asked:
                rows = rows.filter(**{f"{name}_at__isnull": not asked[name]})
        return self.page_of(rows, ConversationSerializer)

    @extend_schema(request=ConversationInput, responses={201: ConversationSerializer})
    def create(self, request: Request) -> Response:
        """Start a conversation; without `space` it asks all that the caller may read."""
        body = self.validated(ConversationInput)
        made = services.conversation_create(acting_user=caller_or_new_guest(request), **body)
        return Response(ConversationSerializer(made).data, status=status.HTTP_201_CREATED)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a conversation."""
        return Response(ConversationSerializer(find(self.get_queryset(), pk)).data)

    @extend_schema(request=ConversationChanges, responses=ConversationSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a conversation's title, space or model tier; pin or archive it."""
        changed = services.conversation_update(
            acting_user=caller(request),
            conversation=find(self.get_queryset(), pk),
            **self.validated(ConversationChanges),
        )
        return Response(ConversationSerializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a conversation with everything in it."""
        services.conversation_delete(
            acting_user=caller(request), conversation=find(self.get_queryset(), pk)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[
            OpenApiParameter("as", str, enum=[*FORMATS], required=True),
            OpenApiParameter("leaf", uuid.UUID, description="Markdown: the branch through it."),
        ],
        responses={(200, "text/markdown"): OpenApiTypes.STR, 200: OpenApiTypes.OBJECT},
    )
    @action(detail=True, methods=["get"], content_negotiation_class=AnyAccept)
    def export(self, request: Request, pk: str) -> HttpResponse:
        """Get a conversation as a file: every branch as JSON, or one as Markdown."""
        leaf = request.query_params.get("leaf")
        return exported(
            request,
            find(self.get_queryset(), pk),
            request.query_params.get("as", ""),
            leaf=id_of(leaf) if leaf else None,
        )

    @extend_schema(responses=ShareSerializer)
    @action(detail=True, methods=["get"])
    def share(self, request: Request, pk: str) -> Response:
        """Show the link to a conversation for the members of a space; 404 when there is none."""
        share = Share.objects.filter(conversation=find(self.get_queryset(), pk)).first()
        if share is None:
            raise missing()
        return Response(ShareSerializer(share).data)

    @extend_schema(request=ShareInput, responses=ShareSerializer)
    @share.mapping.put
    def share_put(self, request: Request, pk: str) -> Response:
        """Share what was said so far with those who may read a space; the link stays the same."""
        share = services.share_put(
            acting_user=caller(request),
            conversation=find(self.get_queryset(), pk),
            **self.validated(ShareInput),
        )
        return Response(ShareSerializer(share).data)

    @extend_schema(responses={204: None})
    @share.mapping.delete
    def share_delete(self, request: Request, pk: str) -> Response:
        """Take the link back."""
        conversation = find(self.get_queryset(), pk)
        services.share_delete(acting_user=caller(request), conversation=conversation)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "before", uuid.UUID, description="Only what is older than this message."
            )
        ],
        responses=MessageSerializer(many=True),
    )
    @action(detail=True, methods=["get"])
    def messages(self, request: Request, pk: str) -> Response:
        """List the messages of a conversation, newest first."""
        conversation: Conversation = find(with_revision(self.get_queryset()), pk)
        warmed(conversation)

        def read() -> Any:
            return self._messages(request, conversation).data

        what = ["messages", request.build_absolute_uri()]
        try:
            return Response(kept(conversation, what, read))
        except WentCold:  # between two statements
            warm(conversation.pk)
            return Response(read())

    def _messages(self, request: Request, conversation: Conversation) -> Response:
        rows = folded(Message.objects.filter(conversation=conversation))
        before = request.query_params.get("before")
        if before:
            try:
                limit = find(Message.objects.filter(conversation=conversation), before)
            except NotFound:
                message = _("“before” must be a message of this conversation.")
                raise Invalid(message, field="before") from None
            older = Q(created_at=limit.created_at, pk__gt=limit.pk)
            rows = rows.filter(Q(created_at__lt=limit.created_at) | older)
        return self.page_of(rows, MessageSerializer)

    @extend_schema(request=MessageInput, responses={202: SentSerializer})
    @messages.mapping.post
    def send(self, request: Request, pk: str) -> Response:
        """Ask a question. The same `client_message_id` again returns the first message and turn."""
        conversation = find(self.get_queryset(), pk)
        body = self.validated(MessageInput)
        sent = services.message_send(
            acting_user=caller(request), conversation_id=conversation.pk, **body
        )
        return Response(
            {
                "message": MessageSerializer(sent.message).data,
                "turn": TurnSerializer(sent.turn).data,
                "allowance": allowance_body(sent.allowance),
            },
            status=status.HTTP_202_ACCEPTED,
            headers=rate_headers("messages", sent.allowance),
        )


class MessageViewSet(GuestsToo):
    """Messages of the caller's conversations."""

    read_scope = Scope.CHAT
    write_scope = Scope.CHAT
    guest_actions = frozenset({"retrieve", "regenerate", "feedback"})
    serializer_class = MessageSerializer

    def get_queryset(self) -> QuerySet:
        """Return the messages of the caller's conversations."""
        rows = Message.objects.visible_to(self.request.user).with_turns()
        return rows.select_related("answered_by", "conversation")

    def _found(self, pk: object) -> Message:
        """Return a message with its content; raises NotFound."""
        message: Message = find(self.get_queryset(), pk)
        if message.conversation.cold_since is None:
            return message
        warm(message.conversation_id)
        warmed_up: Message = find(self.get_queryset(), pk)
        return warmed_up

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a message."""
        return Response(MessageSerializer(self._found(pk)).data)

    @extend_schema(request=EmptyInput, responses={202: SentSerializer})
    @action(detail=True, methods=["post"])
    def regenerate(self, request: Request, pk: str) -> Response:
        """Answer a question once more; the new answer stands beside the others."""
        message = self._found(pk)
        self.validated(EmptyInput)
        turn = services.message_regenerate(acting_user=caller(request), message=message)
        question = find(self.get_queryset(), turn.question_id)
        return Response(
            {"message": MessageSerializer(question).data, "turn": TurnSerializer(turn).data},
            status=status.HTTP_202_ACCEPTED,
        )

    @extend_schema(
        request=EmptyInput, responses={200: GoldenMadeSerializer, 201: GoldenMadeSerializer}
    )
    @action(
        detail=True,
        methods=["post"],
        url_path="golden-question",
        write_scope=Scope.KNOWLEDGE_WRITE,
    )
    def golden_question(self, request: Request, pk: str) -> Response:
        """Make a golden question of an answer: its question, and the nodes that it cites.

        201 when it was made; 200 with the one that there is already.
        """
        if not has_scope(request, Scope.CHAT):
            raise Forbidden(_("This call needs the scope “chat”, too."), code="missing_scope")
        message = self._found(pk)
        self.validated(EmptyInput)
        turns = Turn.objects.select_related("conversation", "question")
        turn = turns.filter(answer=message).first()
        if turn is None:
            raise Invalid(_("Only an answer can become a golden question."))
        asked = services.golden_make(acting_user=caller(request), turn=turn)
        body = GoldenMadeSerializer(asked, context={"request": request}).data
        made = status.HTTP_201_CREATED if asked.is_new else status.HTTP_200_OK
        return Response(body, status=made)

    @extend_schema(request=FeedbackInput, responses=FeedbackSerializer)
    @action(detail=True, methods=["post"])
    def feedback(self, request: Request, pk: str) -> Response:
        """Say that an answer was good or bad; the last word counts."""
        row = services.feedback_give(
            acting_user=caller(request),
            message=self._found(pk),
            **self.validated(FeedbackInput),
        )
        return Response(FeedbackSerializer(row).data)
