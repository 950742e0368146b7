"""Kept vectors: what costs no work again, what is never mixed up, and what is forgotten."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from pytest_django import Settings

from project.inference import documents, embeddings, vector_cache
from project.inference.choices import Purpose
from project.inference.embeddings import embed_texts
from project.inference.models import EmbeddedText, ForgottenSubject, ModelEndpoint, UsageRecord
from project.inference.types import UsageContext
from tests.project.inference.conftest import MakeEndpoint
from tests.support.model_server import ModelServer

SUBJECT = uuid.uuid4()


@pytest.fixture
def endpoint(make_endpoint: MakeEndpoint) -> ModelEndpoint:
    return make_endpoint(purpose=Purpose.EMBEDDING, dimensions=8)


def embed(endpoint: ModelEndpoint, *texts: str, subject: uuid.UUID = SUBJECT) -> np.ndarray:
    model = embeddings.model_for_endpoint(endpoint)
    return embed_texts(
        model,
        texts,
        purpose="document",
        usage=UsageContext("index"),
        subjects=[subject] * len(texts),
    )


def asked(server: ModelServer) -> list[str]:
    return sorted(text for request in server.requests for text in request["input"])


@pytest.mark.django_db(transaction=True)
def test_a_text_is_embedded_once_for_all_that_could_change_its_vector(
    endpoint: ModelEndpoint, make_endpoint: MakeEndpoint, model_server: ModelServer
) -> None:
    first = embed(endpoint, "rope", "buoy", "rope")
    assert asked(model_server) == ["buoy", "rope"]
    again = embed(endpoint, "buoy", "rope", "anchor", subject=uuid.uuid4())
    assert asked(model_server) == ["anchor", "buoy", "rope"]
    assert np.array_equal(again[:2], first[[1, 0]])  # bit for bit
    assert np.array_equal(first[0], first[2])
    embed(endpoint, "buoy", "rope", "anchor")
    assert UsageRecord.objects.count() == 2  # what costs nothing is no call

    other = make_endpoint(
        "good", name="another server", purpose=Purpose.EMBEDDING, dimensions=8
    )  # which may serve another model by the same name
    assert embeddings.model_for_endpoint(other).key == embeddings.model_for_endpoint(endpoint).key
    embed(other, "rope")
    endpoint.document_prefix = "passage: "
    endpoint.save()
    embed(endpoint, "rope")
    assert asked(model_server)[-3:] == ["passage: rope", "rope", "rope"]

    model = embeddings.model_for_endpoint(endpoint)
    kept = EmbeddedText.objects.count()
    embed_texts(model, ["of nobody's"], purpose="document")
    assert EmbeddedText.objects.count() == kept == 5


@pytest.mark.django_db(transaction=True)
def test_what_was_done_before_a_failure_is_not_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "BATCH", 2)
    told: list[tuple[int, int]] = []
    batches: list[list[str]] = []

    def interrupted(batch: list[str]) -> np.ndarray:
        batches.append(batch)
        if len(batches) == 2:
            raise ConnectionError
        return np.eye(384, dtype=np.float32)[: len(batch)]

    def attempt() -> None:
        documents.documents_embed(
            embeddings.BUILTIN,
            ["a", "b", "c"],
            [SUBJECT] * 3,
            interrupted,
            lambda *counts: told.append(counts),
        )

    with pytest.raises(ConnectionError):
        attempt()
    attempt()
    assert batches == [["a", "b"], ["c"], ["c"]]
    assert told == [(2, 3), (3, 3)]


@pytest.mark.django_db(transaction=True)
def test_an_erase_forgets_also_what_a_worker_has_in_hand(endpoint: ModelEndpoint) -> None:
    other = uuid.uuid4()
    embed(endpoint, "said by both", "said by one")
    embed(endpoint, "said by another", subject=other)
    identity = vector_cache.model_identity(embeddings.model_for_endpoint(endpoint)) or ""
    late = [(vector_cache.text_digest("said late"), SUBJECT, np.ones(8, dtype=np.float32))]
    worker = in_thread(lambda: vector_cache.vectors_keep(identity, late))
    with transaction.atomic():
        vector_cache.subjects_forget([SUBJECT])
        worker.start()  # which waits for the erase, or comes after it
    worker.join()
    assert list(EmbeddedText.objects.values_list("subject", flat=True)) == [other]
    with transaction.atomic():
        vector_cache.vectors_keep(identity, [(b"x" * 32, other, np.ones(8, dtype=np.float32))])
        transaction.set_rollback(True)
    assert EmbeddedText.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_writers_of_the_same_texts_do_not_conflict(db: None) -> None:
    digests = [vector_cache.text_digest(str(number)) for number in range(200)]
    vector = np.ones(4, dtype=np.float32)
    failures: list[BaseException] = []

    def write(order: int) -> None:
        rows = [(digest, SUBJECT, vector) for digest in digests[::order]]
        for _ in range(5):
            try:
                vector_cache._insert("m", rows)
                vector_cache.vectors_get("m", digests)
            except BaseException as error:  # noqa: BLE001 - told to the test
                failures.append(error)

    threads = [in_thread(lambda order=order: write(order)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert EmbeddedText.objects.count() == 200


def test_the_sweep_keeps_the_cache_in_its_bounds(db: None, settings: Settings) -> None:
    today = datetime.now(UTC).date()
    vector = np.ones(5000, dtype=np.float32)  # 20 kB
    settings.ACERVO_EMBEDDING_CACHE_DAYS = 30
    for days in (0, 5, 40):
        rows = [(f"{days} {n}".encode().ljust(32), SUBJECT, vector) for n in range(60)]
        vector_cache._insert("m", rows)
        EmbeddedText.objects.filter(text_sha256__in=[row[0] for row in rows]).update(
            used_on=today - timedelta(days=days)
        )
    vector_cache.vectors_get("m", [b"5 7".ljust(32)])
    vector_cache._use("m", [b"5 7".ljust(32)])
    settings.ACERVO_EMBEDDING_CACHE_MB = 2
    assert vector_cache.vectors_sweep() == 60 + 17
    assert EmbeddedText.objects.filter(used_on=today).count() == 61
    assert not EmbeddedText.objects.filter(used_on__lt=today - timedelta(days=30)).exists()
    ForgottenSubject.objects.create(subject=SUBJECT)
    ForgottenSubject.objects.update(forgotten_at=datetime.now(UTC) - timedelta(days=3))
    vector_cache.vectors_sweep()
    assert not ForgottenSubject.objects.exists()


def in_thread(call: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            call()
        finally:
            connection.close()

    return threading.Thread(target=run)
