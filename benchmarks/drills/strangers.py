"""Another person's key, on every route of the OpenAPI schema and every socket: 404 and 4403."""

import asyncio
import json
import re
import sys
import uuid
from typing import Any

import httpx
import websockets

from benchmarks.drills.acts import Row, Verdict, everything, turn_ended
from benchmarks.drills.stage import Installation

SECRET = "saltmarsh"
OBJECTS = {
    "spaces": "space",
    "nodes": "node",
    "relations": "relation",
    "sources": "source",
    "jobs": "job",
    "episodes": "episode",
    "conversations": "conversation",
    "messages": "message",
    "turns": "turn",
}
METHODS = ("get", "post", "put", "patch", "delete")
BODIES: dict[str, Row] = {
    "/conversations/{id}/messages/": {"content": "x", "client_message_id": "x"},
    "/messages/{id}/feedback/": {"value": 1},
    "/nodes/{id}/revert/": {"version": 1},
}


def main() -> int:
    """Run the drill."""
    verdict = Verdict("A stranger")
    with Installation() as acervo, acervo.client() as http:
        mine = _belongings(http)
        key = acervo.make_user("mallory")
        with acervo.client(key) as stranger:
            schema = stranger.get("/api/v1/schema/", params={"format": "json"})
            if schema.status_code != 200:
                schema = http.get("/api/v1/schema/", params={"format": "json"})
            _routes(stranger, verdict, _paths(schema), mine)
            _lists(stranger, verdict, mine)
            _pages(acervo, verdict, mine)
        asyncio.run(_sockets(acervo, verdict, mine, key))
        _unharmed(http, verdict, mine)
    return verdict.finish()


def _paths(schema: httpx.Response) -> dict[str, list[str]]:
    """Return the routes with a parameter, and their methods."""
    try:
        paths = schema.json()["paths"]
    except ValueError:
        import yaml

        paths = yaml.safe_load(schema.text)["paths"]
    return {
        path: [method for method in METHODS if method in calls]
        for path, calls in paths.items()
        if "{" in path
    }


def _belongings(http: httpx.Client) -> Row:
    """Make one of everything in a space of members; each holds the secret word."""

    def made(path: str, **body: Any) -> Row:
        answer = http.post(f"/api/v1/{path}/", json=body)
        answer.raise_for_status()
        return dict(answer.json())

    space = made("spaces", name=SECRET, visibility="members")["id"]
    file = {"file": (f"{SECRET}.md", f"# {SECRET}\n\nDeep in the {SECRET}.".encode())}
    upload = http.post("/api/v1/uploads/", files=file, data={"space": space}).json()
    node = {"space": space, "content": f"The {SECRET} floods.", "status": "published"}
    nodes = [made("nodes", title=f"{SECRET} {number}", **node)["id"] for number in range(2)]
    conversation = made("conversations", title=SECRET, space=space)["id"]
    body = {"content": f"When does the {SECRET} flood?", "client_message_id": "1"}
    sent = made(f"conversations/{conversation}/messages", **body)
    turn_ended(http, sent["turn"]["id"])
    return {
        "space": space,
        "node": nodes[0],
        "other": nodes[1],
        "relation": made("relations", source=nodes[0], target=nodes[1])["id"],
        "source": upload["source"]["id"],
        "job": upload["job"]["id"],
        "episode": made("episodes", session=SECRET, content=SECRET)["id"],
        "conversation": conversation,
        "message": sent["message"]["id"],
        "turn": sent["turn"]["id"],
    }


def _routes(
    stranger: httpx.Client, verdict: Verdict, paths: dict[str, list[str]], mine: Row
) -> None:
    unknown, met, count = [], [], 0
    for path, methods in paths.items():
        kind = path.removeprefix("/api/v1/").split("/")[0]
        if kind not in OBJECTS:
            unknown.append(path)
            continue
        address = re.sub(r"\{number\}", "1", path)
        address = re.sub(r"\{\w+\}", mine[OBJECTS[kind]], address)
        body = BODIES.get(re.sub(r"\{\w+\}", "{id}", path.removeprefix("/api/v1")), {})
        for method in methods:
            sent = None if method in {"get", "delete"} else body
            answer = stranger.request(method.upper(), address, json=sent)
            count += 1
            if answer.status_code != 404 or SECRET in answer.text:
                met.append(f"{method} {path}: {answer.status_code} {answer.text[:100]}")
    verdict.check(f"{count} calls of {len(paths)} routes are 404", not met, met)
    verdict.check("every route of the schema is known to this drill", not unknown, unknown)


def _lists(stranger: httpx.Client, verdict: Verdict, mine: Row) -> None:
    shown = [
        f"{kind}: {name}"
        for kind in OBJECTS
        if kind not in {"messages", "turns"}
        for name, pk in mine.items()
        if pk in json.dumps(everything(stranger, f"/api/v1/{kind}/"))
    ]
    verdict.check("no list shows anything", not shown, shown)
    space = {"space": mine["space"]}
    tries = {
        "search": {"query": SECRET},
        "search of the space": {"query": SECRET, **space},
        "recall": {"query": SECRET, "limit": 10},
    }
    for name, body in tries.items():
        answer = stranger.post(f"/api/v1/{name.split()[0]}/", json=body)
        nothing = answer.status_code == 404 or answer.json()["results"] == []
        verdict.check(f"{name} finds nothing", nothing, answer.text)
    writes = {
        "nodes": space | {"title": "x"},
        "nodes/bulk": space | {"nodes": [{"title": "x"}]},
        "relations": {"source": mine["node"], "target": mine["other"]},
        "conversations": space,
        "episodes": space | {"session": "x", "content": "x"},
    }
    for path, body in writes.items():
        answer = stranger.post(f"/api/v1/{path}/", json=body)
        verdict.check(f"POST {path} into the space: 404", answer.status_code == 404, answer.text)
    file = {"file": ("x.md", b"x")}
    answer = stranger.post("/api/v1/uploads/", files=file, data=space)
    verdict.check("POST uploads into the space: 404", answer.status_code == 404, answer.text)
    own = stranger.post("/api/v1/conversations/", json={}).json()["id"]
    body = {"content": f"When does the {SECRET} flood?", "client_message_id": "1"}
    sent = stranger.post(f"/api/v1/conversations/{own}/messages/", json=body).json()
    turn = turn_ended(stranger, sent["turn"]["id"])
    leaked = "floods" in (turn["answer"] or "") or turn["citations"]
    verdict.check("a question of their own is answered without it", not leaked, turn["answer"])


def _pages(acervo: Installation, verdict: Verdict, mine: Row) -> None:
    pages = (
        f"/knowledge/nodes/{mine['node']}/",
        f"/knowledge/nodes/{mine['node']}/?version=1&start=0&end=5",
        f"/knowledge/nodes/{mine['node']}/passage/?version=1&start=0&end=5",
        f"/knowledge/sources/{mine['source']}/file/",
        f"/c/{mine['conversation']}/",
        f"/c/{mine['conversation']}/earlier/",
        f"/c/{mine['conversation']}/turns/{mine['turn']}/",
    )
    with httpx.Client(base_url=acervo.url, follow_redirects=False, timeout=30) as browser:
        for page in pages:
            answer = browser.get(page)
            turned = answer.status_code in {302, 401} and SECRET not in answer.text
            verdict.check(f"nobody at {page[:24]}…: sign in", turned, answer.status_code)
        where = browser.get("/c/").headers["Location"]
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get(where).text)
        form = {"username": "mallory", "password": acervo.password}
        form["csrfmiddlewaretoken"] = found.group(1) if found else ""
        browser.post(where, data=form, headers={"Referer": acervo.url + where})
        verdict.check("the stranger is signed in", browser.get("/").status_code == 200)
        for page in pages:
            answer = browser.get(page)
            none = answer.status_code == 404 and SECRET not in answer.text
            verdict.check(f"the stranger at {page[:24]}…: 404", none, answer.status_code)
        answer = browser.get(f"/knowledge/?q={SECRET}")
        verdict.check("browsing shows nothing", mine["node"] not in answer.text)
        answer = browser.get("/admin/")
        verdict.check("no admin", answer.status_code in {302, 403, 404}, answer.status_code)


async def _sockets(acervo: Installation, verdict: Verdict, mine: Row, key: str) -> None:
    for path in (f"/ws/chat/{mine['conversation']}/", f"/ws/jobs/{mine['job']}/"):
        seen = None
        async with acervo.socket(path, key) as socket:
            try:
                async with asyncio.timeout(10):
                    seen = await socket.recv()
            except websockets.ConnectionClosed as error:
                seen = error.rcvd.code if error.rcvd else None
        verdict.check(f"{path[:9]}…: 4403", seen == 4403, seen)
    async with acervo.async_client(key) as http:
        own = (await http.post("/api/v1/conversations/", json={})).json()["id"]
    async with acervo.socket(f"/ws/chat/{own}/", key) as socket:
        for kind in ("turn.resume", "turn.stop"):
            await socket.send(json.dumps({"type": kind, "turn": mine["turn"], "after": 0}))
            event = json.loads(await asyncio.wait_for(socket.recv(), 10))
            verdict.check(f"{kind} of another's turn: an error", event["type"] == "error", event)


def _unharmed(http: httpx.Client, verdict: Verdict, mine: Row) -> None:
    lost = [
        kind
        for kind, name in OBJECTS.items()
        if http.get(f"/api/v1/{kind}/{mine[name]}/").status_code != 200
    ]
    verdict.check("everything of the owner is still there", not lost, lost)
    absent = uuid.uuid4()
    mine_404 = http.get(f"/api/v1/nodes/{absent}/").json()["error"]
    verdict.check("absent and not yours look alike", mine_404["code"] == "not_found", mine_404)


if __name__ == "__main__":
    sys.exit(main())
