"""The web process: uvicorn on a listening socket that it inherits, or opens itself.

    python -m project.web [--fd N]

The supervisor owns the socket, so that connections wait in its queue while a web process that
died is started again.
"""

import argparse
import asyncio
import errno
import os
import socket
from typing import Any, cast

import structlog
import uvicorn

from project.collecting import settle
from project.env import env_int, env_str
from project.websocket import ANSWER_SECONDS, HEARTBEAT_SECONDS, WebSocketProtocol

_GRACE = 8  # seconds that open requests have to end after SIGTERM
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_UNTIL_ROOM = 1.0  # seconds, as asyncio waits when there are no more file descriptors
_SHY, _SHYEST = 0.0005, 0.005  # seconds before the next connection: for each there is, and at most


class Server(uvicorn.Server):
    """Shows its life once it serves.

    Web processes that share a socket divide a burst of connections: the more one has, the
    later it takes another. Otherwise the first one that wakes takes all.
    """

    accepting: tuple[asyncio.Task[None], ...] = ()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        _warm_up()
        await super().startup(sockets=[] if sockets else None)
        self.accepting = tuple(asyncio.create_task(self._accept(each)) for each in sockets or ())
        from project.heartbeat import pulse  # needs the settings, which exist by now

        self.pulse = asyncio.create_task(pulse("web"))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.pulse.cancel()
        for task in self.accepting:
            task.cancel()
        await asyncio.gather(*self.accepting, return_exceptions=True)
        await super().shutdown(sockets=sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.settimeout(0)  # sock_accept wants one that does not block
        while True:
            if busy := len(self.server_state.connections):
                await asyncio.sleep(min(busy * _SHY, _SHYEST))
            try:
                connection, _address = await loop.sock_accept(listener)
                await loop.connect_accepted_socket(self._protocol, connection)
            except Exception as error:  # noqa: BLE001 - it goes on accepting, whatever fails
                structlog.get_logger(__name__).warning("not_accepted", error=str(error))
                is_full = isinstance(error, OSError) and error.errno in _FULL
                await asyncio.sleep(_UNTIL_ROOM if is_full else _SHYEST)

    def _protocol(self) -> asyncio.Protocol:
        make = cast("type[Any]", self.config.http_protocol_class)
        protocol: asyncio.Protocol = make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _warm_up() -> None:
    """Import the views before the first request comes: a burst after a start would wait for it."""
    from django.urls import get_resolver  # needs the settings, which exist by now

    _ = get_resolver().url_patterns
    settle()


def configuration() -> uvicorn.Config:
    """Forwarded headers are left alone: the settings say how many proxies may be believed."""
    return uvicorn.Config(
        "project.asgi:application",
        host=env_str("ACERVO_HOST", "127.0.0.1"),
        port=env_int("ACERVO_PORT", 8000, minimum=1),
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws=WebSocketProtocol,
        ws_ping_interval=HEARTBEAT_SECONDS,
        ws_ping_timeout=ANSWER_SECONDS,
        ws_per_message_deflate=False,
        ws_max_size=1024 * 1024,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, help="an inherited listening socket")
    descriptor = parser.parse_args().fd
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    sockets = None if descriptor is None else [socket.socket(fileno=descriptor)]
    Server(configuration()).run(sockets=sockets)


if __name__ == "__main__":
    main()
