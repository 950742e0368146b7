"""Eight clients edit and merge the same twenty nodes: every acknowledged change is there once.

A change writes a mark of its own into a paragraph or the tags, directly or through a proposal over
several nodes. Who comes too late takes the merge that the refusal offers, or settles the conflicts.
"""

import json
import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks.drills.acts import Row, Verdict, everything
from benchmarks.drills.stage import Installation

CLIENTS = 8
ACTS = 200
NODES = 20
PARAGRAPHS = 6
TRIES = 60


@dataclass(slots=True)
class Ledger:
    """What the server has said yes to: marks by node, and how it came to it."""

    marks: list[tuple[str, str, str]] = field(default_factory=list)
    told: dict[str, int] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledged(self, mark: str, nodes: list[str], where: str) -> None:
        """Keep a change that was acknowledged."""
        with self.lock:
            self.marks += [(mark, node, where) for node in nodes]

    def count(self, what: str) -> None:
        """Count something that happened on the way."""
        with self.lock:
            self.told[what] = self.told.get(what, 0) + 1


def main() -> int:
    """Run the drill."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    verdict = Verdict(f"{ACTS} edits and merges by {CLIENTS} clients on {NODES} nodes, seed {seed}")
    with Installation(ACERVO_WEB_PROCESSES="2") as acervo:
        with acervo.client() as http:
            nodes = _nodes(http)
        ledger = Ledger()
        with ThreadPoolExecutor(CLIENTS) as clients:
            acts = [(seed, number, nodes, acervo, ledger) for number in range(ACTS)]
            list(clients.map(lambda act: _act(*act), acts))
        verdict.check("nobody gave up", not ledger.given_up, ledger.given_up)
        verdict.check("some came too late", sum(ledger.told.values()) > 0, ledger.told)
        with acervo.client() as http:
            _reckon(http, nodes, ledger, verdict)
        done = acervo.manage("verify_history", "--json")
        answer = json.loads(done.stdout.splitlines()[0]) if done.stdout else {}
        verdict.check(
            "verify_history is clean",
            done.returncode == 0,
            answer.get("problems", done.stderr[-500:]),
        )
        print(f"{len(ledger.marks)} changes acknowledged; on the way: {ledger.told}")
        print(f"{answer.get('versions')} versions verified")
    return verdict.finish()


def _nodes(http: httpx.Client) -> list[str]:
    lines = "\n\n".join(f"Paragraph {number} of the text." for number in range(PARAGRAPHS))
    made = []
    for number in range(NODES):
        body = {"title": f"Node {number}", "content": f"# Head\n\n{lines}\n", "status": "published"}
        made.append(http.post("/api/v1/nodes/", json=body).json()["id"])
    return made


def _act(seed: int, number: int, nodes: list[str], acervo: Installation, ledger: Ledger) -> None:
    dice = random.Random(f"{seed}-{number}")
    mark = f"m{number:03d}"
    act: Callable[..., bool] = dice.choices([_edit, _tag, _propose], [5, 2, 3])[0]
    with acervo.client() as http:
        for _try in range(TRIES):
            if act(http, dice, mark, nodes, ledger):
                return
    ledger.given_up.append(mark)


def _marked(text: str, dice: random.Random, mark: str) -> str:
    """Return a text with the mark at the end of one of its paragraphs."""
    lines = text.split("\n")
    places = [at for at, line in enumerate(lines) if line.startswith("Paragraph")]
    lines[dice.choice(places)] += f" [{mark}]"
    return "\n".join(lines)


def _edit(
    http: httpx.Client, dice: random.Random, mark: str, nodes: list[str], ledger: Ledger
) -> bool:
    path = f"/api/v1/nodes/{dice.choice(nodes)}/"
    node = http.get(path).json()
    body = {"content": _marked(node["content"], dice, mark), "version": node["version"]}
    answer = http.patch(path, json=body)
    if answer.status_code == 409:
        details = answer.json()["error"]["details"]
        merge = details["merge"]
        ledger.count("edit: merged" if merge["mergeable"] else "edit: settled by hand")
        body = {
            "content": _settled(merge),
            "version": details["current"],
            "merged_from": node["version"],
        }
        answer = http.patch(path, json=body)
    if answer.status_code != 200:
        return False  # too late once more: from the start
    ledger.acknowledged(mark, [node["id"]], "content")
    return True


def _settled(merge: Row) -> str:
    """Return the merged text with both sides in every conflict."""
    text: str = merge["result"]["content"]
    parts = [each for each in merge["conflicts"] if "start" in each]
    for part in sorted(parts, key=lambda each: -each["start"]):
        own = part["mine"]
        both = own.rstrip("\n") + " " + " ".join(_own_marks(part["theirs"], own)) + "\n"
        text = text[: part["start"]] + both + text[part["end"] :]
    return text


def _own_marks(theirs: str, mine: str) -> list[str]:
    words = theirs.split()
    return [each for each in words if each.startswith("[m") and each not in mine]


def _tag(
    http: httpx.Client, dice: random.Random, mark: str, nodes: list[str], ledger: Ledger
) -> bool:
    path = f"/api/v1/nodes/{dice.choice(nodes)}/"
    node = http.get(path).json()
    body = {"tags": [*node["tags"], mark], "version": node["version"]}
    answer = http.patch(path, json=body)
    if answer.status_code == 409:
        details = answer.json()["error"]["details"]
        ledger.count("tag: merged")
        tags = details["merge"]["result"]["tags"]
        body = {"tags": tags, "version": details["current"], "merged_from": node["version"]}
        answer = http.patch(path, json=body)
    if answer.status_code != 200:
        return False
    ledger.acknowledged(mark, [node["id"]], "tags")
    return True


def _propose(
    http: httpx.Client, dice: random.Random, mark: str, nodes: list[str], ledger: Ledger
) -> bool:
    chosen = dice.sample(nodes, dice.randint(1, 3))
    changes = []
    for pk in chosen:
        node = http.get(f"/api/v1/nodes/{pk}/").json()
        text = _marked(node["content"], dice, mark)
        changes.append({"node": pk, "base_version": node["version"], "content": text})
    made = http.post("/api/v1/proposals/", json={"title": mark, "changes": changes})
    made.raise_for_status()
    path = f"/api/v1/proposals/{made.json()['id']}/"
    for step in ("submit", "approve"):
        http.post(f"{path}{step}/", json={}).raise_for_status()
    resolutions: dict[str, Any] = {}
    for _try in range(TRIES):
        answer = http.post(f"{path}merge/", json={"resolutions": resolutions})
        if answer.status_code == 200:
            ledger.acknowledged(mark, chosen, "content")
            return True
        body = answer.json()
        if "conflicts" not in body:
            ledger.count(f"proposal: {body['error']['code']}")
            resolutions = {}
            continue
        ledger.count("proposal: conflicts settled")
        resolutions = {each["id"]: _resolution(each) for each in body["conflicts"]}
    return False


def _resolution(conflict: Row) -> Row:
    if conflict["kind"] != "text":
        return {"choice": "ours"}
    own = conflict["ours"]
    extra = " ".join(_own_marks(conflict["theirs"], own))
    return {"text": f"{own.rstrip()} {extra}{own[len(own.rstrip()) :]}"}


def _reckon(http: httpx.Client, nodes: list[str], ledger: Ledger, verdict: Verdict) -> None:
    """Hold the histories against what was acknowledged."""
    histories: dict[str, list[Row]] = {}
    for pk in nodes:
        rows = everything(http, f"/api/v1/nodes/{pk}/versions/")
        paths = (f"/api/v1/nodes/{pk}/versions/{row['version']}/" for row in rows)
        histories[pk] = sorted((http.get(path).json() for path in paths), key=_number)
    numbers = {pk: [row["version"] for row in rows] for pk, rows in histories.items()}
    whole = all(each == list(range(1, len(each) + 1)) for each in numbers.values())
    verdict.check("versions are numbered without gaps", whole)
    wrong = []
    for mark, pk, where in ledger.marks:
        if where == "tags":
            held = [mark in row["tags"] for row in histories[pk]]
            ends_with = histories[pk][-1]["tags"].count(mark)
        else:
            held = [f"[{mark}]" in row["content"] for row in histories[pk]]
            ends_with = histories[pk][-1]["content"].count(f"[{mark}]")
        came = sum(now and not before for before, now in zip([False, *held], held, strict=False))
        if (came, ends_with) != (1, 1):
            wrong.append((mark, where, came, ends_with))
    verdict.check("each change came once and is there once", not wrong, wrong)
    merges = sum(len(row["parents"]) == 2 for rows in histories.values() for row in rows)
    verdict.check("merges have two parents", merges > 0, merges)


def _number(row: Row) -> int:
    return int(row["version"])


if __name__ == "__main__":
    sys.exit(main())
