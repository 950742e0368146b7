"""Conversations, and answerers that say what a test wants."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from chat.agent import Agent
from chat.models import Conversation, Turn
from chat.services import Sent, conversation_create, message_send
from chat.turn_log import LoggedEvent, follow
from chat.turn_runner import Answerer
from chat.types import (
    AnswerBlock,
    AnswerDelta,
    AnswerDraft,
    AnswerEvent,
    TurnRequest,
    TurnStage,
    TurnStarted,
)
from knowledge.choices import Visibility
from knowledge.models import Space
from project.accounts.models import User
from project.aio import in_thread
from tests.support.visitors import Visitor

WORDS = ("The ", "ferry ", "sails ", "at ", "nine.")


@pytest.fixture
def conversation(owner: User, space: Space) -> Conversation:
    return conversation_create(acting_user=owner, space=space.pk)


@pytest.fixture
def ask(conversation: Conversation) -> Callable[..., Sent]:
    """Send a question to the conversation as its owner."""

    def send(content: str = "When does the ferry sail?", **extra: Any) -> Sent:
        return message_send(
            acting_user=conversation.user,
            conversation_id=conversation.pk,
            content=content,
            client_message_id=extra.pop("client_message_id", str(uuid.uuid4())),
            **extra,
        )

    return send


def saying(
    *words: str,
    pause: float = 0.0,
    hold: asyncio.Event | None = None,
    error: Exception | None = None,
) -> Answerer:
    """Return an answerer that says the words; before the last one it waits for `hold`."""

    async def answer(request: TurnRequest, draft: AnswerDraft) -> AsyncGenerator[AnswerEvent, None]:
        yield TurnStarted(draft.route, draft.model)
        yield TurnStage("generate")
        for number, word in enumerate(words):
            if hold is not None and number == len(words) - 1:
                await hold.wait()
            yield AnswerDelta(word, 0)
            await asyncio.sleep(pause)
        if error is not None:
            raise error
        yield AnswerBlock(0, f"<p>{''.join(words)}</p>\n")

    return answer


@asynccontextmanager
async def running_agent(answerer: Answerer, **options: Any) -> AsyncIterator[Agent]:
    agent = Agent(answerer, **options)
    task = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        agent.stop()
        await task


async def events_of(
    turn_id: uuid.UUID, after: int = 0, seconds: float = 15.0
) -> list[dict[str, Any]]:
    """Follow a turn to its end."""
    return [json.loads(event.raw) for event in await logged(turn_id, after, seconds)]


async def logged(turn_id: uuid.UUID, after: int = 0, seconds: float = 15.0) -> list[LoggedEvent]:
    found = []
    async with asyncio.timeout(seconds), aclosing(follow(turn_id, after)) as events:
        async for event in events:
            found.append(event)  # noqa: PERF401 - an asynchronous generator
    return found


def shown(events: list[dict[str, Any]], before: str = "") -> str:
    """Return the text that a reader of these events has in the end."""
    text = before
    for event in events:
        if event["type"] == "answer.delta":
            text += event["text"]
        elif event["type"] == "answer.reset":
            text = ""
    return text


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = 8.0) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.01)


async def turn_now(turn_id: uuid.UUID) -> Turn:
    return await in_thread(
        lambda: Turn.objects.select_related("answer", "conversation").get(pk=turn_id)
    )


@pytest.fixture
def library(space: Space) -> Space:
    """A public space that is open to guests."""
    space.visibility, space.allows_guests = Visibility.PUBLIC, True
    space.save()
    return space


@pytest.fixture
def visitor(library) -> Visitor:
    return Visitor()


@pytest.fixture
def kept(visitor) -> str:
    """A conversation of the guest."""
    return visitor.begin().json()["id"]
