"""A small real web server whose pages tests change while it runs, in a thread of its own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """What an address answers. Sent with an entity tag, and as 304 to whoever has that already."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""
    stall: threading.Event | None = None  # waited for after the first byte


Answering = Reply | Callable[["Asked"], Reply]


@dataclass
class Asked:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Site:
    """`with Site() as site: site.page("/a.html", "<p>…")`; `site.asked` is what was asked."""

    def __init__(self) -> None:
        self.replies: dict[str, Answering] = {}
        self.asked: list[Asked] = []
        self.otherwise: Answering = Reply(b"Not here", 404)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> "Site":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def page(self, path: str, html: str, *, etag: str = "", **headers: str) -> None:
        """Answer an address with HTML."""
        sent = {"Content-Type": "text/html; charset=utf-8", **headers}
        self.replies[path] = Reply(html.encode(), headers=sent, etag=etag)

    def text(self, path: str, text: str | bytes, content_type: str = "text/markdown") -> None:
        data = text.encode() if isinstance(text, str) else text
        self.replies[path] = Reply(data, headers={"Content-Type": content_type})

    def redirect(self, path: str, target: str, status: int = 302) -> None:
        self.replies[path] = Reply(status=status, headers={"Location": target})

    def paths(self) -> list[str]:
        """The addresses asked for, in order, without robots.txt."""
        return [each.path for each in self.asked if each.path != "/robots.txt"]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length))
                site.asked.append(asked)
                known = site.replies.get(self.path) or site.replies.get(self.path.partition("?")[0])
                found = known or site.otherwise
                reply = found if isinstance(found, Reply) else found(asked)
                if reply.etag and headers.get("if-none-match") == reply.etag:
                    reply = Reply(status=304, etag=reply.etag)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.etag:
                    self.send_header("ETag", reply.etag)
                if "Content-Length" not in reply.headers:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                try:
                    if reply.stall is not None:
                        self.wfile.write(reply.body[:1])
                        self.wfile.flush()
                        reply.stall.wait(20)
                        return
                    self.wfile.write(reply.body)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_HEAD = _answer  # noqa: N815 - the names that the server calls

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler
