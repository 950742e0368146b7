"""REST: turns and their events, and the tokens that open sockets."""

from typing import ClassVar

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from chat import services
from chat.api.guests import GuestsToo
from chat.api.negotiation import AnyAccept
from chat.api.serializers import EmptyInput, PollSerializer, SocketTokenSerializer, TurnSerializer
from chat.cold import warm
from chat.connections import may_follow
from chat.models import Turn
from chat.streams import event_stream, poll_response
from project.accounts.choices import Scope
from project.accounts.models import ApiKey
from project.accounts.permissions import caller
from project.accounts.ws import (
    TOKEN_SECONDS,
    SocketCaller,
    caller_of_guest,
    caller_of_session,
    socket_token_create,
)
from project.http.api import ApiViewSet, find, missing
from project.http.errors import Invalid, Unauthenticated

MAX_WAIT = 30.0

AFTER = OpenApiParameter("after", int, description="The last number seen; 0 from the start.")


class TurnViewSet(GuestsToo):
    """Turns of the caller's conversations."""

    read_scope = Scope.CHAT
    write_scope = Scope.CHAT
    guest_actions = frozenset({"retrieve", "events", "poll", "stop"})
    serializer_class = TurnSerializer

    def get_queryset(self) -> QuerySet:
        """Return the turns of the caller's conversations."""
        return Turn.objects.visible_to(self.request.user).with_answers()

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a turn with its answer."""
        turn: Turn = find(self.get_queryset().select_related("answer", "conversation"), pk)
        if turn.conversation.cold_since is not None:
            warm(turn.conversation_id)
            turn = find(self.get_queryset(), pk)
        return Response(TurnSerializer(turn).data)

    @extend_schema(
        parameters=[
            AFTER,
            OpenApiParameter(
                "Last-Event-ID", int, OpenApiParameter.HEADER, description="Goes before `after`."
            ),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    @action(detail=True, methods=["get"], content_negotiation_class=AnyAccept)
    def events(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Follow a turn as server-sent events; ends after the last one."""
        turn = self._followed(request, pk)
        after = _after(request, request.headers.get("Last-Event-ID"))
        return event_stream(_socket_caller(request), turn, after)

    @extend_schema(
        parameters=[
            AFTER,
            OpenApiParameter("wait", float, description="Seconds to wait for an event: 0 to 30."),
        ],
        responses=PollSerializer,
    )
    @action(detail=True, methods=["get"])
    def poll(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Wait for the events behind `after`; returns as soon as there is one."""
        turn = self._followed(request, pk)
        raw = request.query_params.get("wait", "25")
        try:
            wait = float(raw)
        except ValueError:
            wait = -1.0
        if not 0 <= wait < float("inf"):
            message = "wait must be a number of seconds from 0 on."
            raise Invalid(message, field="wait")
        return poll_response(_socket_caller(request), turn, _after(request), min(wait, MAX_WAIT))

    def _followed(self, request: Request, pk: str) -> Turn:
        """Return a turn whose events the caller may have now; raises NotFound for others."""
        rows = Turn.objects.visible_to(request.user).select_related("conversation")
        turn: Turn = find(rows, pk)
        if not may_follow(caller(request), turn):
            raise missing()
        return turn

    @extend_schema(request=EmptyInput, responses={202: TurnSerializer})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Stop answering; what there is of the answer is kept."""
        turn = find(Turn.objects.visible_to(request.user), pk)
        self.validated(EmptyInput)
        services.turn_stop(acting_user=caller(request), turn_id=turn.pk)
        return Response(
            TurnSerializer(find(self.get_queryset(), pk)).data, status=status.HTTP_202_ACCEPTED
        )


class SocketTokenViewSet(ApiViewSet):
    """Tokens with which a program opens a socket."""

    read_scope: ClassVar[str | None] = None
    write_scope: ClassVar[str | None] = None
    serializer_class = SocketTokenSerializer

    @extend_schema(request=EmptyInput, responses={201: SocketTokenSerializer})
    def create(self, request: Request) -> Response:
        """Return a token for `?token=`, good for a minute, with the rights of the caller."""
        self.validated(EmptyInput)
        key = request.auth if isinstance(request.auth, ApiKey) else None
        session_key = request.session.session_key if key is None else None
        token = socket_token_create(acting_user=caller(request), key=key, session_key=session_key)
        return Response(
            {"token": token, "expires_in": TOKEN_SECONDS}, status=status.HTTP_201_CREATED
        )


def _socket_caller(request: Request) -> SocketCaller:
    """Return what a stream is looked at by while it is open."""
    user = caller(request)
    if isinstance(request.auth, ApiKey):
        return SocketCaller(user.pk, key_id=request.auth.pk, scopes=frozenset(request.auth.scopes))
    if user.is_guest:
        guest = caller_of_guest(request._request, request.session.session_key or "")
        if guest is None:
            raise Unauthenticated(_("Sign in, or send an API key."))
        return guest
    if request.session.session_key:
        return caller_of_session(user, request.session.session_key)
    return SocketCaller(user.pk)


def _after(request: Request, header: str | None = None) -> int:
    raw = header or request.query_params.get("after") or "0"
    if not (raw.isascii() and raw.isdigit()) or len(raw) > 9:
        message = _("“after” must be a whole number.")
        raise Invalid(message, field="after")
    return int(raw)
