"""A generation from its first vector to its deletion, while nodes are written and models fail."""

import datetime
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from knowledge import generation_building, services
from knowledge.ann import ann_index_ensure
from knowledge.ann_progress import ann_progress
from knowledge.choices import GenerationStatus, GenerationSwitching, JobStatus, NodeStatus
from knowledge.evaluating import run_work
from knowledge.generation_choosing import built_settle, compared_settle, verdict_of
from knowledge.generations import ensure_generation
from knowledge.indexing import GenerationMoved, index_node, prepare_nodes, swap
from knowledge.ingestion import job_work
from knowledge.models import (
    Embedding,
    EvaluationRun,
    GenerationSwitch,
    IndexGeneration,
    IngestJob,
    Node,
    Space,
)
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.http.errors import ApiError, Conflict, Invalid
from project.inference import breaker
from project.inference.choices import Backend, Purpose
from project.inference.models import ModelEndpoint
from tests.conftest import Api
from tests.knowledge.test_golden_services import make_golden, make_node
from tests.support.model_server import ModelServer

DIMENSIONS = 16
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def other(db: None, server: ModelServer, settings: Settings) -> ModelEndpoint:
    """Another model than the one that serves; it may be told to fail."""
    settings.ACERVO_EMBEDDING = "hashing"
    server.reset()
    server.behave(dimensions=DIMENSIONS)
    return ModelEndpoint.objects.create(
        name="Other", purpose=Purpose.EMBEDDING, backend=Backend.OPENAI, model_name="m",
        base_url=server.base_url, dimensions=DIMENSIONS, connect_timeout=1, total_timeout=5,
        first_token_timeout=2,
    )  # fmt: skip


@pytest.fixture
def nodes(owner: User, space: Space, other: ModelEndpoint) -> list[Node]:
    made = [
        make_node(owner, space, title, content=text)
        for title, text in (("Mooring", "A berth costs 12 euros."), ("Tides", "High at noon."))
    ]
    swap(prepare_nodes(made))
    return made


def vectors_of(generation: IndexGeneration) -> int:
    return Embedding.objects.filter(generation=generation).count()


def begun(owner: User, space: Space, other: ModelEndpoint, **how: Any) -> IndexGeneration:
    return services.generation_begin(acting_user=owner, space=space, endpoint=other, **how)


def worked(generation: IndexGeneration) -> IndexGeneration:
    generation.refresh_from_db()
    assert generation.job is not None
    job_work(generation.job.pk)
    generation.refresh_from_db()
    return generation


def found(owner: User, query: str = "berth", **asked: Any) -> list[str]:
    answer = search(SearchRequest(query=query, **asked), user=owner)
    assert not answer.degraded
    return [each.title for each in answer.results]


def changed(owner: User, node: Node, text: str) -> Node:
    """A new version of a node, which nothing has indexed yet."""
    return services.node_update(acting_user=owner, node=node, content=text)


def test_a_switch_and_the_way_back_miss_nothing(
    owner: User, space: Space, other: ModelEndpoint, nodes: list[Node]
) -> None:
    old = ensure_generation(space.pk)
    early = prepare_nodes([changed(owner, nodes[0], "A berth costs 13 euros.")])
    late = prepare_nodes([changed(owner, nodes[1], "High at one.")])
    new = worked(begun(owner, space, other))
    assert new.status == GenerationStatus.READY
    assert found(owner, generation=new.pk)
    swap(early)  # prepared before there was a new one: it is served, and the new one lacks it
    services.generation_switch(acting_user=owner, generation=new, reason="Better in Portuguese")
    new.refresh_from_db()
    assert new.status == GenerationStatus.READY  # a job fills it up first
    assert worked(new).status == GenerationStatus.ACTIVE
    assert vectors_of(new) == 2

    # What was prepared for the model before never takes the place of what serves.
    assert swap(late) == 0
    with pytest.raises(GenerationMoved):
        swap(late, whole=True)
    assert vectors_of(new) == 2
    assert index_node(nodes[1].pk)

    # What served before is kept up to date, so that going back is done at once.
    old.refresh_from_db()
    assert (old.status, vectors_of(old)) == (GenerationStatus.RETIRED, 2)
    assert found(owner, "High water", generation=old.pk)[0] == "Tides"
    services.generation_switch(acting_user=owner, generation=old)
    old.refresh_from_db()
    assert old.status == GenerationStatus.ACTIVE
    switches = list(GenerationSwitch.objects.order_by("created_at"))
    assert [each.is_rollback for each in switches] == [False, True]
    assert (switches[0].reason, switches[0].created_by) == ("Better in Portuguese", owner)
    assert switches[0].before_id == switches[1].generation_id == old.pk


def test_the_same_model_built_anew_stops_no_indexing(
    owner: User, space: Space, nodes: list[Node]
) -> None:
    old = ensure_generation(space.pk)
    new = worked(services.generation_begin(acting_user=owner, space=space, endpoint=None))
    assert (new.model_key, new.status) == (old.model_key, GenerationStatus.READY)
    changed(owner, nodes[0], "A wharfage costs 13 euros.")
    assert index_node(nodes[0].pk)
    assert found(owner, "wharfage", mode="keyword") == ["Mooring"]
    assert (vectors_of(old), vectors_of(new)) == (2, 2)
    services.generation_switch(acting_user=owner, generation=new)
    assert found(owner, "wharfage", generation=new.pk)[0] == "Mooring"


def test_a_model_that_is_away_stops_nothing_but_its_own_build(
    owner: User, space: Space, other: ModelEndpoint, nodes: list[Node], server: ModelServer
) -> None:
    new = begun(owner, space, other)
    server.behave(status=500)
    assert new.job is not None
    job_work(new.job.pk)
    new.job.refresh_from_db()
    assert new.job.status == JobStatus.QUEUED  # it is tried again by itself
    assert index_node(changed(owner, nodes[0], "A berth costs 14 euros.").pk)
    assert found(owner)[0] == "Mooring"

    IngestJob.objects.filter(pk=new.job.pk).update(lease_until=None)
    server.behave(dimensions=DIMENSIONS + 1)
    breaker.for_endpoint(other).reset()
    job_work(new.job.pk)
    new.refresh_from_db()
    assert new.job is not None
    assert (new.job.status, new.job.error_code, new.has_failed) == ("failed", "dimensions", True)
    assert ensure_generation(space.pk).status == GenerationStatus.ACTIVE
    calls = server.calls.total()
    assert index_node(changed(owner, nodes[0], "A berth costs 15 euros.").pk)
    assert server.calls.total() == calls  # what failed is left alone until somebody tries again

    server.behave(dimensions=DIMENSIONS)
    services.job_retry(acting_user=owner, job=new.job)
    assert worked(new).status == GenerationStatus.READY
    assert vectors_of(new) == 2


def test_a_build_goes_on_where_a_full_disk_or_a_dead_worker_left_it(
    owner: User,
    space: Space,
    other: ModelEndpoint,
    nodes: list[Node],
    server: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generation_building, "BUILD_BATCH", 1)
    new = begun(owner, space, other)

    def killed(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generation_building.generation_build(new.pk, progress=killed)
    assert vectors_of(new) == 1
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;"
            "CREATE TRIGGER full_disk BEFORE INSERT ON knowledge_embedding "
            "EXECUTE FUNCTION full_disk()"
        )
    failed = worked(new)
    assert failed.job is not None
    assert (failed.has_failed, failed.job.error_code) == (True, "disk_full")
    assert found(owner)[0] == "Mooring"
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER full_disk ON knowledge_embedding")
    services.job_retry(acting_user=owner, job=failed.job)
    assert worked(new).status == GenerationStatus.READY
    assert vectors_of(new) == 2
    texts = [text for each in server.requests for text in each["input"]]
    assert texts.count(texts[0]) == 1  # what was stored is not embedded again


def test_it_takes_over_by_itself_only_when_it_is_not_worse(
    owner: User, space: Space, other: ModelEndpoint, nodes: list[Node]
) -> None:
    new = worked(begun(owner, space, other, switching=GenerationSwitching.AUTOMATIC))
    built_settle(new.pk)
    new.refresh_from_db()
    assert "no golden question" in new.notice

    make_golden(owner, nodes[0], question="What costs a berth?")
    built_settle(new.pk)
    run = EvaluationRun.objects.get()
    run_work(run.pk)
    run.refresh_from_db()
    assert (run.status, run.other_generation_id) == ("completed", new.pk)
    assert run.metrics["before"]["recall"] == run.metrics["after"]["recall"] == 1.0
    worse = {**run.metrics, "after": {**run.metrics["after"], "mrr": 0.5}}
    EvaluationRun.objects.filter(pk=run.pk).update(metrics=worse)
    compared_settle(new.pk, run.pk)
    new.refresh_from_db()
    assert new.status == GenerationStatus.READY
    assert "worse" in new.notice
    assert "0.500" in new.notice

    EvaluationRun.objects.filter(pk=run.pk).update(metrics=run.metrics, degraded=["vector"])
    run.refresh_from_db()
    assert verdict_of(run).is_worse is None  # a model that was away judges nobody
    EvaluationRun.objects.filter(pk=run.pk).update(degraded=[])
    compared_settle(new.pk, run.pk)
    new.refresh_from_db()
    assert new.status == GenerationStatus.ACTIVE
    switch = GenerationSwitch.objects.get()
    assert (switch.is_automatic, switch.evaluation_id) == (True, run.pk)


def test_what_searches_may_still_use_is_not_deleted(
    owner: User, teammate: User, space: Space, other: ModelEndpoint, nodes: list[Node]
) -> None:
    old = ensure_generation(space.pk)
    with pytest.raises(Conflict, match="serves"):
        services.generation_remove(acting_user=owner, generation=old)
    new = worked(begun(owner, space, other, switching=GenerationSwitching.AT_ONCE))
    assert new.status == GenerationStatus.ACTIVE
    with pytest.raises(Conflict, match="Searches that began"):
        services.generation_remove(acting_user=owner, generation=old)
    past = timezone.now() - datetime.timedelta(hours=1)
    IndexGeneration.objects.filter(pk=old.pk).update(retired_at=past)
    with pytest.raises(ApiError):
        services.generation_remove(acting_user=teammate, generation=old)
    job = services.generation_remove(acting_user=owner, generation=old)
    assert services.generation_remove(acting_user=owner, generation=old) == job
    with pytest.raises(Invalid):
        search(SearchRequest(query="berth", generation=old.pk), user=owner)
    assert found(owner)[0] == "Mooring"


def test_rest_follows_a_generation(
    api: Api, teammate_api: Api, owner: User, space: Space, other: ModelEndpoint, nodes: list[Node]
) -> None:
    path = "/api/v1/index-generations/"
    body = {"space": str(space.pk), "endpoint": str(other.pk)}
    assert teammate_api.post(path, body).status_code == 403
    assert teammate_api.get(path).json()["results"] == []
    made = api.post(path, body)
    assert (made.status_code, made.json()["progress"]) == (202, 0.0)
    assert api.post(path, body).json()["error"]["code"] == "generation_building"
    one = f"{path}{made.json()['id']}/"
    assert api.post(f"{one}activate/", {}).json()["error"]["code"] == "generation_not_ready"
    job_work(IngestJob.objects.latest("created_at").pk)
    whole = api.get(one).json()
    assert (whole["status"], whole["vectors"], whole["progress"]) == ("ready", 2, 1.0)
    assert api.post(f"{one}compare/", {}).json()["error"]["code"] == "no_golden_questions"
    asked = {"query": "berth", "generation": whole["id"], "explain": True}
    answer = api.post("/api/v1/search/", asked).json()
    assert api.post("/api/v1/search/", {"query": "ferry", "spaces": []}).json()["results"] == []
    assert answer["explanation"]["models"][0]["generations"] == [whole["id"]]
    refused = teammate_api.post("/api/v1/search/", asked)
    assert refused.json()["error"]["code"] == "no_such_generation"
    assert api.post(f"{one}activate/", {"reason": "Try"}).json()["status"] == "active"
    assert api.delete(one).json()["error"]["code"] == "generation_serves"
    back = api.post(f"{one}roll-back/", {})
    assert (back.status_code, back.json()["model_key"]) == (200, "hashing-384")
    rows = api.get(f"{path}switches/?space={space.pk}").json()["results"]
    assert [row["is_rollback"] for row in rows] == [True, False]
    assert Node.objects.filter(status=NodeStatus.PUBLISHED).count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_build_of_an_index_says_how_far_it_is(
    api: Api, client: Client, owner: User, space: Space, nodes: list[Node]
) -> None:
    generation = ensure_generation(space.pk)
    path = f"/api/v1/index-generations/{generation.pk}/"
    assert api.get(path).json()["ann_build"] is None

    def build() -> None:
        ann_index_ensure(generation, least=1)
        connection.close()

    User.objects.filter(pk=owner.pk).update(is_staff=True)
    client.force_login(owner, BACKEND)
    builder = threading.Thread(target=build)
    database = connection.settings_dict["NAME"]
    with psycopg.connect(os.environ["DATABASE_URL"], dbname=database) as writer:
        writer.execute("LOCK TABLE knowledge_embedding IN ROW EXCLUSIVE MODE")
        builder.start()
        deadline = time.monotonic() + 20
        while ann_progress(generation.pk) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        build_now = api.get(path).json()["ann_build"]
        shown = client.get(f"/admin/knowledge/indexgeneration/{generation.pk}/change/")
        polled = client.get(f"/admin/knowledge/indexgeneration/{generation.pk}/progress/").json()
    builder.join(20)
    assert (build_now["phase"], build_now["share"]) == ("waiting for writers before build", 0)
    assert "waiting for older transactions" in shown.content.decode()
    assert polled["ended"] is False
    assert ann_progress(generation.pk) is None
    assert api.get(path).json()["has_ann_index"] is True
