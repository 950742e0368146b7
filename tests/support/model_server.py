"""A small, real, local model server: chat completions and embeddings, with faults on demand.

Used by tests (`ModelServer` in a thread) and by benchmarks and people
(`python -m tests.support.model_server --port 9000`). A fault is chosen by the name of the model
(`FAULTS`: a request for the model "slow-first-token" is slow), or set at run time for one model or
for all ("*"): `server.behave(...)`, over HTTP `POST /behaviour {"model": "*", "status": 500}`.
`GET /stats` tells the calls so far. Standard library only; 50 streams at 10 ms a token are cheap.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import threading
from collections import Counter
from typing import Any

from tests.support.model_answers import (
    ANSWER,
    FAULTS,
    Aborted,
    Behaviour,
    completion,
    embeddings,
    events,
)


class ModelServer:
    """The server, in a thread of its own; `with ModelServer() as server:`."""

    def __init__(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self.host, self.port = host, port
        self.calls: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.open_streams = 0
        self.disconnects = 0
        self._behaviours: dict[str, Behaviour] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "ModelServer":
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise RuntimeError("the model server did not start")
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    def behave(self, model: str = "*", **changes: Any) -> None:
        """Answer calls of `model` ("*" = every) so from now on; no changes = well."""
        self._behaviours[model] = Behaviour(**changes)

    def reset(self) -> None:
        """Behave well and forget what was counted."""
        self._behaviours.clear()
        self.calls.clear()
        self.requests.clear()
        self.keys.clear()
        self.disconnects = 0

    def refuse_connections(self) -> None:
        """Stop listening; open connections are aborted."""
        self._in_loop(self._close())

    def accept_connections(self) -> None:
        """Listen again, on the same port."""
        self._in_loop(self._listen())

    def stats(self) -> dict[str, Any]:
        """Return what has happened since the last `reset`."""
        return {
            "calls": dict(self.calls),
            "total": self.calls.total(),
            "open_streams": self.open_streams,
            "disconnects": self.disconnects,
        }

    async def serve_forever(self) -> None:
        """Serve in the running event loop."""
        await self._listen()
        await asyncio.Event().wait()

    # -- running -------------------------------------------------------------------------------

    def _run(self, started: threading.Event) -> None:
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._finish())
        self._loop.close()

    def _in_loop(self, coroutine: Any) -> None:
        assert self._loop
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._connection, self.host, self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _finish(self) -> None:
        await self._close()
        own = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- HTTP ----------------------------------------------------------------------------------

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, Aborted):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is over."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        _method, path, _version = first.split(" ", 2)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        data = json.loads(body) if body else {}
        if path == "/stats":
            await _respond(writer, 200, self.stats())
        elif path == "/behaviour":
            self.behave(data.pop("model", "*"), **data)
            await _respond(writer, 200, {"ok": True})
        elif path.endswith("/models"):
            await _respond(writer, 200, {"object": "list", "data": [{"id": "stub"}]})
        elif path.endswith(("/chat/completions", "/embeddings")):
            self.keys.append(headers.get("authorization", ""))
            await self._model_call(path, data, reader, writer)
        else:
            await _respond(writer, 404, {"error": {"message": "no such path"}})
        return headers.get("connection", "").lower() != "close"

    async def _model_call(
        self,
        path: str,
        data: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        model = str(data.get("model", ""))
        self.calls[model] += 1
        self.requests.append(data)
        how = self._behaviour(model)
        if how.fault == "refuse":
            writer.transport.abort()
            raise Aborted
        refused = next((name for name in how.refuses if name in data), None)
        if refused:
            problem = {"message": f"Unsupported parameter: {refused}", "param": refused}
            await _respond(writer, 400, {"error": problem})
        elif how.status != 200:
            extra = {"Retry-After": how.retry_after} if how.retry_after else {}
            await _respond(writer, how.status, {"error": {"message": "on demand"}}, extra)
        elif how.fault == "html":
            await _respond(writer, 200, "<html><body>Welcome to the router.</body></html>")
        elif path.endswith("/embeddings"):
            await asyncio.sleep(how.first_token_delay)
            await _respond(writer, 200, embeddings(data, how))
        elif data.get("stream"):
            await self._stream(data, how, reader, writer)
        else:
            await asyncio.sleep(how.first_token_delay)
            await _respond(writer, 200, completion(data, how))

    def _behaviour(self, model: str) -> Behaviour:
        for name in (model, "*"):
            how = self._behaviours.get(name)
            if how is None:
                continue
            if how.times == 1:
                del self._behaviours[name]
            elif how.times:
                self._behaviours[name] = dataclasses.replace(how, times=how.times - 1)
            return how
        return FAULTS.get(model, Behaviour())

    async def _stream(
        self,
        data: dict[str, Any],
        how: Behaviour,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.open_streams += 1
        own = asyncio.current_task()
        assert own
        gone = asyncio.create_task(reader.read(1))
        gone.add_done_callback(lambda task: None if task.cancelled() else own.cancel())
        try:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            async for piece in events(data, how, writer):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except asyncio.CancelledError:
            self.disconnects += 1
            raise ConnectionResetError from None
        finally:
            self.open_streams -= 1
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await gone


async def _respond(
    writer: asyncio.StreamWriter,
    status: int,
    body: dict[str, Any] | str,
    headers: dict[str, str] | None = None,
) -> None:
    kind = "text/html" if isinstance(body, str) else "application/json"
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status} Status",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    await writer.drain()


def main() -> None:
    parser = argparse.ArgumentParser(description="A local model server with faults on demand.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--first-token", type=float, default=0.0, help="seconds")
    parser.add_argument("--token-delay", type=float, default=0.01, help="seconds")
    parser.add_argument("--answer", default=ANSWER)
    options = parser.parse_args()
    server = ModelServer(options.port, options.host)
    server.behave(
        first_token_delay=options.first_token,
        token_delay=options.token_delay,
        answer=options.answer,
    )
    print(f"Listening on http://{options.host}:{options.port}/v1", flush=True)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve_forever())


if __name__ == "__main__":
    main()
