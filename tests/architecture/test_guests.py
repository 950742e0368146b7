"""A guest is nobody, on every route there is, but on those that are for guests."""

import re

import pytest
from channels.testing import WebsocketCommunicator
from django.test import Client

from knowledge.choices import Visibility
from knowledge.models import Space
from project.asgi import application
from tests.support.belongings import (
    LIST_ROUTES,
    OBJECT_ROUTES,
    PAGE_ROUTES,
    PAGES,
    SECRET,
    SOCKETS,
    Belongings,
    calls,
    filled,
    methods,
    parts_of,
)

GUEST_ROUTES = {
    "get conversations",
    "patch conversations",
    "delete conversations",
    "get conversations/messages",
    "post conversations/messages",
    "get messages",
    "post messages/regenerate",
    "post messages/feedback",
    "get turns",
    "get turns/events",
    "get turns/poll",
    "post turns/stop",
}


@pytest.fixture
def guest(client: Client, db: None) -> Client:
    """The browser of a visitor who asks another space, one that is open to guests."""
    Space.objects.create(
        name="Library", slug="library", visibility=Visibility.PUBLIC, allows_guests=True
    )
    assert client.post("/api/v1/conversations/", {}, "application/json").status_code == 201
    return client


def test_a_guest_is_nobody_on_every_route_but_those_for_guests(
    guest: Client, belongings: Belongings
) -> None:
    for_guests = set()
    for address, route in OBJECT_ROUTES:
        for method, path, body in calls(address, route, belongings):
            answer = getattr(guest, method)(path, body, "application/json")
            assert SECRET not in answer.content.decode(), path
            if answer.status_code == 404:
                for_guests.add(f"{method} {parts_of(address)[1]}")
            else:
                assert answer.status_code == 401, (method, path)
    assert for_guests == GUEST_ROUTES


def test_a_guest_is_nobody_on_every_list_and_page_too(
    guest: Client, belongings: Belongings
) -> None:
    for address, route in LIST_ROUTES:
        for method in methods(route):
            if "schema" in address:
                continue
            form = [] if method == "get" else ["application/json"]
            answer = getattr(guest, method)(f"/{address}", {"space": belongings["space"]}, *form)
            is_theirs = address == "api/v1/conversations/" and method == "get"
            wanted = {200} if is_theirs else {401, 404, 405}
            assert answer.status_code in wanted, (method, address)
            assert SECRET not in answer.content.decode()
            assert belongings["conversation"] not in answer.content.decode()
    for address, _route in PAGE_ROUTES:
        what = next(kind for start, kind in PAGES.items() if address.startswith(start))
        path = filled(address, belongings, what)
        for method in ("get", "post"):
            answer = getattr(guest, method)(path)
            assert answer.status_code in {302, 401, 404, 405}, f"{method} {path}"
            assert answer.status_code != 302 or "/sign-in/" in answer["Location"]
    for path in ("/account/", "/memory/", "/admin/"):
        assert "sign-in" in guest.get(path)["Location"] or "login" in guest.get(path)["Location"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", SOCKETS)
async def test_a_guest_is_shown_out_of_every_socket_but_their_own(
    guest: Client, belongings: Belongings, address: str
) -> None:
    path = re.sub(r"<\w+:\w+>", belongings[SOCKETS[address]], address)
    cookie = f"acervo_session={guest.cookies['acervo_session'].value}".encode()
    headers = [(b"host", b"testserver"), (b"cookie", cookie)]
    socket = WebsocketCommunicator(application, f"/{path}", headers)
    await socket.connect(timeout=5)
    code = 4403 if address.startswith("ws/chat/") else 4401
    assert await socket.receive_output(5) == {"type": "websocket.close", "code": code}
