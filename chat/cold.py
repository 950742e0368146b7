"""Cold storage: the content of conversations that nobody has touched for long, put together.

Texts, traces and timings go into one compressed row a conversation; messages, turns, citations,
feedback and shares stay where they are, with their ids and their links, so that whatever refers to
them holds, quotes can be emptied, and people deleted. Whoever wants to read one has it warmed
first. It has nothing to do with `Conversation.archived_at`: that is what its owner put away.
"""

from __future__ import annotations

import datetime
import json
import uuid
import zlib
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, transaction
from django.db.models import Exists, Func, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from chat.choices import FINAL_STATUSES, OPEN_HANDOFFS
from chat.models import ColdConversation, Conversation, Handoff, Turn
from chat.searching import Words

AT_ONCE = 100
MOST_BYTES = 400_000
"""Of the texts of a conversation: Postgres indexes the words of less than a megabyte."""
DAYS_A_MONTH = 30.44

log = structlog.get_logger(__name__)


class _Bare(Func):
    """Words without their places, of which nothing is asked."""

    function = "strip"
    output_field = SearchVectorField()


@dataclass(slots=True)
class Cooled:
    """What came of putting conversations away; sizes in bytes."""

    conversations: int = 0
    skipped: int = 0
    before: int = 0
    after: int = 0


def warmed(conversation: Conversation) -> None:
    """Bring back the content of a conversation that is going to be read, if it is away."""
    if conversation.cold_since is not None:
        warm(conversation.pk)
        conversation.cold_since = None
        conversation.__dict__.pop("revision_now", None)


@transaction.atomic
def warm(conversation_id: uuid.UUID) -> bool:
    """Bring back the content of a conversation; return whether it was away.

    The row of the conversation is locked first, as by whoever writes to it.
    """
    known = Conversation.objects.select_for_update().filter(pk=conversation_id)
    if not known.values_list("pk").first():
        return False
    cold = ColdConversation.objects.filter(conversation=conversation_id).first()
    if cold is None:
        return False
    content = json.loads(zlib.decompress(cold.body))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chat_message AS message SET content = kept.content"
            " FROM unnest(%s::uuid[], %s::text[]) AS kept (id, content)"
            " WHERE message.id = kept.id",
            _columns(content["messages"], 2),
        )
        cursor.execute(
            "UPDATE chat_turn AS turn SET trace = kept.trace::jsonb, timings = kept.timings::jsonb"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS kept (id, trace, timings)"
            " WHERE turn.id = kept.id",
            _columns(content["turns"], 3),
        )
    cold.delete()
    Conversation.objects.filter(pk=conversation_id).update(cold_since=None, warmed_at=Now())
    return True


def untouched(since: datetime.datetime) -> QuerySet[Conversation]:
    """Return the conversations that may go: nobody has written to or warmed them since."""
    unfinished = Turn.objects.filter(conversation=OuterRef("pk")).exclude(status__in=FINAL_STATUSES)
    with_people = Handoff.objects.filter(conversation=OuterRef("pk"), status__in=OPEN_HANDOFFS)
    rows = Conversation.objects.annotate(touched_at=Coalesce("warmed_at", "updated_at"))
    return rows.filter(
        ~Exists(unfinished),
        ~Exists(with_people),
        cold_since=None,
        touched_at__lt=since,
        updated_at__lt=since,
    )


def conversations_cool(*, months: int | None = None, most: int = 10_000) -> Cooled:
    """Put the content of untouched conversations away, each in a transaction of its own.

    `months` without a touch, by default those of the settings; 0 there puts nothing away.
    """
    done = Cooled()
    if months is None:
        months = settings.ACERVO_COLD_AFTER_MONTHS
        if not months:
            return done
    since = timezone.now() - datetime.timedelta(days=months * DAYS_A_MONTH)
    last = uuid.UUID(int=0)
    while done.conversations + done.skipped < most:
        rows = untouched(since).filter(pk__gt=last).order_by("pk")
        batch = list(rows.values_list("pk", flat=True)[:AT_ONCE])
        if not batch:
            break
        for pk in batch:
            _cool(pk, since, done)
        last = batch[-1]
    if done.conversations:
        log.info("conversations_cooled", count=done.conversations, bytes=done.before - done.after)
    return done


@transaction.atomic
def _cool(conversation_id: uuid.UUID, since: datetime.datetime, done: Cooled) -> None:
    free = Conversation.objects.select_for_update(skip_locked=True).filter(pk=conversation_id)
    if not free.values_list("pk").first():
        return
    if not untouched(since).filter(pk=conversation_id).exists():
        return  # somebody came in between
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, content FROM chat_message WHERE conversation_id = %s",
            [conversation_id],
        )
        messages = cursor.fetchall()
        cursor.execute(
            "SELECT id::text, trace::text, timings::text FROM chat_turn WHERE conversation_id = %s",
            [conversation_id],
        )
        turns = cursor.fetchall()
    texts = "\n".join(content for _pk, content in messages)
    if not messages or len(texts.encode()) > MOST_BYTES:
        done.skipped += 1
        return
    plain = json.dumps({"messages": messages, "turns": turns}, ensure_ascii=False).encode()
    body = zlib.compress(plain, 6)
    ColdConversation.objects.create(
        conversation_id=conversation_id,
        body=body,
        size=len(plain),
        words=_Bare(Words(Value(texts))),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chat_message SET content = '' WHERE conversation_id = %s", [conversation_id]
        )
        cursor.execute(
            "UPDATE chat_turn SET trace = '{}', timings = '{}' WHERE conversation_id = %s",
            [conversation_id],
        )
    Conversation.objects.filter(pk=conversation_id).update(cold_since=Now())
    done.conversations += 1
    done.before += len(plain)
    done.after += len(body)


def _columns(rows: list[list[Any]], width: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(width)]
