"""Statements and milliseconds of reading conversations, and what cold storage saves and costs.

Usage: python benchmarks/history.py [EXCHANGES] [CONVERSATIONS]

1. A long conversation (several versions of every fourth answer, five citations, feedback, traces of
   some kilobytes), and a list of many: pages as the browser and REST ask for them, in process.
   `first` is after a change of the conversation, `again` the same once more.
2. The conversations are put away and brought back: bytes of rows, bytes put away, time.
"""

import datetime
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import stage

RUNS = 5


def main() -> None:
    """Measure and print."""
    exchanges = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 150
    stage.begin()
    print(f"{exchanges} exchanges, {count} conversations; {stage.machine()}")
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    settings.ALLOWED_HOSTS = ["*"]
    user: Any = get_user_model().objects.create_user("reader")
    client = Client()
    client.force_login(user)
    talk = _talks(user, exchanges, count)
    _pages(client, talk)
    _cold(user)


def _talks(user: Any, exchanges: int, count: int) -> Any:
    """Make the conversations; return the long one."""
    from chat.models import Conversation

    talks = Conversation.objects.bulk_create(
        Conversation(user=user, title=f"Conversation {number}") for number in range(count)
    )
    writer = stage.Writer()
    long = talks[0]
    _said(long, exchanges, writer, versions=3)
    for talk in talks[1:]:
        _said(talk, 4, writer, versions=1)
    return long


def _said(talk: Any, exchanges: int, writer: Any, *, versions: int) -> None:
    from chat.choices import MessageRole, TurnStatus
    from chat.models import Citation, Feedback, Message, Turn

    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=400)
    messages: list[Any] = []
    turns: list[Any] = []
    last = None
    for number in range(exchanges):
        question = Message(
            conversation=talk, parent=last, role=MessageRole.USER, content=writer.question()
        )
        messages.append(question)
        for _version in range(versions if number % 4 == 0 else 1):
            last = Message(
                conversation=talk,
                parent=question,
                role=MessageRole.ASSISTANT,
                content="\n\n".join(f"**{writer.words(2)}** {writer.text(40)} [1]" for _ in "123"),
            )
            messages.append(last)
            turns.append(
                Turn(
                    conversation=talk, question=question, answer=last, trace=_trace(writer),
                    status=TurnStatus.COMPLETED, timings={"total": 1234.5, "first_token": 210.25},
                )
            )  # fmt: skip
    Message.objects.bulk_create(messages)
    for number, message in enumerate(messages):
        message.created_at = began + datetime.timedelta(seconds=number)
    Message.objects.bulk_update(messages, ["created_at"])
    Turn.objects.bulk_create(turns)
    Citation.objects.bulk_create(
        Citation(
            turn=turn, index=index, cited_id=uuid.uuid4(), version=1, chunk_id=uuid.uuid4(),
            title=writer.words(4), snippet=writer.text(40), start=0, end=100,
        )
        for turn in turns
        for index in range(1, 6)
    )  # fmt: skip
    Feedback.objects.bulk_create(
        Feedback(message=turn.answer, user=talk.user, value=1) for turn in turns[::3]
    )


def _trace(writer: Any) -> dict[str, Any]:
    return {
        "query": writer.question(),
        "passages": [
            {
                "node": str(uuid.uuid4()), "chunk": str(uuid.uuid4()), "title": writer.words(4),
                "version": 1, "score": 0.61803398, "signals": {"keyword": 12.5, "vector": 0.71},
                "text": writer.text(40),
            }
            for _ in range(8)
        ],
        "context": {"budget": 4000, "parts": {"passages": 2100, "question": 21}},
    }  # fmt: skip


def _pages(client: Any, talk: Any) -> None:
    from chat.models import Message

    middle = Message.objects.filter(conversation=talk, role="user").order_by("created_at")[60].pk
    api = f"/api/v1/conversations/{talk.pk}/messages/"
    pages = {
        "page of the conversation": f"/c/{talk.pk}/",
        "earlier messages": f"/c/{talk.pk}/earlier/?before={middle}",
        "messages over REST": api,
        "older messages over REST": f"{api}?before={middle}",
        "list of conversations": "/c/",
        "conversations over REST": "/api/v1/conversations/",
        "search in conversations": "/c/?q=conv",
    }
    print(f"{'':28}{'statements':>22}{'milliseconds (median)':>26}")
    print(f"{'':28}{'first':>11}{'again':>11}{'first':>13}{'again':>13}")
    for name, address in pages.items():
        client.get(address)
        first = [_asked(client, address, lambda: _touch(talk)) for _ in range(RUNS)]
        again = [_asked(client, address) for _ in range(RUNS)]
        figures = [statistics.median(each[0] for each in rows) for rows in (first, again)]
        times = [statistics.median(each[1] for each in rows) for rows in (first, again)]
        print(f"{name:28}{figures[0]:>11.0f}{figures[1]:>11.0f}{times[0]:>13.1f}{times[1]:>13.1f}")


def _touch(talk: Any) -> None:
    from chat.models import Feedback

    Feedback.objects.filter(message__conversation=talk).update(value=-1)


def _asked(
    client: Any, address: str, before: Callable[[], None] = lambda: None
) -> tuple[int, float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    before()
    began = time.perf_counter()
    client.get(address)
    elapsed = (time.perf_counter() - began) * 1000
    before()
    with CaptureQueriesContext(connection) as statements:
        answer = client.get(address)
    assert answer.status_code == 200, answer.status_code
    return len(statements), elapsed


def _cold(user: Any) -> None:
    from django.db import connection

    from chat.cold import conversations_cool, warm
    from chat.models import ColdConversation, Conversation

    then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=400)
    Conversation.objects.filter(user=user).update(updated_at=then)

    def size(*tables: str) -> int:
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"VACUUM FULL {table}")
            cursor.execute(
                "SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest(%s::text[]) AS t",
                [list(tables)],
            )
            return int(cursor.fetchone()[0])

    warm_tables = ("chat_message", "chat_turn")
    before = size(*warm_tables)
    began = time.perf_counter()
    done = conversations_cool()
    took = time.perf_counter() - began
    after, away = size(*warm_tables), size("chat_coldconversation")
    print(
        f"cold storage: {done.conversations} conversations in {took:.2f} s; messages and turns"
        f" {before / 2**20:.1f} MB, then {after / 2**20:.1f} MB and {away / 2**20:.1f} MB put away"
        f" (content: {done.before / 2**20:.1f} MB as {done.after / 2**20:.1f} MB)"
    )
    times = []
    for pk in list(ColdConversation.objects.values_list("conversation", flat=True)[:100]):
        began = time.perf_counter()
        warm(pk)
        times.append((time.perf_counter() - began) * 1000)
    print(f"brought back: median {statistics.median(times):.1f} ms, most {max(times):.1f} ms")


if __name__ == "__main__":
    main()
