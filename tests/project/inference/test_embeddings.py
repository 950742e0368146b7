"""Vectors from every backend, through the one public function."""

import uuid

import numpy as np
import pytest

from project.inference import breaker, embeddings, failures
from project.inference.choices import Backend, Purpose
from project.inference.embeddings import BUILTIN, HASHING, embed_texts
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.types import EmbeddingUnavailable, UsageContext
from tests.project.inference.conftest import MakeEndpoint
from tests.support.model_server import ModelServer

USAGE = UsageContext("ingest", space_id=uuid.uuid4())


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def endpoint(db: None, make_endpoint: MakeEndpoint) -> ModelEndpoint:
    return make_endpoint(purpose=Purpose.EMBEDDING, dimensions=8, languages=["pt", "en"])


def test_hashing_sees_shared_words_and_stems_in_any_language() -> None:
    texts = [
        "Como redefinir a senha do sistema?",
        "Para redefinição de senhas do sistema, abra um chamado.",
        "O cardápio da cantina muda às sextas-feiras.",
    ]
    question, answer, other = embed_texts(HASHING, texts, purpose="document")
    assert question @ answer > 0.35
    assert question @ other < 0.15


def test_hashing_folds_accents_and_case() -> None:
    first, second = embed_texts(HASHING, ["FÉRIAS", "ferias"], purpose="document")
    assert first @ second == pytest.approx(1.0)


@pytest.mark.parametrize("model", [BUILTIN, HASHING], ids=lambda model: model.key)
def test_odd_texts_get_usable_vectors(model: embeddings.EmbeddingModel) -> None:
    odd = ["", "   ", "\0", "\ud83d", "日本語", "🙂" * 5000, "a" * 100_000]
    vectors = embed_texts(model, odd, purpose="document")
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_no_texts_are_no_vectors() -> None:
    assert embed_texts(BUILTIN, [], purpose="document").shape == (0, 384)


def test_a_server_is_asked_in_batches_and_its_vectors_are_normalised(
    endpoint: ModelEndpoint, model_server: ModelServer
) -> None:
    endpoint.input_price = 2
    endpoint.save()
    model = embeddings.model_for_endpoint(endpoint)
    assert model.key == "openai:good:8"
    assert model.languages == {"pt", "en"}
    texts = [f"passage {number}" for number in range(100)]
    vectors = embed_texts(model, texts, purpose="document", usage=USAGE)
    assert vectors.shape == (100, 8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.allclose(vectors[7], embed_texts(model, ["passage 7"], purpose="query")[0])
    assert model_server.calls["good"] == 3
    row = UsageRecord.objects.get(purpose="ingest")
    assert (row.prompt_tokens, row.is_estimated, row.outcome) == (200, False, "ok")
    assert (row.endpoint, row.space_id) == (endpoint, USAGE.space_id)
    assert float(row.cost) == pytest.approx(0.0004)


def test_prefixes_tell_questions_from_passages(
    endpoint: ModelEndpoint, model_server: ModelServer
) -> None:
    endpoint.query_prefix, endpoint.document_prefix = "query: ", "passage: "
    endpoint.save()
    model = embeddings.model_for_endpoint(endpoint)
    embed_texts(model, ["a"], purpose="query")
    embed_texts(model, ["a"], purpose="document")
    assert [request["input"] for request in model_server.requests] == [["query: a"], ["passage: a"]]


def test_a_repeated_query_is_not_embedded_again(
    endpoint: ModelEndpoint, model_server: ModelServer
) -> None:
    model = embeddings.model_for_endpoint(endpoint)
    first = embed_texts(model, ["leave policy"], purpose="query")
    first[:] = 0
    again = embed_texts(model, ["leave policy", "another"], purpose="query")
    assert np.allclose(np.linalg.norm(again, axis=1), 1.0)
    assert [request["input"] for request in model_server.requests] == [
        ["leave policy"],
        ["another"],
    ]


def test_a_passing_error_is_retried(endpoint: ModelEndpoint, model_server: ModelServer) -> None:
    model_server.behave("good", status=500, times=2)
    model = embeddings.model_for_endpoint(endpoint)
    assert embed_texts(model, ["x"], purpose="document").shape == (1, 8)
    assert model_server.calls["good"] == 3


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"status": 503}, "error"),
        ({"fault": "html"}, "malformed"),
        ({"fault": "refuse"}, "interrupted"),
        ({"first_token_delay": 5}, "timeout"),
        ({"dimensions": 9}, "dimensions"),
        ({"fault": "ragged"}, "malformed"),
    ],
)
def test_a_server_that_cannot_is_named_unavailable_and_accounted_for(
    behaviour: dict[str, object], reason: str, endpoint: ModelEndpoint, model_server: ModelServer
) -> None:
    ModelEndpoint.objects.filter(pk=endpoint.pk).update(total_timeout=0.5)
    model_server.behave("good", **behaviour)
    with pytest.raises(EmbeddingUnavailable) as caught:
        embed_texts(
            embeddings.model_for_endpoint(endpoint), ["x", "y"], purpose="document", usage=USAGE
        )
    assert caught.value.reason == reason
    assert "127.0.0.1" not in str(caught.value)
    row = UsageRecord.objects.get()
    assert row.outcome == (reason if reason != "dimensions" else "error")
    assert row.prompt_tokens == 0


def test_the_breaker_spares_a_server_that_keeps_failing(
    endpoint: ModelEndpoint, model_server: ModelServer
) -> None:
    model_server.behave("good", status=500)
    model = embeddings.model_for_endpoint(endpoint)
    reasons = []
    for _ in range(4):
        with pytest.raises(EmbeddingUnavailable) as caught:
            embed_texts(model, ["x"], purpose="document")
        reasons.append(caught.value.reason)
    assert reasons[0] == "error"
    assert reasons[-1] == "breaker_open"
    assert model_server.calls["good"] == 5
    assert breaker.state(str(endpoint.pk)).state == "open"


@pytest.mark.django_db
def test_fastembed_says_how_to_get_it(make_endpoint: MakeEndpoint) -> None:
    endpoint = make_endpoint(
        "intfloat/multilingual-e5-small",
        purpose=Purpose.EMBEDDING,
        backend=Backend.FASTEMBED,
        dimensions=384,
    )
    with pytest.raises(EmbeddingUnavailable, match="pip install fastembed"):
        embed_texts(embeddings.model_for_endpoint(endpoint), ["x"], purpose="document")


def test_an_index_finds_its_model_again(endpoint: ModelEndpoint) -> None:
    for model in (BUILTIN, HASHING, embeddings.model_for_endpoint(endpoint)):
        assert embeddings.model_for_key(model.key, model.endpoint_id) == model
    with pytest.raises(EmbeddingUnavailable):
        embeddings.model_for_key("openai:gone:8", uuid.uuid4())
    endpoint.model_name = "another"
    endpoint.save()
    with pytest.raises(EmbeddingUnavailable):
        embeddings.model_for_key("openai:good:8", endpoint.pk)


@pytest.mark.django_db
def test_built_in_work_leaves_one_row_a_job_and_none_a_search() -> None:
    embed_texts(BUILTIN, ["one", "two", "three"], purpose="document", usage=USAGE)
    embed_texts(BUILTIN, ["a question"], purpose="query")
    row = UsageRecord.objects.get()
    assert (row.model, row.endpoint, row.is_estimated) == (BUILTIN.key, None, True)
