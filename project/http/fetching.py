"""Calling addresses that other people chose: guarded, bounded in time and size.

    page = Fetcher().fetch("https://example.org/")      # page.file, page.status, page.headers

One fetcher serves one piece of work: a name keeps the address that it had at first for all of it,
through redirects too. Proxies of the environment are not used.
"""

import http.client
import socket
import ssl
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from typing import IO
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from django.conf import settings
from django.utils.translation import gettext as _

from project.http.addresses import Blocked, Guard

MOST_REDIRECTS = 5
_SPOOL = 1024 * 1024  # bytes in memory before a file is used
_PIECE = 64 * 1024
_REDIRECTS = {301, 302, 303, 307, 308}
_PRIVATE = {"authorization", "cookie"}  # headers that another host is not told
_UNQUOTED = "/%:=&?~#+!$,;'@()*[]"


class FetchFailed(Exception):
    """A call that gave nothing. `message` is for people, `status` the server's, 0 without one."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(slots=True)
class Fetched:
    """An answer. `file` stands at its beginning; `url` is where the redirects ended."""

    url: str
    status: int
    headers: Message
    file: IO[bytes]
    size: int

    def read(self) -> bytes:
        """Return the whole body."""
        self.file.seek(0)
        return self.file.read()


@dataclass(slots=True)
class Fetcher:
    """Calls with one guard. `limit` is in bytes a body, `timeout` in seconds for a call in all.

    With `cuts` a longer body is cut off at the limit, and the rest is not read.
    """

    guard: Guard = field(default_factory=Guard)
    limit: int = field(default_factory=lambda: settings.ACERVO_MAX_UPLOAD_BYTES)
    timeout: float = field(default_factory=lambda: float(settings.ACERVO_FETCH_TIMEOUT))
    agent: str = "Acervo/1 (knowledge base; robots.txt is kept to)"
    cuts: bool = False

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        redirects: int = MOST_REDIRECTS,
    ) -> Fetched:
        """Call an address and return the answer, whatever its status.

        Raises Blocked for an address that may not be called, FetchFailed for anything else.
        """
        wanted = {"user-agent": self.agent, "accept-encoding": "identity"}
        wanted |= {name.lower(): value for name, value in (headers or {}).items()}
        ends = time.monotonic() + self.timeout
        for _hop in range(redirects + 1):
            answer = self._once(url, method, wanted, body, ends)
            target = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or not target or not redirects:
                return answer
            answer.file.close()
            onward = urljoin(url, target)
            if _site(onward) != _site(url):
                wanted = {name: each for name, each in wanted.items() if name not in _PRIVATE}
            if answer.status == 303 or (answer.status in {301, 302} and method == "POST"):
                method, body = ("HEAD" if method == "HEAD" else "GET"), None
            url = onward
        raise FetchFailed(_("The address redirects too often."))

    def connect(self, host: str, port: int, *, timeout: float | None = None) -> socket.socket:
        """Return a connection to an allowed address of a host. Raises Blocked and FetchFailed."""
        seconds = self.timeout if timeout is None else timeout
        try:
            addresses = self.guard.addresses(host, port)
        except OSError:
            raise FetchFailed(_("There is no host “%(host)s”.") % {"host": host}) from None
        problem: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((address, port), timeout=max(0.1, seconds))
            except OSError as error:
                problem = error
        raise FetchFailed(_said(problem, host))

    def _once(
        self, url: str, method: str, headers: Mapping[str, str], body: bytes | None, ends: float
    ) -> Fetched:
        scheme, host, port, target = _parts(url)
        connection = _Connection(self, host, port, scheme, ends)
        try:
            with connection.bounded():
                connection.request(method, target, body=body, headers=dict(headers))
                response = connection.getresponse()
                file, size = self._body(response, ends)
        except (OSError, http.client.HTTPException, zlib.error) as error:
            if time.monotonic() >= ends:
                raise FetchFailed(_("“%(host)s” took too long.") % {"host": host}) from None
            raise FetchFailed(_said(error, host)) from None
        finally:
            connection.close()
        return Fetched(url, response.status, response.headers, file, size)

    def _body(self, response: http.client.HTTPResponse, ends: float) -> tuple[IO[bytes], int]:
        """Return the body and its length, no longer than the limit, unpacked or not."""
        file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115 - handed on
        size = 0
        for piece in _pieces(response):
            size += len(piece)
            if self.cuts and size >= self.limit:
                file.write(piece[: self.limit - (size - len(piece))])
                size = self.limit
                break
            if size > self.limit:
                message = _("The answer is larger than %(limit)s MB.")
                raise FetchFailed(message % {"limit": max(1, self.limit // 2**20)}, 413)
            if time.monotonic() > ends:
                raise TimeoutError
            file.write(piece)
        file.seek(0)
        return file, size


class _Connection(http.client.HTTPConnection):
    """A connection whose address was looked at; cut off when its time is over."""

    def __init__(self, fetcher: Fetcher, host: str, port: int, scheme: str, ends: float) -> None:
        self.default_port = 443 if scheme == "https" else 80
        super().__init__(host, port)
        self._fetcher = fetcher
        self._name = host
        self._secure = scheme == "https"
        self._ends = ends

    def connect(self) -> None:
        """Connect to a pinned address; the certificate must be the name's."""
        left = self._ends - time.monotonic()
        plain = self._fetcher.connect(self._name, self.port, timeout=left)
        self.sock = plain
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=self._name)

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Cut the connection when the time is over, however slowly the other side goes on."""
        watch = threading.Timer(max(0.1, self._ends - time.monotonic()), self._cut)
        watch.daemon = True
        watch.start()
        try:
            yield
        finally:
            watch.cancel()

    def _cut(self) -> None:
        sock: socket.socket | None = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _pieces(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body as it comes, unpacked where the server packs without being asked to."""
    packed = response.headers.get("Content-Encoding", "").strip().lower()
    if packed in {"", "identity"}:
        while piece := response.read1(_PIECE):
            yield piece
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        return
    if packed not in {"gzip", "x-gzip", "deflate"}:
        message = _("The answer is packed in a way that is not read: %(way)s.")
        raise FetchFailed(message % {"way": packed[:40]})
    unpack = zlib.decompressobj(wbits=47)  # gzip or zlib, told by its head
    while piece := response.read1(_PIECE):
        yield unpack.decompress(piece, _PIECE)
        while unpack.unconsumed_tail:
            yield unpack.decompress(unpack.unconsumed_tail, _PIECE)
    yield unpack.flush()


def _parts(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and target of an address. Raises Blocked."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Blocked(_("This is not a valid address.")) from None
    if parts.scheme not in {"http", "https"}:
        raise Blocked(_("Only addresses that begin with http:// or https:// are called."))
    if not host or "@" in parts.netloc:
        raise Blocked(_("The address must name a host, and no user or password."))
    if any(ord(char) < 33 for char in url.strip()):
        raise Blocked(_("This is not a valid address."))
    try:
        host = host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise Blocked(_("The address names no valid host.")) from None
    target = quote(parts.path, safe=_UNQUOTED) or "/"
    if parts.query:
        target += "?" + quote(parts.query, safe=_UNQUOTED)
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target


def address_plain(url: str) -> str:
    """Return an address without its fragment, small letters where letters do not matter."""
    parts = urlsplit(url.strip())
    return urlunsplit(
        (parts.scheme.lower(), parts.netloc.lower(), parts.path or "/", parts.query, "")
    )


def _site(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _said(error: BaseException | None, host: str) -> str:
    """Return what went wrong between here and a host, in words and without addresses."""
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _("The certificate of “%(host)s” is not valid.")
    elif isinstance(error, TimeoutError):
        text = _("“%(host)s” took too long.")
    elif isinstance(error, ConnectionRefusedError):
        text = _("“%(host)s” refuses connections.")
    elif isinstance(error, http.client.HTTPException):
        text = _("“%(host)s” does not answer as a web server does.")
    else:
        text = _("“%(host)s” cannot be reached.")
    return text % {"host": host}
