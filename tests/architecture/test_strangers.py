"""Whatever is one person's is nobody else's, on every route there is, and on those to come.

The routes are taken from the resolver: a new one must be named here, or the tests say so.
"""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from chat.models import Handoff, Share
from chat.routing import websocket_urlpatterns as chat_sockets
from knowledge.choices import Visibility
from knowledge.models import RelationSuggestion, Space
from knowledge.routing import websocket_urlpatterns as job_sockets
from project.accounts.models import User
from project.accounts.ws import socket_token_create
from project.aio import in_thread
from project.asgi import application
from tests.conftest import Api

SECRET = "saltmarsh"
Belongings = dict[str, str]

# What the parameter of a route stands for, by the first part of its address.
OBJECTS = {
    "spaces": "space",
    "nodes": "node",
    "relations": "relation",
    "relation-suggestions": "suggestion",
    "sources": "source",
    "jobs": "job",
    "index-generations": "generation",
    "kinds": "kind",
    "kind-migrations": "migration",
    "golden-questions": "golden",
    "evaluations": "evaluation",
    "retrieval-profiles": "profile",
    "proposals": "proposal",
    "releases": "release",
    "feeds": "feed",
    "feed-runs": "run",
    "episodes": "episode",
    "conversations": "conversation",
    "handoffs": "handoff",
    "messages": "message",
    "turns": "turn",
    "webhooks": "webhook",
}
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
PERSONAL = frozenset({"episodes", "conversations", "messages", "turns"})
PAGES = {
    "knowledge/nodes/": "node",
    "knowledge/sources/": "source",
    "c/": "conversation",
    "shared/": "share",
    "p/": "proposal",
    "memory/": "episode",
}
WORDS = {"number": "1", "name": "board"}  # parameters that are no ids
BODIES: dict[str, dict[str, Any]] = {
    "kinds/migrations": {"schema": {}, "steps": []},
    "conversations/messages": {"content": "Where?", "client_message_id": "stranger"},
    "messages/feedback": {"value": 1},
    "nodes/erase": {"reason": "Order"},
    "nodes/revert": {"version": 1},
    "nodes/snooze": {"code": "orphan", "until": None},
    "nodes/versions/tags": {"name": "board"},
    "proposals/comments": {"body": "Why?"},
    "proposals/conflicts/suggest": {"conflict": "text-0"},
    "proposals/reviewers": {"reviewers": []},
}


def routes(resolver: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in (resolver or get_resolver()).url_patterns:
        address = before + str(each.pattern).removeprefix("^").removesuffix("$")
        if isinstance(each, URLResolver):
            if address != "admin/":
                yield from routes(each, address)
        else:
            yield address, each


def parameters(address: str) -> list[str]:
    return re.findall(r"\(\?P<\w+>[^)]*\)|<\w+:\w+>", address)


def methods(route: URLPattern) -> list[str]:
    """Every method that a view set takes; of any other view the usual two."""
    actions = getattr(route.callback, "actions", None) or {"get": "", "post": ""}
    return sorted(set(actions) - {"head"})


OBJECT_ROUTES = [
    (address, route)
    for address, route in routes()
    if address.startswith("api/v1/") and parameters(address)
]
PAGE_ROUTES = [
    (address, route)
    for address, route in routes()
    if not address.startswith("api/") and parameters(address)
]
LIST_ROUTES = [
    (address, route)
    for address, route in routes()
    if address.startswith("api/v1/") and not parameters(address)
]


def parts_of(address: str) -> tuple[str, str]:
    """The kind of object of a route of the API, and that with its last word, as BODIES has it."""
    kind, *rest = re.sub(r"\(\?P<\w+>[^)]*\)", "", address).removeprefix("api/v1/").split("/")
    return kind, "/".join([kind, *filter(None, rest)])


def filled(address: str, belongings: Belongings, what: str) -> str:
    for parameter in parameters(address):
        name = re.sub(r"\(\?P<(\w+)>.*|<\w+:(\w+)>", r"\1\2", parameter)
        value = WORDS.get(name) or belongings[what if name == "pk" else name]
        address = address.replace(parameter, value)
    return f"/{address}"


@pytest.fixture
def belongings(api: Api, space: Space) -> Belongings:
    """One of everything, of the owner's; each holds the secret word."""

    def made(path: str, **body: Any) -> Any:
        answer = api.post(f"/api/v1/{path}/", body)
        assert answer.status_code < 300, answer.json()
        return answer.json()

    file = SimpleUploadedFile(f"{SECRET}.md", f"# {SECRET}".encode())
    upload = api.post(
        "/api/v1/uploads/", {"space": str(space.pk), "file": file}, format="multipart"
    ).json()
    node = {"space": str(space.pk), "content": SECRET, "status": "published"}
    nodes = [made("nodes", title=f"{SECRET} {number}", **node)["id"] for number in range(2)]
    edit = {"node": nodes[0], "content": f"{SECRET} again"}
    proposal = made("proposals", title=SECRET, space=str(space.pk), changes=[edit])
    kind = made("kinds", space=str(space.pk), name=SECRET)["id"]
    place = {"connector": "url", "settings": {"url": f"https://{SECRET}.example/"}}
    feed = made("feeds", space=str(space.pk), name=SECRET, interval_minutes=0, **place)["id"]
    suggestion = RelationSuggestion.objects.create(
        space=space, source_id=nodes[0], target_id=nodes[1], score=0.9
    )
    hook = {"url": f"https://{SECRET}.example/", "types": ["knowledge.node.created"]}
    webhook = made("webhooks", name=SECRET, **hook)["id"]
    conversation = made("conversations", title=SECRET, space=str(space.pk))["id"]
    sent = made(f"conversations/{conversation}/messages", content=SECRET, client_message_id="1")
    share = Share.objects.create(
        conversation_id=conversation, space=space, leaf_id=sent["message"]["id"]
    )
    asking = made("conversations", title=SECRET, space=str(space.pk))["id"]
    handoff = Handoff.objects.create(
        conversation_id=asking, space=space, queue="en", origin="api", reason=SECRET
    )
    attached = api.post(
        f"/api/v1/conversations/{conversation}/attachments/",
        {"file": SimpleUploadedFile(f"{SECRET}.md", f"# {SECRET}".encode())},
        format="multipart",
    ).json()
    return {
        "attachment": attached["id"],
        "space": str(space.pk),
        "node": nodes[0],
        "other": nodes[1],
        "relation": made("relations", source=nodes[0], target=nodes[1])["id"],
        "suggestion": str(suggestion.pk),
        "source": upload["source"]["id"],
        "job": upload["job"]["id"],
        "kind": kind,
        "migration": made(f"kinds/{kind}/migrations", schema={"title": SECRET})["id"],
        "golden": made("golden-questions", question=f"{SECRET}?", nodes=nodes)["id"],
        "evaluation": made("evaluations", space=str(space.pk))["id"],
        "generation": made("index-generations", space=str(space.pk))["id"],
        "profile": made("retrieval-profiles", knobs={}, note=SECRET)["id"],
        "proposal": proposal["id"],
        "feed": feed,
        "run": made(f"feeds/{feed}/sync")["run"]["id"],
        "release": made("releases", space=str(space.pk), name=SECRET)["id"],
        "change": proposal["changes"][0]["id"],
        "comment": made(f"proposals/{proposal['id']}/comments", body=SECRET)["id"],
        "episode": made("episodes", session=SECRET, content=SECRET)["id"],
        "webhook": webhook,
        "delivery": made(f"webhooks/{webhook}/test")["id"],
        "conversation": conversation,
        "share": str(share.pk),
        "handoff": str(handoff.pk),
        "message": sent["message"]["id"],
        "turn": sent["turn"]["id"],
    }


def calls(
    address: str, route: URLPattern, belongings: Belongings
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every call that a route of the API takes: method, path, body."""
    kind, words = parts_of(address)
    assert kind in OBJECTS, f"say in OBJECTS what {address} is about"
    path = filled(address, belongings, OBJECTS[kind])
    for method in methods(route):
        yield method, path, BODIES.get(words, {})


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


SOCKETS = {
    str(each.pattern): name
    for each in [*chat_sockets, *job_sockets]
    for name in each.pattern.converters
}


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
