"""A language model that says the same at the pace it is told: python benchmarks/stub_model.py PORT.

Chat completions only. One timer serves all streams: every 1/TOKENS_A_SECOND each of them gets its
next token, so that the stub itself takes as little of the machine as can be.
"""

import asyncio
import json
import sys

FIRST_TOKEN = 0.050  # seconds
TOKENS_A_SECOND = 40
TEXT = (
    "The timetable says that this service runs every day except on public holidays [1]. "
    "Tickets are sold at the counter and on board [2]. Bring an identity card, and be there "
    "twenty minutes before it leaves.\n\nFor groups, write to the office a week ahead [1]. "
    "Dogs, bicycles and prams are carried without a fee as long as there is room for them.\n\n"
    "When a storm is announced the first service of the day waits for the harbour master, who "
    "decides at seven in the morning; what is cancelled is refunded at the counter [3]."
)
TOKENS = [word if number == 0 else f" {word}" for number, word in enumerate(TEXT.split(" "))]
_HEAD = '{"id":"stub","object":"chat.completion.chunk","created":1,"model":"stub",'


def _chunk(payload: str) -> bytes:
    data = f"data: {payload}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def _token(text: str) -> bytes:
    delta = json.dumps({"content": text})
    return _chunk(f'{_HEAD}"choices":[{{"index":0,"delta":{delta}}}]}}')


_START = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    + _token(TOKENS[0])
)
_USAGE = {"prompt_tokens": 800, "completion_tokens": len(TOKENS), "total_tokens": 800 + len(TOKENS)}
_END = (
    _chunk(f'{_HEAD}"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}]}}')
    + _chunk(f'{_HEAD}"choices":[],"usage":{json.dumps(_USAGE)}}}')
    + _chunk("[DONE]")
    + b"0\r\n\r\n"
)
_PIECES = [*(_token(each) for each in TOKENS[1:]), _END]


class Stub:
    """The server and its streams: each writer with the number of its next piece."""

    def __init__(self) -> None:
        self._streams: dict[asyncio.StreamWriter, int] = {}

    async def serve(self, port: int) -> None:
        """Answer until the process ends."""
        await asyncio.start_server(self._connection, "127.0.0.1", port, backlog=1024)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += 1 / TOKENS_A_SECOND
            await asyncio.sleep(max(0.0, due - loop.time()))
            for writer, number in list(self._streams.items()):
                writer.write(_PIECES[number])
                self._streams[writer] = number + 1
                if number + 1 == len(_PIECES) or writer.is_closing():
                    del self._streams[writer]

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:-2])
                sizes = [int(v) for k, v in fields.items() if k.lower() == "content-length"]
                body = json.loads(await reader.readexactly(sizes[0])) if sizes else {}
                if body.get("stream"):
                    asyncio.get_running_loop().call_later(FIRST_TOKEN, self._begin, writer)
                else:
                    _answer_whole(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._streams.pop(writer, None)
        finally:
            writer.close()

    def _begin(self, writer: asyncio.StreamWriter) -> None:
        if not writer.is_closing():
            writer.write(_START)
            self._streams[writer] = 0


def _answer_whole(writer: asyncio.StreamWriter) -> None:
    message = {"role": "assistant", "content": "When does the service run?"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    content = json.dumps({"id": "stub", "choices": [choice], "usage": _USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
    writer.write(head.encode() + b"\r\n\r\n" + content)


if __name__ == "__main__":
    asyncio.run(Stub().serve(int(sys.argv[1])))
