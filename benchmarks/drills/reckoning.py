"""Comparing what was acknowledged with what is there, once everything has settled."""

from collections import Counter

import httpx

from benchmarks.drills.acts import FINAL, JOB_FINAL, Verdict, everything, until
from benchmarks.drills.ledger import Ledger

SETTLE_SECONDS = 240.0


def settle(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    """Wait for the end of everything that was begun, and compare."""
    check_turns(http, ledger, verdict)
    check_jobs(http, ledger, verdict)
    check_nodes(http, ledger, verdict)
    check_episodes(http, ledger, verdict)


def check_turns(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    """Every turn ends; every acknowledged message is there once, with one answer at most."""
    sent = ledger.of("message")
    unfinished = {answer["turn"]["id"] for answer in sent.values()}
    ends: Counter[str] = Counter()

    def look() -> bool:
        for turn in list(unfinished):
            row = http.get(f"/api/v1/turns/{turn}/").json()
            if row.get("status") in FINAL:
                unfinished.discard(turn)
                ends[row["status"]] += 1
        return not unfinished

    until(SETTLE_SECONDS, look, every=1.0)
    verdict.check("every turn ends", not unfinished, f"{dict(ends)}, hanging: {unfinished}")
    verdict.check("no turn was stopped by itself", not ends["stopped"], dict(ends))
    found: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    for conversation in everything(http, "/api/v1/conversations/"):
        for row in everything(http, f"/api/v1/conversations/{conversation['id']}/messages/"):
            if row["role"] == "user":
                found[row["client_message_id"]] += 1
            else:
                answers[row["parent"]] += 1
    lost = [name for name in sent if not found[name]]
    doubled = [name for name, count in found.items() if count > 1]
    verdict.check("every acknowledged message is there", not lost, f"{len(sent)} sent, {lost}")
    verdict.check("no message twice", not doubled, doubled)
    verdict.check("no question has two answers", not [n for n in answers.values() if n > 1])


def check_jobs(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    """Every job completes; every acknowledged source is there once."""
    uploads = ledger.of("upload")
    unfinished = {answer["job"]["id"] for answer in uploads.values()}
    bad: list[str] = []

    def look() -> bool:
        for job in list(unfinished):
            row = http.get(f"/api/v1/jobs/{job}/").json()
            if row.get("status") in JOB_FINAL:
                unfinished.discard(job)
                if row["status"] != "completed":
                    bad.append(f"{job}: {row['status']} {row['error']}")
        return not unfinished

    until(SETTLE_SECONDS, look, every=1.0)
    verdict.check("every job ends", not unfinished, f"{len(uploads)} uploads, {unfinished}")
    verdict.check("every job completed", not bad, bad[:3])
    files = Counter(row["filename"] for row in everything(http, "/api/v1/sources/"))
    lost = [word for word in uploads if not files[f"{word}.md"]]
    verdict.check("every acknowledged source is there", not lost, lost)
    doubled = [name for name, count in files.items() if count > 1]
    verdict.check("no source twice", not doubled, doubled)


def check_nodes(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    """Every acknowledged node is there once, and search finds it."""
    rows = everything(http, "/api/v1/nodes/")
    titles = Counter(row["title"] for row in rows)
    ids = {row["id"] for row in rows}
    written = ledger.of("node")
    lost = [word for word, answer in written.items() if answer["id"] not in ids]
    doubled = [title for title, count in titles.items() if count > 1]
    verdict.check("every acknowledged node is there", not lost, f"{len(written)} made, {lost}")
    verdict.check("no node twice", not doubled, doubled)
    unsearched = {*written, *ledger.of("upload")}

    def look() -> bool:
        for word in sorted(unsearched):
            body = {"query": word, "mode": "keyword", "limit": 5}
            results = http.post("/api/v1/search/", json=body).json().get("results", [])
            if [each for each in results if word in each["title"] + each["snippet"]]:
                unsearched.discard(word)
        return not unsearched

    until(SETTLE_SECONDS, look, every=2.0)
    verdict.check("search finds every node", not unsearched, sorted(unsearched)[:5])


def check_episodes(http: httpx.Client, ledger: Ledger, verdict: Verdict) -> None:
    """Every completed turn has one episode."""
    completed = {
        answer["turn"]["id"]
        for answer in ledger.of("message").values()
        if http.get(f"/api/v1/turns/{answer['turn']['id']}/").json()["status"] == "completed"
    }

    def look() -> Counter[str] | None:
        episodes = Counter(row["turn_id"] for row in everything(http, "/api/v1/episodes/"))
        return episodes if completed <= set(episodes) else None

    until(SETTLE_SECONDS, look, every=2.0)
    episodes = Counter(row["turn_id"] for row in everything(http, "/api/v1/episodes/"))
    missing = completed - set(episodes)
    verdict.check(
        "an episode of every completed turn",
        not missing,
        f"{len(completed)} turns, {len(episodes)} episodes, without: {sorted(missing)[:3]}",
    )
    doubled = [turn for turn, count in episodes.items() if count > 1]
    verdict.check("no episode twice", not doubled, doubled)
