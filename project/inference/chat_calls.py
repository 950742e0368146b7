"""One call of one language model: stream it, hold it to its times, survive whatever it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import structlog

from project.inference import clients, failures
from project.inference.event_stream import EventReader
from project.inference.failures import Failure
from project.inference.intake import Intake
from project.inference.models import ModelEndpoint
from project.inference.sealing import SealBroken
from project.inference.types import Messages, TokenUsage
from project.inference.usage import estimate_tokens
from project.pacing import seconds_to_tick

if TYPE_CHECKING:
    from openai import AsyncAPIResponse

logger = structlog.get_logger(__name__)

MAX_ANSWER_CHARS = 200_000
# What some servers refuse, and what they want instead; learned from their first refusal.
_SUBSTITUTES = {"max_tokens": "max_completion_tokens", "temperature": "", "stream_options": ""}
_refused_parameters: dict[UUID, set[str]] = {}
_streaming: set[ChatCall] = set()  # of this process


class CallFailed(Exception):
    """The call failed; whether text came before is known to the reader of the texts."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked of any endpoint."""

    messages: Messages
    max_tokens: int
    temperature: float


class ChatCall:
    """A call in progress. Iterate `texts()` once, closing it; then read what was counted."""

    def __init__(self, endpoint: ModelEndpoint, prompt: Prompt, deadline: float) -> None:
        self.endpoint = endpoint
        self.finish_reason = ""
        self.model = endpoint.model_name
        self._prompt = prompt
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._deadline = deadline
        self._first_activity: float | None = None
        self._last_activity = self._started
        self._first_text: float | None = None
        self._texts: list[str] = []
        self._length = 0
        self._half_pair = ""
        self._counted: tuple[int, int] | None = None
        self._is_over = False
        self._is_lost = False

    def lost(self) -> None:
        """Count the prompt although no text came: another endpoint was faster, but it was read."""
        self._is_lost = True

    async def texts(self) -> AsyncGenerator[str, None]:
        """Yield the pieces of the answer. Raises CallFailed; closing it closes the connection."""
        self._started = self._last_activity = self._clock()
        self._deadline = min(self._deadline, self._started + self.endpoint.total_timeout)
        async with AsyncExitStack() as stack:
            try:
                response = await self._opened(stack)
                _streaming.add(self)
                async for text in self._read(response):
                    yield text
            except CallFailed:
                raise
            except Exception as error:
                # The client lets anything through: JSON, Unicode and protocol errors, and its own.
                failure = failures.classify(error)
                logger.warning(
                    "model_call_failed",
                    endpoint=self.endpoint.name,
                    outcome=failure.outcome,
                    error=type(error).__name__,
                )
                raise CallFailed(failure) from error
            finally:
                _streaming.discard(self)

    @property
    def latency_ms(self) -> int:
        """Milliseconds since the start."""
        return int((self._clock() - self._started) * 1000)

    @property
    def first_token_ms(self) -> int | None:
        """Milliseconds to the first text, None before it."""
        return None if self._first_text is None else int((self._first_text - self._started) * 1000)

    @property
    def usage(self) -> TokenUsage:
        """Tokens and cost so far: as the server counted, else estimated from the text seen."""
        if self._counted:
            prompt, completion = self._counted
        elif self._texts or self._is_lost:
            prompt = estimate_tokens(*(each["content"] for each in self._prompt.messages))
            completion = estimate_tokens("".join(self._texts)) if self._texts else 0
        else:
            prompt = completion = 0
        cost = self.endpoint.cost_of(prompt, completion)
        return TokenUsage(prompt, completion, cost, estimated=self._counted is None)

    async def _opened(self, stack: AsyncExitStack) -> AsyncAPIResponse[Any]:
        """Send the request; adapt it to servers that refuse one of its parameters."""
        import openai

        refused = _refused_parameters.setdefault(self.endpoint.pk, set())
        try:
            client = clients.async_client(self.endpoint)
        except SealBroken as error:
            raise CallFailed(failures.SEALED) from error
        create = client.chat.completions.with_streaming_response.create
        while True:
            try:
                async with asyncio.timeout_at(self._limit()):
                    return await stack.enter_async_context(create(**self._request(refused)))
            except TimeoutError:
                raise CallFailed(self._timeout_failure()) from None
            except openai.BadRequestError as error:
                if error.param not in _SUBSTITUTES or error.param in refused:
                    raise
                refused.add(error.param)

    def _request(self, refused: set[str]) -> dict[str, Any]:
        wanted: dict[str, Any] = {
            "max_tokens": self._prompt.max_tokens,
            "temperature": self._prompt.temperature,
            "stream_options": {"include_usage": True},
        }
        for name in refused:
            value = wanted.pop(name, None)
            if value is not None and _SUBSTITUTES[name]:
                wanted[_SUBSTITUTES[name]] = value
        # In `extra_body` the client passes them on as they are; as an argument it would walk
        # through each of them by its type hints, milliseconds before the first token.
        messages = {"messages": [dict(message) for message in self._prompt.messages]}
        return {
            "model": self.endpoint.model_name,
            "messages": [],
            "extra_body": messages,
            "stream": True,
            **wanted,
        }

    async def _read(self, response: AsyncAPIResponse[Any]) -> AsyncGenerator[str, None]:
        """Yield the text of what has come since the last look; the first one at once."""
        intake = Intake(cast("AsyncIterable[bytes]", response.http_response.stream))
        try:
            async with aclosing(self._texts_in(intake)) as texts:
                async for text in texts:
                    yield text
        finally:
            await intake.close()

    async def _texts_in(self, intake: Intake) -> AsyncGenerator[str, None]:
        events = EventReader()
        while not self._is_over:
            try:
                async with asyncio.timeout_at(self._limit()):
                    chunk = await intake.next()
            except TimeoutError:
                if self.finish_reason:
                    break  # the answer is whole; only its epilogue is not
                raise CallFailed(self._timeout_failure()) from None
            except Exception:
                if self.finish_reason:
                    break
                raise
            text, fault = self._taken(events.finish() if chunk is None else events.feed(chunk))
            if text:
                self._keep(text)
                yield text
            if fault is not None:
                raise fault
            if chunk is None:
                break
            if text and not self.finish_reason:
                await asyncio.sleep(seconds_to_tick(len(_streaming), self._clock()))
        if not self.finish_reason:
            raise CallFailed(failures.INCOMPLETE if self._texts else failures.MALFORMED)

    def _taken(self, events: Iterator[bytes]) -> tuple[str, Exception | None]:
        """Return the text of these events, and what is wrong behind it."""
        texts: list[str] = []
        try:
            texts.extend(self._text_of(event) for event in events)
        except Exception as fault:  # noqa: BLE001 - raised when the text before it is shown
            return "".join(texts), fault
        return "".join(texts), None

    def _text_of(self, data: bytes) -> str:
        """Return the text of an event, "" if it has none; remember what else it says.

        Anything may be missing or of another type. Raises ValueError or CallFailed on what is no
        event of an answer, unless the answer is whole already.
        """
        if self._is_over or data.strip() == b"[DONE]":
            self._is_over = True
            return ""
        try:
            event = json.loads(data)
        except ValueError:
            self._is_over = bool(self.finish_reason)
            if self._is_over:
                return ""
            raise
        if not isinstance(event, dict):
            raise CallFailed(failures.MALFORMED)
        if event.get("error"):
            raise CallFailed(failures.SERVER_ERROR)
        self._note_usage(event.get("usage"))
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return ""
        self._last_activity = self._clock()
        self._first_activity = self._first_activity or self._last_activity
        reason = choices[0].get("finish_reason")
        if isinstance(reason, str) and reason:
            self.finish_reason = reason
        delta = choices[0].get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        return self._storable(text) if isinstance(text, str) else ""

    def _note_usage(self, usage: object) -> None:
        if isinstance(usage, dict):
            prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
            if isinstance(prompt, int) and isinstance(completion, int):
                self._counted = (max(0, prompt), max(0, completion))

    def _keep(self, text: str) -> None:
        if self._first_text is None:
            self._first_text = self._last_activity
        self._texts.append(text)
        self._length += len(text)
        if self._length > MAX_ANSWER_CHARS:
            raise CallFailed(failures.OVERSIZED)

    def _storable(self, text: str) -> str:
        """Join surrogate pairs that were split between chunks; drop what no database stores."""
        text = (self._half_pair + text).replace("\0", "")
        self._half_pair = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._half_pair = text[:-1], text[-1]
        if any("\ud800" <= char <= "\udfff" for char in text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text

    def _limit(self) -> float:
        if self._first_activity is None:
            return min(self._deadline, self._started + self.endpoint.first_token_timeout)
        return min(self._deadline, self._last_activity + self.endpoint.idle_timeout)

    def _timeout_failure(self) -> Failure:
        if self._clock() >= self._deadline:
            return failures.TOTAL_TIMEOUT
        if self._first_activity is None:
            return failures.FIRST_TOKEN_TIMEOUT
        return failures.IDLE_TIMEOUT
