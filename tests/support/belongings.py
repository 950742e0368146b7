"""One of everything that somebody may own, and every route on which others may reach for it.

The routes are taken from the resolver: a new one must be named here, or the tests say so.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver

from chat.models import Handoff, Share
from chat.routing import websocket_urlpatterns as chat_sockets
from knowledge.models import RelationSuggestion, Space
from knowledge.routing import websocket_urlpatterns as job_sockets
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


SOCKETS = {
    str(each.pattern): name
    for each in [*chat_sockets, *job_sockets]
    for name in each.pattern.converters
}


def belongings_made(api: Api, space: Space) -> Belongings:
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
