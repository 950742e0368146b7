"""Nodes and spaces that are deleted while somebody embeds them: nothing of them is left behind."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from knowledge import generation_building, indexing, ingestion, services, stored_work
from knowledge.choices import GenerationStatus, JobStatus, NodeStatus
from knowledge.ingestion import job_work
from knowledge.job_log import job_note
from knowledge.models import (
    Chunk,
    Embedding,
    IndexedVersion,
    IndexGeneration,
    IngestJob,
    JobLogLine,
    Node,
    PastChunk,
    PastVector,
    Source,
    Space,
)
from knowledge.services import spaces
from knowledge.statistics import totals
from project.accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    settings.ACERVO_EMBEDDING = "hashing"
    return tmp_path


Once = Callable[[Any, str, Callable[[], object]], None]


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Once:
    """Has something happen the moment before a function works for the first time."""

    def arrange(module: Any, name: str, deed: Callable[[], object]) -> None:
        original, done = getattr(module, name), []

        def first_that(*args: Any, **options: Any) -> Any:
            if not done:
                done.append(deed())
            return original(*args, **options)

        monkeypatch.setattr(module, name, first_that)

    return arrange


def assert_nothing_is_left(*kept: Node) -> None:
    """No row of the index is of another node than those."""
    ids = {node.pk for node in kept}
    for model in (Chunk, Embedding, PastChunk):
        assert set(model._default_manager.values_list("node_id", flat=True)) <= ids, model
    assert set(IndexedVersion.objects.values_list("node_id", flat=True)) <= ids
    assert not PastVector.objects.exists()


def published(owner: User, space: Space, title: str) -> Node:
    text = f"{title}: the tide turns twice a day."
    return services.node_create(
        acting_user=owner, space=space, title=title, content=text, status=NodeStatus.PUBLISHED
    )


def test_a_node_that_goes_while_it_is_embedded_is_not_indexed(
    owner: User, space: Space, before: Once
) -> None:
    node = published(owner, space, "Tides")
    before(indexing, "embed_texts", partial(services.node_delete, acting_user=owner, node=node))
    assert indexing.index_node(node.pk) is False
    assert_nothing_is_left()
    assert totals([space.pk]).passages == 0


def test_a_space_that_goes_while_its_node_is_embedded_takes_all_with_it(
    owner: User, space: Space, before: Once
) -> None:
    node = published(owner, space, "Tides")

    def deed() -> None:
        services.node_archive(acting_user=owner, node=node)
        services.space_delete(acting_user=owner, space=space)

    before(indexing, "ensure_generation", deed)
    assert indexing.index_node(node.pk) is False
    assert_nothing_is_left()
    assert not IndexGeneration.objects.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [(ingestion, "documents_read"), (indexing, "ensure_generation"), (indexing, "embed_texts")],
)
def test_a_space_that_goes_ends_the_job_that_reads_for_it(
    owner: User, space: Space, uploads: Path, before: Once, module: Any, name: str
) -> None:
    taken = services.source_upload(
        acting_user=owner, space=space, file=ContentFile(b"# Tides\n\nTwice."), filename="t.md"
    )
    before(module, name, partial(services.space_delete, acting_user=owner, space=space))
    assert job_work(taken.job.pk) is None
    for model in (Node, Source, IngestJob, JobLogLine, IndexGeneration):
        assert not model._default_manager.exists(), model
    assert_nothing_is_left()
    assert list((uploads / "jobs").glob("*")) == []


def test_nobody_writes_to_the_log_of_a_job_whose_space_is_going(
    owner: User, space: Space, before: Once
) -> None:
    rows = [{"title": "Note", "content": "Buoy."}]
    job = services.nodes_bulk(acting_user=owner, space=space, rows=rows)
    refused: list[BaseException | None] = []

    def note() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = 100")
                job_note(job, "queued")
        finally:
            connection.close()

    def deed() -> None:
        with ThreadPoolExecutor(1) as other:
            refused.append(other.submit(note).exception())

    before(spaces, "releases_of_space_remove", deed)
    services.space_delete(acting_user=owner, space=space)
    assert [type(each) for each in refused] == [OperationalError]
    assert not IngestJob.objects.exists()


def test_a_bulk_job_goes_on_without_the_node_that_went(
    owner: User, space: Space, before: Once
) -> None:
    rows = [{"title": f"Note {n}", "content": f"Buoy {n}.", "external_id": str(n)} for n in (1, 2)]
    job = services.nodes_bulk(acting_user=owner, space=space, rows=rows)

    def deed() -> None:
        services.node_delete(acting_user=owner, node=Node.objects.get(external_id="1"))

    before(stored_work, "swap", deed)
    assert job_work(job.pk) is None
    job.refresh_from_db()
    kept = Node.objects.get()
    assert (job.status, kept.indexed_version) == (JobStatus.COMPLETED, 1)
    assert_nothing_is_left(kept)


def test_an_index_that_is_built_takes_in_no_node_that_went(
    owner: User, space: Space, before: Once
) -> None:
    gone, kept = published(owner, space, "Tides"), published(owner, space, "Moon")
    for node in (gone, kept):
        assert indexing.index_node(node.pk)
    built = IndexGeneration.objects.get()
    built.pk, built.status = uuid.uuid4(), GenerationStatus.BUILDING
    built.save(force_insert=True)
    deed = partial(services.node_delete, acting_user=owner, node=gone)
    before(generation_building, "embed_texts", deed)
    generation_building.generation_fill(built)
    assert Embedding.objects.filter(generation=built).get().node_id == kept.pk
    for model in (Chunk, Embedding):
        assert set(model._default_manager.values_list("node_id", flat=True)) == {kept.pk}
