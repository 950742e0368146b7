"""A language model that is slow, refuses, breaks off or speaks garbage: what a reader gets."""

import sys
import time
from typing import Any

import httpx

from benchmarks.drills.acts import Row, Verdict, ask, turn_ended, until
from benchmarks.drills.stage import Installation
from tests.support.model_server import ModelServer

ANSWER = "The harbour opens at six in the morning on every working day [1]."
QUESTION = "When does the Quillmere harbour open?"
SECRET = "secret-host.internal"
TIMEOUTS = "connect_timeout=2, first_token_timeout=3, idle_timeout=2, total_timeout=12"
ENDPOINT = "from project.inference.models import ModelEndpoint\n"
BEFORE_TEXT: dict[str, dict[str, Any]] = {
    "is slow to its first token": {"first_token_delay": 600},
    "answers 500": {"status": 500},
    "answers 429": {"status": 429, "retry_after": "1"},
    "answers 401": {"status": 401},
    "aborts the connection": {"fault": "refuse"},
    "answers with HTML": {"fault": "html"},
    "answers with nothing": {"fault": "empty"},
    "drips bytes without a line": {"fault": "drip"},
    "hangs at once": {"fault": "hang", "after": 0},
}
IN_TEXT = ("reset", "hang", "bad-json", "bad-utf8", "error-event", "huge-line", "no-done")


def main() -> int:
    """Run the drill."""
    verdict = Verdict("A language model that fails")
    with ModelServer() as model:
        model.behave(answer=ANSWER)
        environment = {
            "ACERVO_LLM_BASE_URL": model.base_url,
            "ACERVO_LLM_API_KEY": "stub",
            "ACERVO_LLM_MODEL": "stub",
        }
        with Installation(**environment) as acervo, acervo.client() as http:
            acervo.run(f"{ENDPOINT}ModelEndpoint.objects.update({TIMEOUTS})")
            text = "The Quillmere harbour opens at six in the morning.\n\nIt closes at nine."
            node = {"title": "Quillmere harbour", "content": text, "status": "published"}
            http.post("/api/v1/nodes/", json=node).raise_for_status()
            until(60, lambda: _is_found(http), every=0.5)
            turn = _asked(http)
            verdict.check("a good model answers", turn["answer"] == ANSWER, _seen(turn))
            for name, behaviour in BEFORE_TEXT.items():
                _heal(acervo, model)
                model.behave(answer=ANSWER, **behaviour)
                _check_fallback(http, verdict, f"a model that {name}")
            _heal(acervo, model)
            model.refuse_connections()
            _check_fallback(http, verdict, "a model that is not there")
            model.accept_connections()
            for fault in IN_TEXT:
                _heal(acervo, model)
                model.behave(answer=ANSWER, fault=fault, after=4, token_delay=0.05)
                _check_partial(http, verdict, f"{fault} in mid-answer")
            _heal(acervo, model)
            _breaker(http, model, verdict)
            leaks = acervo.log_lines("request_failed", "turn_failed", "loop_failed")
            verdict.check("no fault of ours in the log", not leaks, leaks[:2])
    return verdict.finish()


def _is_found(http: httpx.Client) -> bool:
    return bool(http.post("/api/v1/search/", json={"query": "Quillmere"}).json()["results"])


def _asked(http: httpx.Client) -> Row:
    began = time.monotonic()
    turn = turn_ended(http, ask(http, QUESTION)["turn"]["id"], seconds=90)
    return turn | {"seconds": time.monotonic() - began}


def _heal(acervo: Installation, model: ModelServer) -> None:
    model.reset()
    model.behave(answer=ANSWER)
    acervo.run(
        f"{ENDPOINT}from project.inference import breaker\n"
        "for each in ModelEndpoint.objects.all(): breaker.for_endpoint(each).reset()"
    )


def _seen(turn: Row) -> str:
    names = ("status", "route", "partial", "notice", "answer", "error")
    return f"{turn['seconds']:.1f} s " + " ".join(f"{name}={turn[name]!r}" for name in names)


def _check_fallback(http: httpx.Client, verdict: Verdict, name: str) -> None:
    turn = _asked(http)
    fell_back = (
        turn["status"] == "completed"
        and turn["route"] == "extractive"
        and "six" in turn["answer"]
        and turn["citations"]
    )
    verdict.check(f"{name}: the extractive answer, with citations", fell_back, _seen(turn))
    verdict.check(f"{name}: the reader is told", turn["notice"], turn["notice"])


def _check_partial(http: httpx.Client, verdict: Verdict, name: str) -> None:
    turn = _asked(http)
    prefix = " ".join(ANSWER.split(" ")[:4])
    kept = turn["status"] == "completed" and (turn["answer"] or "").startswith(prefix)
    verdict.check(f"{name}: the part is kept", kept, _seen(turn))
    marked = turn["partial"] and turn["notice"]
    verdict.check(f"{name}: it is marked, and the reader told", marked, turn["notice"])
    path = f"/api/v1/conversations/{turn['conversation']}/messages/"
    told = http.get(path).text + str(turn)
    verdict.check(f"{name}: nothing of the server's own words", SECRET not in told)


def _breaker(http: httpx.Client, model: ModelServer, verdict: Verdict) -> None:
    model.behave(status=500)
    counts = []
    for _ in range(12):
        turn = _asked(http)
        counts.append(model.calls.total())
        if turn["route"] != "extractive":
            verdict.check("a broken model is fallen back from", held=False, seen=_seen(turn))
    quiet = counts[-1] - counts[-4]
    verdict.check("the breaker opens: the model is left alone", quiet <= 1, counts)
    verdict.check("an open breaker costs no time", turn["seconds"] < 5, _seen(turn))
    model.behave(answer=ANSWER)
    began = time.monotonic()

    def look() -> Row | None:
        row = _asked(http)
        return row if row["route"] == "ai" and row["answer"] == ANSWER else None

    recovered = until(120, look, every=2.0)
    seen = f"after {time.monotonic() - began:.0f} s"
    verdict.check("the breaker recovers", recovered is not None, seen)


if __name__ == "__main__":
    sys.exit(main())
