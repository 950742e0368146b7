"""What the local model server says, and the faults it can be asked for."""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

ANSWER = "The stub model answers in a few plain words, and it cites its source [1]."
HUGE_LINE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Behaviour:
    """How the server answers. Seconds; `times` limits it to the next so many calls (0 = always).

    `fault` happens after `after` tokens: reset (connection aborted), hang, bad-json, bad-utf8,
    no-done (the stream just ends), error-event, huge-line; or instead of an answer: refuse
    (aborted at once), html, empty, ragged
    (vectors of different lengths), drip (bytes without ever a whole line). `refuses` names
    parameters that get a 400, as newer models of OpenAI answer `max_tokens`.
    """

    answer: str = ANSWER
    first_token_delay: float = 0.0
    token_delay: float = 0.0
    status: int = 200
    retry_after: str = ""
    fault: str = ""
    after: int = 3
    with_usage: bool = True
    split_utf8: bool = False
    in_one_piece: bool = False
    dimensions: int = 8
    times: int = 0
    refuses: tuple[str, ...] = ()


FAULTS = {
    "slow-first-token": Behaviour(first_token_delay=3600),
    "slow-tokens": Behaviour(token_delay=0.5),
    "hang": Behaviour(fault="hang"),
    "drip": Behaviour(fault="drip"),
    "refuse": Behaviour(fault="refuse"),
    "busy": Behaviour(status=429, retry_after="1"),
    "error": Behaviour(status=500),
    "bad-key": Behaviour(status=401),
    "too-long": Behaviour(status=400),
    "reset": Behaviour(fault="reset"),
    "bad-json": Behaviour(fault="bad-json"),
    "bad-json-at-once": Behaviour(fault="bad-json", in_one_piece=True),
    "bad-utf8": Behaviour(fault="bad-utf8"),
    "no-done": Behaviour(fault="no-done"),
    "error-event": Behaviour(fault="error-event"),
    "huge-line": Behaviour(fault="huge-line"),
    "html": Behaviour(fault="html"),
    "empty": Behaviour(fault="empty"),
    "no-usage": Behaviour(with_usage=False),
    "split-utf8": Behaviour(answer="Coração, maçã, 日本語 e 🙂.", split_utf8=True),
}


class Aborted(Exception):
    """The connection was torn down on purpose."""


async def events(
    data: dict[str, Any], how: Behaviour, writer: asyncio.StreamWriter
) -> AsyncIterator[bytes]:
    """Yield the pieces of the body of one streamed answer, with its fault."""
    pieces = _events(data, how, writer)
    if how.in_one_piece:
        yield b"".join([piece async for piece in pieces])
        return
    async for piece in pieces:
        yield piece


async def _events(
    data: dict[str, Any], how: Behaviour, writer: asyncio.StreamWriter
) -> AsyncIterator[bytes]:
    # Headers travel with the first token, as most servers send them.
    await asyncio.sleep(how.first_token_delay)
    if how.fault == "drip":
        yield b"data: "
        while True:
            await asyncio.sleep(0.1)
            yield b" "
    model = data.get("model")
    tokens = _tokens(how.answer) if how.fault != "empty" else []
    head = f'data: {{"id":"stub","object":"chat.completion.chunk","created":1,"model":"{model}",'
    yield (head + '"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n').encode()
    for number, token in enumerate(tokens):
        if how.fault and number == how.after:
            async for piece in _fault(how.fault, writer):
                yield piece
            if how.fault == "no-done":
                return
        content = json.dumps(token, ensure_ascii=False)
        event = f'{head}"choices":[{{"index":0,"delta":{{"content":{content}}}}}]}}\n\n'.encode()
        if how.split_utf8:
            for start in range(len(event)):
                yield event[start : start + 1]
        else:
            yield event
        if how.token_delay:
            await asyncio.sleep(how.token_delay)
    yield (head + '"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n').encode()
    if how.with_usage and (data.get("stream_options") or {}).get("include_usage"):
        yield (head + f'"choices":[],"usage":{json.dumps(_usage(data, tokens))}}}\n\n').encode()
    yield b"data: [DONE]\n\n"


async def _fault(fault: str, writer: asyncio.StreamWriter) -> AsyncIterator[bytes]:
    if fault == "reset":
        writer.transport.abort()
        raise Aborted
    if fault == "hang":
        await asyncio.Event().wait()
    elif fault == "bad-json":
        yield b'data: {"choices":[{"delta":{"content": oops\n\n'
    elif fault == "bad-utf8":
        yield b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n'
    elif fault == "error-event":
        yield b'data: {"error":{"message":"secret-host.internal exploded"}}\n\n'
    elif fault == "huge-line":
        yield b'data: {"choices":[{"index":0,"delta":{"content":"'
        for _ in range(HUGE_LINE_BYTES // 65536):
            yield b"x" * 65536
        yield b'"}}]}\n\n'


def _tokens(answer: str) -> list[str]:
    return [word if number == 0 else f" {word}" for number, word in enumerate(answer.split(" "))]


def _usage(data: dict[str, Any], tokens: list[str]) -> dict[str, int]:
    prompt = sum(len(str(message.get("content", "")).split()) for message in data["messages"])
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(tokens),
        "total_tokens": prompt + len(tokens),
    }


def completion(data: dict[str, Any], how: Behaviour) -> dict[str, Any]:
    message = {"role": "assistant", "content": how.answer}
    return {
        "id": "stub",
        "object": "chat.completion",
        "created": 1,
        "model": data.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _usage(data, _tokens(how.answer)),
    }


def embeddings(data: dict[str, Any], how: Behaviour) -> dict[str, Any]:
    """Vectors that depend on the text only: the same text, the same vector."""
    texts = data["input"] if isinstance(data["input"], list) else [data["input"]]
    rows = []
    for index, text in enumerate(texts):
        seed = random.Random(hashlib.sha256(text.encode()).digest())
        vector = [seed.gauss(0, 1) for _ in range(how.dimensions)]
        if how.fault == "ragged" and index:
            vector.pop()
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    tokens = sum(len(text.split()) for text in texts)
    answer: dict[str, Any] = {"object": "list", "model": data.get("model"), "data": rows}
    if how.with_usage:
        answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
    return answer
