"""What operators are shown: conversations as far as they were handed over, and their traces."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Min, Prefetch, Q
from django.urls import reverse
from django.utils import timezone

from chat.choices import HandoffStatus, MessageRole, TurnRoute
from chat.cold import warmed
from chat.handoff.wording import asks_for_person
from chat.models import Citation, Conversation, Handoff, Message, Turn
from chat.rendering import citation_urls, render_answer, verdicts_of
from knowledge.models import Node, Space
from project.accounts.models import User
from project.markdown import render_markdown

SHOWN = 200  # newest messages of a conversation
TRACED = 10  # newest answers of the AI whose traces are shown


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that the AI was given, of a node that the operator may read."""

    title: str
    url: str
    version: int
    score: float
    cited_as: int | None


@dataclass(frozen=True, slots=True)
class Traced:
    """How an answer of the AI came about; `hidden` passages are of nodes not open to them."""

    turn: Turn
    query: str
    passages: list[Passage]
    hidden: int
    flags: list[str]


@dataclass(frozen=True, slots=True)
class Said:
    """A message as the inbox shows it; `turn` is the one that it answers in, if it is an answer."""

    message: Message
    html: str
    turn: Turn | None = None
    citations: list[Citation] = field(default_factory=list)

    @property
    def side(self) -> str:
        """Who speaks: `person`, `operator` or `ai`."""
        if self.message.role == MessageRole.USER:
            return "person"
        return "operator" if self.message.author_name else "ai"


@dataclass(frozen=True, slots=True)
class Queue:
    """The open handoffs of a space; `longest` is since when the first one waits."""

    space: Space
    waiting: int
    active: int
    longest: datetime.datetime | None


def queues_of(user: User) -> list[Queue]:
    """Return the queues that a person may answer and that hold somebody, the fullest first."""
    rows = (
        Handoff.objects.visible_to(user)
        .open()
        .order_by()
        .values("space")
        .annotate(
            waiting=Count("pk", filter=Q(status=HandoffStatus.WAITING)),
            active=Count("pk", filter=Q(status=HandoffStatus.ACTIVE)),
            longest=Min("requested_at", filter=Q(status=HandoffStatus.WAITING)),
        )
    )
    found = {each["space"]: each for each in rows}
    spaces = Space.objects.in_bulk(list(found))
    queues = [
        Queue(spaces[pk], each["waiting"], each["active"], each["longest"])
        for pk, each in found.items()
    ]
    return sorted(queues, key=lambda queue: (-queue.waiting, queue.space.name))


def messages_of(handoff: Handoff) -> Any:
    """Return the messages that operators may read: none that came after the handoff ended."""
    warmed(handoff.conversation)
    rows = Message.objects.filter(conversation=handoff.conversation_id)
    if handoff.ended_at is not None:
        rows = rows.filter(created_at__lte=handoff.ended_at)
    return rows


def said_in(handoff: Handoff, *, only: uuid.UUID | None = None) -> list[Said]:
    """Return the newest messages of a conversation, oldest first; or only one."""
    citations = Prefetch("answered_by__citations", Citation.objects.order_by("index"))
    rows = messages_of(handoff).select_related("answered_by").prefetch_related(citations)
    if only is not None:
        rows = rows.filter(pk=only)
    return [_said(each) for each in reversed(rows.order_by("-created_at", "-id")[:SHOWN])]


def _said(message: Message) -> Said:
    turn: Turn | None = getattr(message, "answered_by", None)
    if turn is None:
        return Said(message, render_markdown(message.content))
    html = render_answer(message.content, citation_urls(turn), verdicts_of(turn))
    return Said(message, html, turn, list(turn.citations.all()))


def traces_of(handoff: Handoff, user: User) -> list[Traced]:
    """Return how the newest answers of the AI came about, newest first.

    Of passages whose nodes the operator may not read only their number is told; what was recalled
    from the person's memory is not told at all.
    """
    turns = list(
        Turn.objects.filter(answer__in=messages_of(handoff).values("pk"))
        .exclude(route=TurnRoute.HUMAN)
        .select_related("question")
        .prefetch_related("citations")
        .order_by("-created_at", "pk")[:TRACED]
    )
    rows = {turn.pk: _passage_rows(turn) for turn in turns}
    named = {row["node"] for each in rows.values() for row in each}
    open_to = Node.objects.visible_to(user).filter(pk__in=named).values_list("pk", flat=True)
    known = {str(pk) for pk in open_to}
    return [_traced(turn, rows[turn.pk], known) for turn in turns]


def _passage_rows(turn: Turn) -> list[dict[str, Any]]:
    rows = turn.trace.get("passages", []) if isinstance(turn.trace, dict) else []
    return [row for row in rows if isinstance(row, dict) and row.get("node")]


def _traced(turn: Turn, rows: list[dict[str, Any]], known: set[str]) -> Traced:
    cited = {str(each.chunk_id): each.index for each in turn.citations.all()}
    passages = [
        Passage(
            title=str(row.get("title", "")),
            url=f"{reverse('node-page', args=[row['node']])}?version={row.get('version', '')}",
            version=int(row.get("version") or 0),
            score=float(row.get("score") or 0.0),
            cited_as=cited.get(str(row.get("chunk"))),
        )
        for row in rows
        if row["node"] in known
    ]
    return Traced(
        turn=turn,
        query=str(turn.trace.get("query") or turn.question.content),
        passages=passages,
        hidden=len(rows) - len(passages),
        flags=[str(flag) for flag in turn.trace.get("flags", [])],
    )


def handoff_of(conversation: Conversation | None) -> Handoff | None:
    """Return the open handoff of a conversation."""
    if conversation is None:
        return None
    handoff: Handoff | None = Handoff.objects.filter(conversation=conversation).open().first()
    return handoff


def question_before(handoff: Handoff, message: Message) -> Message | None:
    """Return the question that an answer answers: the newest before it that is one.

    To ask for a person is none.
    """
    rows = messages_of(handoff).filter(role=MessageRole.USER, created_at__lt=message.created_at)
    newest = list(rows.order_by("-created_at", "-id")[:SHOWN])
    real = (each for each in newest if not asks_for_person(each.content))
    return next(real, newest[0] if newest else None)


def waited(handoff: Handoff) -> int:
    """Return for how many seconds somebody waits, or waited until a person came."""
    until = handoff.assigned_at or handoff.ended_at or timezone.now()
    return max(0, int((until - handoff.requested_at).total_seconds()))
