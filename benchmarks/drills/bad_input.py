"""Bad input to every route: never a 500, always the error envelope, and it answers afterwards."""

import contextlib
import json
import socket
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.drills.acts import Row, Verdict, ask, turn_ended
from benchmarks.drills.stage import Installation

DEEP = "[" * 200_000 + "]" * 200_000
LONG_DIGITS = "9" * 5000
CURSORS = (
    "garbage",
    "cD1nYXJiYWdl",  # p=garbage
    "cD0yMDI2LTAxLTAx",  # p=2026-01-01
    "bz0tMQ==",  # o=-1
    "bz05OTk5OTk5OTk5OTk5OTk5OTk5OTk5",  # o=999...
    "cj0xJnA9AAA=",  # r=1&p=NUL NUL
    "cD0wMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5",  # p=0001-01-01T00:00:00+23:59
    "//8=",
    "é",
)
TEXTS: tuple[Any, ...] = (
    "a\x00b",
    "\ud800",
    "x" * 3_000_000,
    "\u202e\u200b\ufeff",
    "",
    " ",
    None,
    7,
    1e999,
    True,
    [],
    {},
    ["a"],
    {"a": "b"},
    {"a\x00": "b\x00"},
    {"a": {"b": ["\x00"]}},
    {"a": float("inf")},
    {"a": "\ud83d"},
    {"a": 10**400},
    -1,
    2**31,
    2**63,
    10**30,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-13-45",
    ["a\x00"],
    ["\ud800"],
    [None],
    [[]],
    [2**70],
    str(uuid.UUID(int=0)),
)


@dataclass
class Tried:
    """What was sent and what came of it; only faults are kept."""

    http: httpx.Client
    count: int = 0
    faults: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, **request: Any) -> httpx.Response | None:
        """Send, and note an answer that is none of a careful server."""
        self.count += 1
        name = f"{method} {path[:120]} {str(request)[:160]}"
        try:
            answer = self.http.request(method, path, **request)
        except httpx.HTTPError as error:
            self._fault(f"{name}: {type(error).__name__}")
            return None
        if answer.status_code >= 500:
            self._fault(f"{name}: {answer.status_code} {answer.text[:200]}")
        elif answer.status_code >= 400 and not _is_envelope(answer):
            self._fault(f"{name}: {answer.status_code} without envelope {answer.text[:120]}")
        return answer

    def _fault(self, text: str) -> None:
        self.faults.append(text)
        print(f"FAULT {text}", flush=True)


def _is_envelope(answer: httpx.Response) -> bool:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return False
    return {"code", "message", "request_id"} <= set(error) and "Traceback" not in answer.text


def main() -> int:
    """Run the drill."""
    verdict = Verdict("Bad input")
    with Installation() as acervo, acervo.client(seconds=60) as http:
        known = _known(http)
        tried = Tried(http)
        groups = {
            "fields of bodies": _fields,
            "bodies that are no objects": _bodies,
            "query parameters": _queries,
            "addresses and headers": _addresses,
            "uploads": _uploads,
        }
        for name, group in groups.items():
            before, seen = tried.count, len(tried.faults)
            group(tried, known)
            new = tried.faults[seen:]
            verdict.check(f"{name}: {tried.count - before} tries", not new, new[:2])
        raw = list(_raw(acervo))
        verdict.check("broken HTTP: no 500", not raw, raw)
        taken, status = _endless(acervo)
        seen = f"{taken} MB taken, then {status!r}"
        verdict.check(
            "an endless body of nobody is refused", taken < 60 and b" 413" in status, seen
        )
        sent = ask(http, "Is anybody there?", None)
        turn = turn_ended(http, sent["turn"]["id"])
        verdict.check("it answers afterwards", turn["status"] == "completed", turn["status"])
        faults = acervo.log_lines("request_failed", "Internal Server Error", "Traceback")
        verdict.check("no fault of ours in the log", not faults, faults[:3])
    return verdict.finish()


def _known(http: httpx.Client) -> Row:
    """Make one of each object."""
    body = {"title": "One", "content": "Some text.", "status": "published"}
    node = http.post("/api/v1/nodes/", json=body).json()
    other = http.post("/api/v1/nodes/", json=body | {"title": "Other"}).json()
    conversation = http.post("/api/v1/conversations/", json={}).json()
    sent = ask(http, "What is one?", conversation["id"])
    turn_ended(http, sent["turn"]["id"])
    return {
        "space": node["space"],
        "node": node["id"],
        "other": other["id"],
        "conversation": conversation["id"],
        "message": sent["message"]["id"],
        "turn": sent["turn"]["id"],
    }


def _writes(known: Row) -> dict[tuple[str, str], Row]:
    """Return a good body of every write."""
    id_ = uuid.uuid4().hex
    return {
        ("POST", "/spaces/"): {"name": f"S {id_}"},
        ("PATCH", f"/spaces/{known['space']}/"): {"description": "d"},
        ("POST", "/nodes/"): {"title": "t", "content": "c", "status": "draft"},
        ("PATCH", f"/nodes/{known['node']}/"): {"title": "t"},
        ("POST", "/nodes/bulk/"): {"nodes": [{"title": "t", "content": "c"}]},
        ("POST", f"/nodes/{known['node']}/revert/"): {"version": 1, "reason": "r"},
        ("POST", "/relations/"): {"source": known["node"], "target": known["other"]},
        ("POST", "/search/"): {"query": "one"},
        ("POST", "/episodes/"): {"session": "s", "content": "c"},
        ("POST", "/episodes/bulk/"): {"episodes": [{"session": "s", "content": "c"}]},
        ("POST", "/recall/"): {"query": "one", "limit": 3},
        ("POST", "/conversations/"): {"title": "t"},
        ("PATCH", f"/conversations/{known['conversation']}/"): {"title": "t"},
        ("POST", f"/conversations/{known['conversation']}/messages/"): {
            "content": "c",
            "client_message_id": id_,
        },
        ("POST", f"/messages/{known['message']}/regenerate/"): {},
        ("POST", f"/messages/{known['message']}/feedback/"): {"value": 1},
        ("POST", f"/turns/{known['turn']}/stop/"): {},
        ("POST", "/ws-tokens/"): {},
    }


OPTIONAL = {
    "/spaces/": "slug description visibility language suggested_questions",
    "/nodes/": "space kind content language tags metadata status valid_from valid_until"
    " review_due external_id reason",
    "/relations/": "kind weight metadata status",
    "/search/": "limit space spaces kinds tags language created_after created_before metadata mode"
    " min_score as_of release explain external_ids",
    "/episodes/": "occurred_at context tags importance subject external_id space",
    "/recall/": "session subject kinds explain from to",
    "/conversations/": "space model_tier",
    "/messages/": "parent reason",
}


def _fields(tried: Tried, known: Row) -> None:
    for (method, path), good in _writes(known).items():
        more = next((v for k, v in OPTIONAL.items() if path.startswith(k)), "").split()
        if path.endswith("/messages/"):
            more = ["parent"]
        for name in [*good, *more, "no_such_field"]:
            for value in TEXTS:
                _send_json(tried, method, path, good | {name: value})
        if path.endswith("/bulk/"):
            _rows_of_bulk(tried, path)


def _rows_of_bulk(tried: Tried, path: str) -> None:
    outer = "nodes" if "nodes" in path else "episodes"
    inner = {"title": "t", "content": "c"} if outer == "nodes" else {"session": "s", "content": "c"}
    for name in [*inner, "metadata", "tags", "context", "external_id", "occurred_at", "x"]:
        for value in TEXTS:
            _send_json(tried, "POST", path, {outer: [inner | {name: value}]})


def _send_json(tried: Tried, method: str, path: str, body: Row) -> None:
    raw = json.dumps(body)  # with NaN, Infinity and lone surrogates, as careless clients send them
    headers = {"Content-Type": "application/json"}
    tried.send(method, f"/api/v1{path}", content=raw.encode(), headers=headers)


def _bodies(tried: Tried, known: Row) -> None:
    bodies = (
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b'{"a": 1',
        b"\xff\xfe\x00",
        b'{"title": "\xff"}',
        b"{}",
        DEEP.encode(),
        ('{"metadata": ' + '{"a":' * 3000 + "1" + "}" * 3000 + "}").encode(),
        b'{"title": NaN}',
        b'{"limit": ' + LONG_DIGITS.encode() + b"}",
        b'{"query": "a", "limit": 1e400}',
        b'{"title": "a", "title": "b"}',
        b" " * 21_000_000,
    )
    kinds = ("application/json", "text/plain", "multipart/form-data", "x/y; charset=q", "")
    for method, path in _writes(known):
        for body in bodies:
            headers = {"Content-Type": "application/json"}
            tried.send(method, f"/api/v1{path}", content=body, headers=headers)
        for kind in kinds:
            tried.send(method, f"/api/v1{path}", content=b"{}", headers={"Content-Type": kind})
        headers = {"Content-Type": "application/json", "Idempotency-Key": "é" * 3}
        headers["Idempotency-Key"] = "a b\tc"
        tried.send(method, f"/api/v1{path}", content=b"{}", headers=headers)
        keyed = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        for body in (b"\xff", DEEP.encode(), b" " * 21_000_000):
            tried.send(method, f"/api/v1{path}", content=body, headers=keyed)


def _queries(tried: Tried, known: Row) -> None:
    lists = ["spaces", "nodes", "relations", "sources", "jobs", "episodes", "conversations"]
    lists += [f"nodes/{known['node']}/versions", f"conversations/{known['conversation']}/messages"]
    limits = ("0", "-1", "201", "abc", "1.5", "", LONG_DIGITS, "%00", "²", "1e3")
    for path in lists:
        for limit in limits:
            tried.send("GET", f"/api/v1/{path}/?limit={limit}")
        for cursor in CURSORS:
            tried.send("GET", f"/api/v1/{path}/", params={"cursor": cursor})
        for name in ("space", "status", "kind", "tag", "source", "session", "before", "language"):
            for value in ("%00", "x", "%ff", "a" * 4000, ""):
                tried.send("GET", f"/api/v1/{path}/?{name}={value}")
    numbers = ("-1", "0", "4", "abc", "", LONG_DIGITS, "1e999", "nan", "inf", "%00", "²", "9" * 9)
    for number in numbers:
        for name in ("depth", "limit"):
            tried.send("GET", f"/api/v1/nodes/{known['node']}/graph/?{name}={number}")
        for name in ("after", "wait"):
            tried.send("GET", f"/api/v1/turns/{known['turn']}/poll/?wait=0&{name}={number}")
        tried.send("GET", f"/api/v1/turns/{known['turn']}/events/?after={number}")
        tried.send("GET", f"/api/v1/nodes/{known['node']}/diff/?from={number}&to=1")
        tried.send("GET", f"/api/v1/nodes/{known['node']}/versions/{number}/")


def _addresses(tried: Tried, known: Row) -> None:
    for name in ("nodes", "spaces", "turns", "conversations", "messages", "jobs", "sources"):
        for pk in ("x", "%00", "..%2f..", "a" * 3000, str(uuid.uuid4()), "%ff", "-", "1"):
            tried.send("GET", f"/api/v1/{name}/{pk}/")
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "POST", "TRACE"):
            tried.send(method, f"/api/v1/{name}/{uuid.uuid4()}/")
    node = f"/api/v1/nodes/{known['node']}/"
    for value in ("x", '"x"', LONG_DIGITS, f'"{LONG_DIGITS}"', '"0"', '"-1"', "*", '"1", "2"'):
        tried.send("PATCH", node, json={"title": "t"}, headers={"If-Match": value})
    for value in ("Bearer", "Bearer x", "Basic eDp5", "Bearer " + "x" * 5000, "x" * 100):
        tried.send("GET", node, headers={"Authorization": value})
    for value in ("x" * 300, "a b", "<script>", "../../etc"):
        tried.send("GET", node, headers={"X-Request-ID": value})
    for value in ("text/html", "application/xml", "*/*;q=nan", "x"):
        tried.send("GET", node, headers={"Accept": value})
    for value in ("-1", "abc", LONG_DIGITS, "1e5"):
        address = f"/api/v1/turns/{known['turn']}/events/"
        tried.send("GET", address, headers={"Last-Event-ID": value})
    for value in ("xx", "pt-br;q=abc", "x" * 600, "*"):
        tried.send("GET", node, headers={"Accept-Language": value})


def _uploads(tried: Tried, known: Row) -> None:
    path = "/api/v1/uploads/"
    names = (
        "",
        "../../x.md",
        "a\x00.md",
        "a" * 400 + ".md",
        "x",
        ".md",
        "é 🙂.md",
        "x.exe",
        "\r\n",
    )
    contents = (b"", b"\x00" * 100, b"# A\x00B\n\ntext", b"\xff\xfe", b"a" * 3_000_000)
    for name in names:
        tried.send("POST", path, files={"file": (name, b"# Title\n\ntext", "text/markdown")})
    for kind in ("md", "txt", "html", "pdf", "docx", "xlsx", "json", "csv", "zip"):
        for content in contents:
            tried.send("POST", path, files={"file": (f"x.{kind}", content)})
    for name in ("space", "title", "tags", "language", "nothing"):
        for value in ("a\x00b", "x" * 5000, "", "é", "," * 200, ",".join(["t"] * 80)):
            tried.send("POST", path, files={"file": ("x.md", b"text")}, data={name: value})
    tried.send("POST", path, data={"title": "no file"})
    tried.send("POST", path, json={"file": "x"})
    tried.send("POST", path, data={f"f{n}": "x" for n in range(1500)}, files={"file": b"x"})
    bad = {"Content-Type": "multipart/form-data; boundary=" + "x" * 500}
    tried.send("POST", path, content=b"--x\r\n", headers=bad)
    for key in ("", "; boundary=b"):
        headers = {"Content-Type": f"multipart/form-data{key}", "Idempotency-Key": uuid.uuid4().hex}
        tried.send("POST", path, content=b"--b\r\nContent-Disposition: x", headers=headers)


def _raw(acervo: Installation) -> Iterator[str]:
    """Yield what came back on requests that no client library would send, if it was a 500."""
    auth = f"Host: 127.0.0.1:{acervo.port}\r\nAuthorization: Bearer {acervo.key}\r\n"
    post = "POST /api/v1/nodes/ HTTP/1.1\r\n" + auth + "Content-Type: application/json\r\n"
    requests = (
        "GET /api/v1/nodes/ HTTP/1.1\r\n\r\n",
        "GET /api/v1/nodes/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /api/v1/nodes/ HTTP/1.1\r\nHost: a b\r\n\r\n",
        f"GET /{'a' * 70_000} HTTP/1.1\r\n{auth}\r\n",
        "\x16\x03\x01\r\n\r\n",
        post + "Content-Length: 10\r\n\r\n{",  # and then goes away
        post + "Content-Length: abc\r\n\r\n{}",
        post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        post + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        f"GET /api/v1/nodes/?tag=%F0%9F HTTP/1.1\r\n{auth}\r\n",
        f"GET /knowledge/?q=%00&page=x&space=%ff HTTP/1.1\r\n{auth}\r\n",
    )
    for request in requests:
        with socket.create_connection(("127.0.0.1", acervo.port), timeout=10) as wire:
            wire.sendall(request.encode("latin-1"))
            wire.shutdown(socket.SHUT_WR)
            answer = b""
            with contextlib.suppress(OSError):
                while part := wire.recv(65536):
                    answer += part
                    if len(answer) > 100_000:
                        break
        status = answer.split(b"\r\n", 1)[0]
        if b" 50" in status:
            yield f"{request[:60]!r}: {status!r} {answer[-200:]!r}"


def _endless(acervo: Installation) -> tuple[int, bytes]:
    """Send a body without an end, unsigned; return the megabytes taken and the status line."""
    head = "POST /api/v1/nodes/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    part = b"%x\r\n%b\r\n" % (2**20, b"x" * 2**20)
    taken, status = 0, b""
    with socket.create_connection(("127.0.0.1", acervo.port), timeout=20) as wire:
        wire.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while taken < 300:
                wire.sendall(part)
                taken += 1
        with contextlib.suppress(OSError):
            status = wire.recv(200).split(b"\r\n", 1)[0]
    return taken, status


if __name__ == "__main__":
    sys.exit(main())
