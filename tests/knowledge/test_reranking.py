"""A reranking model behind a URL: both dialects, and every way it may fail a search."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pytest_django import Settings

from knowledge import services
from knowledge.indexing import index_node
from knowledge.models import Space
from knowledge.retrieval import search
from knowledge.services import node_create, node_publish
from knowledge.types import SearchRequest, SearchResponse
from project.accounts.models import User
from project.inference import breaker, reranking
from project.inference.choices import Purpose
from project.inference.models import ModelEndpoint
from project.inference.reranking import RerankUnavailable, rerank_scores

pytestmark = pytest.mark.django_db
WANTED = "lantern"


class Server(ThreadingHTTPServer):
    """Likes texts with one word; `fault` says what goes wrong instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault = ""
        self.takes = "documents"
        self.seen: list[dict[str, Any]] = []
        self.was_left = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append({"path": self.path, "auth": self.headers["Authorization"], **body})
        if self.server.takes not in body:
            return self._answer(422, {"error": "missing field"})
        scores = [0.95 if WANTED in text else 0.05 for text in body[self.server.takes]]
        if self.server.takes == "texts":
            rows: Any = [{"index": at, "score": score} for at, score in enumerate(scores)][::-1]
        else:
            rows = {
                "results": [
                    {"index": at, "relevance_score": score} for at, score in enumerate(scores)
                ][::-1]
            }
        match self.server.fault:
            case "error":
                return self._answer(500, {})
            case "nonsense":
                return self._answer(200, {"results": [{"index": 0}]})
            case "few":
                return self._answer(200, {"results": rows["results"][1:]})
            case "logits":
                for row in rows["results"]:
                    row["relevance_score"] = 20 * row["relevance_score"] - 10
            case "slow":
                return self._drip()
        return self._answer(200, rows)

    def _answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _drip(self) -> None:
        """Never end, and never be silent for long either."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        try:
            for _ in range(100):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        except OSError:
            self.server.was_left.set()

    def log_message(self, *_args: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def endpoint(server: Server) -> Iterator[ModelEndpoint]:
    row = ModelEndpoint(
        name="Judge",
        purpose=Purpose.RERANK,
        base_url=f"http://127.0.0.1:{server.server_port}/v1",
        model_name="judge-1",
    )
    row.set_api_key("secret")
    row.save()
    yield row
    breaker.reset(str(row.pk))
    reranking._texts_form.clear()


@pytest.fixture
def ask(endpoint: ModelEndpoint, space: Space, owner: User, settings: Settings) -> Any:
    settings.ACERVO_EMBEDDING = "hashing"
    texts = ("The keeper paints the keeper's house.", f"The keeper cleans the {WANTED}.")
    for number, text in enumerate(texts):
        node = node_create(acting_user=owner, space=space, title=f"Page {number}", content=text)
        node_publish(acting_user=owner, node=node)
        index_node(node.pk)
    profile = services.profile_create(
        acting_user=owner, note="Rerank", knobs={"rerank_endpoint": str(endpoint.pk)}
    )

    def asked(**options: Any) -> SearchResponse:
        request = SearchRequest(query="keeper paints house", profile=profile.pk, **options)
        return search(request, user=owner, fresh=True)

    return asked


@pytest.mark.parametrize("dialect", ["documents", "texts"])
def test_the_model_orders_the_best_anew(server: Server, ask: Any, dialect: str) -> None:
    server.takes = dialect
    found = ask(explain=True, limit=1)
    assert found.degraded == []
    assert WANTED in found.results[0].snippet
    rerank = found.results[0].signals["rerank"]
    assert rerank["score"] == 0.95
    assert found.results[0].score > rerank["before"]
    last = server.seen[-1]
    assert (last["path"], last["auth"], len(last[dialect])) == ("/v1/rerank", "Bearer secret", 2)
    tried = len(server.seen)
    ask()
    assert len(server.seen) == tried + 1  # the dialect is known now
    assert ask(mode="keyword").results[0].title == "Page 0"


@pytest.mark.parametrize("fault", ["error", "nonsense", "few", "slow"])
def test_without_the_model_the_order_stays_and_says_so(
    server: Server, ask: Any, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fault = fault
    if fault == "slow":
        monkeypatch.setattr(
            "knowledge.retrieval._reranking.rerank_scores",
            lambda *args, **_options: rerank_scores(*args, seconds=0.2),
        )
    found = ask()
    assert found.degraded == ["rerank"]
    assert [result.title for result in found.results] == ["Page 0", "Page 1"]
    assert fault != "slow" or server.was_left.wait(1)


def test_logits_become_shares(server: Server, endpoint: ModelEndpoint) -> None:
    server.fault = "logits"
    scores = rerank_scores(endpoint.pk, "q", [WANTED, "x"], seconds=5)
    assert scores[0] > 0.99
    assert scores[1] < 0.01


def test_a_model_that_goes_on_failing_is_left_alone(
    server: Server, endpoint: ModelEndpoint
) -> None:
    server.fault = "error"
    for _ in range(30):
        with pytest.raises(RerankUnavailable):
            rerank_scores(endpoint.pk, "q", ["a"], seconds=5)
    calls = len(server.seen)
    with pytest.raises(RerankUnavailable) as refused:
        rerank_scores(endpoint.pk, "q", ["a"], seconds=5)
    assert (refused.value.reason, len(server.seen)) == ("breaker_open", calls)
    ModelEndpoint.objects.all().delete()
    with pytest.raises(RerankUnavailable, match="no such reranking"):
        rerank_scores(endpoint.pk, "q", ["a"], seconds=5)
