"""Whatever is one person's is nobody else's, on every route there is, and on those to come.

What there is, and on which routes: tests/support/belongings.py.
"""

import json
import re
import uuid
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from project.accounts.models import User
from project.accounts.ws import socket_token_create
from project.aio import in_thread
from project.asgi import application
from tests.conftest import Api
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

PERSONAL = frozenset({"episodes", "conversations", "messages", "turns"})


def test_a_stranger_meets_nothing_on_any_route(stranger_api: Api, belongings: Belongings) -> None:
    met = []
    for address, route in OBJECT_ROUTES:
        for method, path, body in calls(address, route, belongings):
            answer = getattr(stranger_api, method)(path, body)
            if answer.status_code != 404 or SECRET in answer.content.decode():
                met.append(f"{method} {address}: {answer.status_code} {answer.content[:80]!r}")
            else:
                assert answer.json()["error"]["code"] == "not_found"
    assert not met


def test_what_is_personal_is_not_for_colleagues_or_admins_either(
    teammate_api: Api, admin_user: User, belongings: Belongings
) -> None:
    met = [
        f"{method} {address}"
        for address, route in OBJECT_ROUTES
        if parts_of(address)[0] in PERSONAL
        for method, path, body in calls(address, route, belongings)
        for api in (teammate_api, Api(admin_user))
        if getattr(api, method)(path, body).status_code != 404
    ]
    assert not met


def test_nobody_is_told_to_sign_in(client: Client, belongings: Belongings) -> None:
    met = [
        f"{method} {address}"
        for address, route in OBJECT_ROUTES
        for method, path, _body in calls(address, route, belongings)
        if getattr(client, method)(path).status_code != 401
    ]
    assert not met


def test_a_stranger_opens_none_of_the_pages(
    client: Client, stranger: User, belongings: Belongings
) -> None:
    for address, _route in PAGE_ROUTES:
        what = next((kind for start, kind in PAGES.items() if address.startswith(start)), None)
        assert what, f"say in PAGES what {address} is about"
        path = filled(address, belongings, what)
        for method in ("get", "post"):
            client.logout()
            answer = getattr(client, method)(path)
            assert answer.status_code in {302, 401, 405}, f"nobody: {method} {path}"
            assert answer.status_code != 302 or "/sign-in/" in answer["Location"]
            client.force_login(stranger, "django.contrib.auth.backends.ModelBackend")
            answer = getattr(client, method)(path)
            assert answer.status_code in {404, 405}, f"{method} {path}"
            assert SECRET not in answer.content.decode()


def reaching(kind: str, belongings: Belongings) -> list[dict[str, Any]]:
    """Bodies with which a stranger reaches for the owner's things, by the list that takes them."""
    space, node = {"space": belongings["space"]}, {"title": "x", "content": "x"}
    ends = {"source": belongings["node"], "target": belongings["other"]}
    known: dict[str, list[dict[str, Any]]] = {
        "spaces": [],  # a space refers to nothing
        "nodes": [space | node],
        "nodes/bulk": [space | {"nodes": [node]}],
        "nodes/bulk-revert": [space | {"author": "stranger"}, space | {"job": belongings["job"]}],
        "relations": [ends],
        "kinds": [space | {"name": "x"}],
        "proposals": [
            space | {"title": "x"},
            {"title": "x", "changes": [{"node": belongings["node"], "content": "x"}]},
        ],
        "releases": [space | {"name": "x"}],
        "releases/import": [],  # multipart: below
        "uploads": [],  # multipart: below
        "imports": [space | {"url": "https://x.example/"}, space | {"git": "https://x.example/"}],
        "feeds": [space | {"name": "x", "connector": "url", "settings": {"url": "https://x.y/"}}],
        "feeds/probe": [
            scope | {"connector": "url", "settings": {"url": f"https://{SECRET}.example/"}}
            for scope in (space, {"feed": belongings["feed"]})
        ],
        "golden-questions": [{"question": SECRET, "nodes": [belongings["node"]]}],
        "evaluations": [space],
        "retrieval-profiles": [{"knobs": {}, "note": "x"}],
        "retrieval-profiles/roll-back": [space | {"reason": "x"}, {"reason": "x"}],
        "jobs/retry": [{"jobs": [belongings["job"]]}],
        "jobs/dismiss": [{"jobs": [belongings["job"]]}],
        "jobs/restore": [{"jobs": [belongings["job"]]}],
        "webhooks": [
            {
                "name": "x",
                "url": "https://x.example/",
                "types": ["knowledge.node.created"],
                "spaces": [belongings["space"]],
            }
        ],
        "synthesis": [space | {"topic": SECRET}, {"topic": SECRET}],
        "chunk-preview": [{"node": belongings["node"]}, space | {"text": "x"}],
        "index-generations": [space, space | {"switching": "automatic"}],
        "search/why-not": [{"query": SECRET, "node": belongings["node"]}],
        "search": [
            {"query": SECRET, "mode": mode, **scope}
            for mode in ("hybrid", "keyword", "vector", "graph")
            for scope in ({}, space, {"spaces": [belongings["space"]]})
        ],
        "episodes": [space | {"session": "s", "content": "c"}],
        "episodes/bulk": [{"episodes": [space | {"session": "s", "content": "c"}]}],
        "recall": [{"query": SECRET, "limit": 10}],
        "conversations": [space],
        "ws-tokens": [],  # a token is the caller's own
    }
    return known[kind]


def test_no_list_and_no_search_shows_or_takes_what_is_not_theirs(
    stranger_api: Api, belongings: Belongings
) -> None:
    for address, route in LIST_ROUTES:
        path, taken = f"/{address}", methods(route)
        if "get" in taken:
            text = stranger_api.get(path).content.decode()
            assert not [name for name, pk in belongings.items() if pk in text], path
            assert SECRET not in text
        if "post" not in taken or "schema" in address:
            continue
        for body in reaching(parts_of(address)[1], belongings):
            answer = stranger_api.post(path, body)
            assert answer.status_code in {200, 400, 404}, (path, body, answer.content)
            if answer.status_code == 200:
                found = answer.json()
                assert found.get("results", found.get("sources", found.get("done"))) == []


@pytest.mark.parametrize("path", ["uploads", "releases/import"])
def test_a_stranger_uploads_nothing_into_a_space(
    stranger_api: Api, belongings: Belongings, path: str
) -> None:
    body = {"space": belongings["space"], "file": SimpleUploadedFile("x.md", b"x")}
    answer = stranger_api.post(f"/api/v1/{path}/", body, format="multipart")
    assert answer.status_code == 404


async def heard(path: str, user: User, *frames: dict[str, Any]) -> list[dict[str, Any]]:
    """What a socket says to a user until it closes or has answered every frame."""
    token = socket_token_create(acting_user=user, key=None)
    headers = [(b"host", b"testserver")]
    socket = WebsocketCommunicator(application, f"/{path}?token={token}", headers)
    await socket.connect(timeout=5)
    outputs = []
    for frame in frames or ({},):
        if frame:
            await socket.send_to(text_data=json.dumps(frame))
        outputs.append(await socket.receive_output(5))
    await socket.disconnect()
    return outputs


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", SOCKETS)
async def test_a_stranger_is_shown_out_of_every_socket(
    stranger: User, belongings: Belongings, address: str
) -> None:
    name = SOCKETS[address]
    path = re.sub(r"<\w+:\w+>", belongings[name], address)
    for each in (path, path.replace(belongings[name], str(uuid.uuid4()))):
        assert await heard(each, stranger) == [{"type": "websocket.close", "code": 4403}]


@pytest.mark.django_db(transaction=True)
async def test_a_turn_of_elsewhere_is_not_followed_or_stopped_from_ones_own_socket(
    stranger: User, stranger_api: Api, belongings: Belongings
) -> None:
    own = (await in_thread(stranger_api.post, "/api/v1/conversations/", {})).json()["id"]
    turn = belongings["turn"]
    frames: list[dict[str, Any]] = [
        {"type": "turn.resume", "turn": turn, "after": 0},
        {"type": "turn.stop", "turn": turn},
    ]
    frames.append(
        {
            "type": "message.send",
            "client_message_id": "2",
            "content": "Where?",
            "parent": belongings["message"],
        }
    )
    for output in await heard(f"ws/chat/{own}/", stranger, *frames):
        assert json.loads(output["text"])["type"] == "error"
        assert SECRET not in output["text"]
