"""How a web process answers: the middleware and the view of a request in one thread."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from project.http.handler import OneThreadHandler

_seen: dict[str, int] = {}
_started, _go_on = threading.Event(), threading.Event()


class Noting:
    """Notes its thread at every hook that Django calls."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        _seen["before"] = threading.get_ident()
        response = self.get_response(request)
        _seen["after"] = threading.get_ident()
        return response

    def process_view(self, *_parts: Any) -> None:
        _seen["process_view"] = threading.get_ident()


def plain(_request: HttpRequest) -> HttpResponse:
    _seen["view"] = threading.get_ident()
    return HttpResponse("plain")


async def asynchronous(_request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    _seen["view"] = threading.get_ident()
    return HttpResponse("asynchronous")


def streamed(_request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        _seen["view"] = threading.get_ident()
        yield b"one "
        await asyncio.sleep(0)
        yield b"by one"

    return StreamingHttpResponse(pieces())


def broken(_request: HttpRequest) -> HttpResponse:
    raise ValueError("broken on purpose")


def slow(_request: HttpRequest) -> HttpResponse:
    _seen["slow"] = threading.get_ident()
    _started.set()
    _go_on.wait(10)
    return HttpResponse("late")


urlpatterns = [
    path("slow", slow),
    path("plain", plain),
    path("asynchronous", asynchronous),
    path("streamed", streamed),
    path("broken", broken),
]


async def asked(address: str, handler: OneThreadHandler | None = None) -> tuple[int, bytes]:
    handler = handler or OneThreadHandler()
    headers = [(b"host", b"localhost")]
    scope = {"type": "http", "method": "GET", "path": address, "headers": headers}
    communicator: Any = ApplicationCommunicator  # without types of its own
    client = communicator(handler, scope | {"query_string": b""})
    await client.send_input({"type": "http.request"})
    start = await client.receive_output()
    body = b""
    while True:
        piece = await client.receive_output()
        body += piece.get("body", b"")
        if not piece.get("more_body"):
            break
    await client.wait()
    return start["status"], body


@pytest.fixture(autouse=True)
def small_site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.Noting", "django.middleware.common.CommonMiddleware"]
    _seen.clear()
    _started.clear()
    _go_on.clear()


def test_a_request_stays_in_one_thread_that_is_not_the_loops() -> None:
    assert asyncio.run(asked("/plain")) == (200, b"plain")
    assert len(_seen) == 4
    assert len({*_seen.values()}) == 1
    assert threading.get_ident() not in _seen.values()


def test_an_asynchronous_view_runs_on_the_loop_and_is_answered() -> None:
    assert asyncio.run(asked("/asynchronous")) == (200, b"asynchronous")
    assert _seen["view"] == threading.get_ident() != _seen["before"]


def test_an_asynchronous_stream_is_sent_from_the_loop() -> None:
    assert asyncio.run(asked("/streamed")) == (200, b"one by one")
    assert _seen["view"] == threading.get_ident()


def test_a_view_that_breaks_is_a_500() -> None:
    status, _body = asyncio.run(asked("/broken"))
    assert status == 500


def test_the_next_request_has_the_thread_of_the_last_one() -> None:
    async def both() -> tuple[int, int]:
        handler = OneThreadHandler()
        await asked("/plain", handler)
        first = _seen["view"]
        for address in ("/streamed", "/plain"):
            async with asyncio.timeout(10):
                while not handler._idle:
                    await asyncio.sleep(0.001)
            await asked(address, handler)
        return first, _seen["view"]

    first, second = asyncio.run(both())
    assert first == second


def test_a_request_that_is_still_answered_shares_its_thread_with_nobody() -> None:
    async def both() -> tuple[int, bytes]:
        handler = OneThreadHandler()
        late = asyncio.create_task(asked("/slow", handler))
        await asyncio.to_thread(_started.wait, 10)
        await asked("/plain", handler)
        _go_on.set()
        return await late

    assert asyncio.run(both()) == (200, b"late")
    assert _seen["slow"] != _seen["view"]


def test_threads_beyond_those_that_are_kept_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("project.http.handler.MOST_IDLE", 1)

    async def crowd() -> None:
        handler = OneThreadHandler()
        await asyncio.gather(*(asked("/plain", handler) for _ in range(4)))

    before = threading.active_count()
    asyncio.run(crowd())
    deadline = time.monotonic() + 10
    while threading.active_count() > before + 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_is_no_http_is_refused() -> None:
    with pytest.raises(ValueError, match="websocket"):
        asyncio.run(OneThreadHandler()({"type": "websocket"}, None, None))  # type: ignore[arg-type]
