"""The web process's connections: what a reader that does not read, or is gone, may cost."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
import websockets
from websockets.asyncio.client import connect

from project import websocket
from project.web import configuration

PIECE = "x" * 4096


class Flood:
    """An application that sends without end, and notes how each connection ended."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = asyncio.Event()
        self.code: int | None = None

    async def __call__(self, scope, receive, send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with contextlib.suppress(OSError):
            while scope["path"] == "/flood":
                await send({"type": "websocket.send", "text": PIECE})
                self.sent += len(PIECE)
        message = await receive()
        self.code = message.get("code")
        self.ended.set()


@asynccontextmanager
async def served(application: Flood) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """Serve with the configuration of the web process."""
    listener = socket.create_server(("127.0.0.1", 0))
    known = configuration()
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        ws=known.ws,
        ws_ping_interval=known.ws_ping_interval,
        ws_ping_timeout=known.ws_ping_timeout,
    )
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server, listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await running


async def _shake_hands(port: int, path: str) -> socket.socket:
    """Open a WebSocket and say nothing more; the kernel answers for it, nobody reads."""
    loop = asyncio.get_running_loop()
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await loop.sock_connect(raw, ("127.0.0.1", port))
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    head += "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    await loop.sock_sendall(raw, head.encode())
    return raw


async def _until_nobody_is_connected(server: uvicorn.Server) -> None:
    async with asyncio.timeout(5):
        while server.server_state.connections:
            await asyncio.sleep(0.02)


async def test_a_reader_that_stops_reading_is_cut_off_and_costs_little(monkeypatch):
    monkeypatch.setattr(websocket, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(websocket, "LINGER_SECONDS", 0.1)
    flood = Flood()
    async with served(flood) as (server, port):
        raw = await _shake_hands(port, "/flood")
        async with asyncio.timeout(10):
            await flood.ended.wait()
        assert flood.code == 4413
        assert flood.sent < 1024 * 1024
        await _until_nobody_is_connected(server)
        raw.close()


async def _read_on(connection) -> None:
    while True:
        assert await connection.recv() == PIECE


async def test_a_slow_reader_that_reads_on_is_told_to_come_back(monkeypatch):
    monkeypatch.setattr(websocket, "SLOW_SECONDS", 0.3)
    monkeypatch.setattr(websocket, "LINGER_SECONDS", 5.0)
    flood = Flood()
    async with served(flood) as (_server, port):
        options = {"compression": None, "ping_interval": None, "max_queue": 1, "proxy": None}
        async with connect(f"ws://127.0.0.1:{port}/flood", **options) as slow:
            async with asyncio.timeout(10):
                await flood.ended.wait()
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(_read_on(slow), 5)
            assert slow.close_code == 4413


async def test_a_peer_that_answers_no_heartbeat_is_dropped(monkeypatch):
    assert (configuration().ws_ping_interval, configuration().ws_ping_timeout) == (30.0, 15.0)
    monkeypatch.setattr("project.web.HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr("project.web.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(websocket, "LINGER_SECONDS", 0.1)
    quiet = Flood()
    async with served(quiet) as (server, port):
        raw = await _shake_hands(port, "/quiet")
        async with asyncio.timeout(5):
            await quiet.ended.wait()
        await _until_nobody_is_connected(server)
        raw.close()


async def test_a_reader_that_keeps_up_is_left_alone(monkeypatch):
    monkeypatch.setattr(websocket, "SLOW_SECONDS", 0.2)
    flood = Flood()
    async with (
        served(flood) as (_server, port),
        connect(
            f"ws://127.0.0.1:{port}/flood", compression=None, close_timeout=0.1, proxy=None
        ) as reader,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_read_on(reader), 0.8)
