"""A receiver of webhooks: a small real server that answers, or misbehaves, as it is told to."""

import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Received:
    """A message as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


Fault = Callable[[BaseHTTPRequestHandler, threading.Event], None]


def answers(status: int, body: bytes = b"", **headers: str) -> Fault:
    """Answer like that; underscores in names of headers are hyphens."""

    def act(handler: BaseHTTPRequestHandler, _ending: threading.Event) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return act


def hangs(handler: BaseHTTPRequestHandler, ending: threading.Event) -> None:
    """Take the message and never answer."""
    ending.wait(30)


def drips(handler: BaseHTTPRequestHandler, ending: threading.Event) -> None:
    """Answer 200 with one byte at a time, without an end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not ending.wait(0.1):
        handler.wfile.write(b".")
        handler.wfile.flush()


def resets(handler: BaseHTTPRequestHandler, _ending: threading.Event) -> None:
    """Cut the connection without a word."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


@dataclass
class Receiver:
    """`with Receiver() as receiver: receiver.act = resets`; `receiver.received` is what came."""

    act: Fault = field(default_factory=lambda: answers(204))
    received: list[Received] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Receiver":
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.close_connection = True
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                receiver.received.append(Received(self.path, headers, body))
                try:
                    receiver.act(self, receiver._ending)
                except OSError:
                    return  # the caller had enough

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    return  # the connection was cut on purpose

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
