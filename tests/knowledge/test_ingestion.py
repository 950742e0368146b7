"""Jobs from an upload to what search finds; the tasks are called as a worker would call them."""

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connection
from pytest_django import Settings

from knowledge import documents, indexing, ingestion, leases, services, stored_work, tasks
from knowledge.choices import GenerationStatus, JobStage, JobStatus, NodeStatus
from knowledge.ingestion import job_work
from knowledge.models import (
    Chunk,
    Embedding,
    IndexGeneration,
    IngestJob,
    Node,
    NodeVersion,
    Relation,
    Source,
    Space,
)
from project.accounts.models import User
from project.events.models import Event
from project.inference.types import EmbeddingUnavailable
from tests.support.files import make_pdf

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "# Tides\n\nThe tide turns twice a day.\n\n## Moon\n\nThe moon pulls the sea.\n"


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    settings.ACERVO_EMBEDDING = "hashing"
    return tmp_path


def pdf(*pages: str) -> bytes:
    return make_pdf([[page] if page else [] for page in pages])


def upload(user: User, space: Space, data: bytes | str = TEXT, name: str = "tides.md") -> Any:
    content = data.encode() if isinstance(data, str) else data
    return services.source_upload(
        acting_user=user, space=space, file=ContentFile(content, name=name), filename=name
    )


def work(job: IngestJob) -> IngestJob:
    job_work(job.pk)
    job.refresh_from_db()
    return job


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "jobs").glob("*"))


def test_an_upload_becomes_a_published_and_indexed_node(
    owner: User, space: Space, uploads: Path
) -> None:
    source, job, duplicate = upload(owner, space)
    assert (job.status, job.stage, duplicate) == (JobStatus.QUEUED, JobStage.QUEUED, None)
    job = work(job)

    node = Node.objects.get()
    assert (job.status, job.stage, job.progress) == (JobStatus.COMPLETED, JobStage.DONE, 1.0)
    assert (job.nodes, job.attempts, job.error_code) == ([node.pk], 1, "")
    assert set(job.timings) == {"extract", "store", "embed", "swap"}
    assert (node.title, node.status, node.version) == ("Tides", NodeStatus.PUBLISHED, 1)
    assert (node.source, node.owner, node.indexed_version) == (source, owner, 1)
    chunks = Chunk.objects.filter(node=node)
    assert chunks.exists()
    assert all(node.content[each.start : each.end] == each.text for each in chunks)
    assert Embedding.objects.count() == chunks.count()
    assert folders(uploads) == []
    types = Event.objects.order_by("position").values_list("type", flat=True)
    wanted = ["knowledge.source.stored", "knowledge.job.updated", "knowledge.node.published"]
    assert [each for each in types if each in wanted].index("knowledge.node.published") > 1


def test_pages_of_a_pdf_are_anchors(owner: User, space: Space) -> None:
    _source, job, _none = upload(owner, space, pdf("The first page.", "The last page."), "two.pdf")
    work(job)
    node = Node.objects.get()
    last = node.anchors[-1]
    assert last["page"] == 2
    assert "The last page." in node.content[last["start"] : last["end"]]


def test_an_editors_upload_waits_for_review(teammate: User, space: Space) -> None:
    _source, job, _none = upload(teammate, space)
    work(job)
    node = Node.objects.get()
    assert node.status == NodeStatus.IN_REVIEW
    assert not Chunk.objects.exists()


def test_the_same_file_again_makes_no_second_node(owner: User, space: Space) -> None:
    first, job, _none = upload(owner, space)
    work(job)
    again, second, duplicate = upload(owner, space, name="copy.md")
    assert duplicate == first.pk
    assert again.pk != first.pk
    second = work(second)
    assert (second.status, second.nodes) == (JobStatus.COMPLETED, [Node.objects.get().pk])


def test_a_file_that_cannot_be_read_fails_with_its_reason(owner: User, space: Space) -> None:
    locked = make_pdf([["Tides"]], password="secret")
    for data, code in ((pdf("", ""), "empty"), (locked, "encrypted")):
        job = work(upload(owner, space, data, "tides.pdf")[1])
        assert (job.status, job.error_code, job.attempts) == (JobStatus.FAILED, code, 1)
        assert job.error_message
    assert not Node.objects.exists()


def test_the_reason_is_in_the_language_of_whoever_asked(owner: User, space: Space) -> None:
    owner.language = "pt-br"
    owner.save()
    job = work(upload(owner, space, pdf("", ""), "blank.pdf")[1])
    assert job.error_message == "O arquivo não tem texto."


def test_a_long_document_is_divided(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_PART", 400, raising=False)
    monkeypatch.setattr("knowledge.parts.divide.__kwdefaults__", {"limit": 400})
    chapters = [f"# Chapter {n}\n\n" + f"Word {n} of the sea. " * 12 for n in range(1, 5)]
    _source, job, _none = upload(owner, space, "\n\n".join(chapters), "book.md")
    job = work(job)

    assert job.status == JobStatus.COMPLETED
    nodes = [Node.objects.get(pk=pk) for pk in job.nodes]
    assert "".join(node.content for node in nodes[1:]).count("# Chapter") == 4
    assert Relation.objects.filter(target=nodes[0], kind="part_of").count() == len(nodes) - 1
    assert Relation.objects.filter(source=nodes[0], kind="links_to").count() == len(nodes) - 1


class Crash(BaseException):
    """Ends a worker as a kill does: nothing of it is cleaned up."""


def crash_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Let the first call of a function do its work, and then let the worker die."""
    original: Callable[..., Any] = getattr(module, name)
    crashed: list[bool] = []

    def once(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if isinstance(result, Iterator):
            result = list(result)
        if not crashed:
            crashed.append(True)
            raise Crash
        return result

    monkeypatch.setattr(module, name, once)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (documents.Apart, "documents"),
        (ingestion, "documents_read"),
        (ingestion, "nodes_planned"),
        (ingestion, "prepare_nodes"),
        (ingestion, "swap"),
        (leases, "job_settle"),
    ],
)
def test_a_worker_killed_at_any_stage_is_followed_by_one_that_completes(
    owner: User,
    space: Space,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
) -> None:
    _source, job, _none = upload(owner, space, pdf("The first page.", "The last page."), "two.pdf")
    monkeypatch.setattr(leases.Hold, "release", lambda *_args, **_options: None)  # kill -9
    crash_after(monkeypatch, module, name)
    with pytest.raises(Crash):
        job_work(job.pk)
    job.refresh_from_db()
    assert job.status == JobStatus.PROCESSING
    assert not Node.objects.exists()
    assert not Chunk.objects.exists()

    assert job_work(job.pk) is None
    job.refresh_from_db()
    assert job.status == JobStatus.PROCESSING  # its lease has not run out
    IngestJob.objects.update(lease_until="2020-01-01T00:00:00Z")
    job = work(job)
    assert (job.status, job.attempts) == (JobStatus.COMPLETED, 2)
    node = Node.objects.get()
    assert NodeVersion.objects.filter(id=node.pk).count() == 1
    assert Embedding.objects.count() == Chunk.objects.count() > 0
    assert Event.objects.filter(type="knowledge.node.published").count() == 1


def test_pages_once_read_are_not_read_again(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source, job, _none = upload(owner, space, pdf("One.", "Two.", "Three."), "three.pdf")
    original, begun = documents.Apart.pages, []

    def interrupted(self: Any, *, after: Any, **options: Any) -> Iterator[Any]:
        begun.append(after.index + 1 if after else 0)
        for page in original(self, after=after, **options):
            if len(begun) == 1 and page.index == 2:
                raise OperationalError("the server closed the connection")
            yield page

    monkeypatch.setattr(documents.Apart, "pages", interrupted)
    assert job_work(job.pk) is not None
    IngestJob.objects.update(lease_until=None)
    assert work(job).status == JobStatus.COMPLETED
    assert begun == [0, 2]


def test_a_transient_fault_is_tried_five_times(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source, job, _none = upload(owner, space)

    def away(*_args: Any, **_options: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(ingestion, "swap", away)
    waits = []
    for _ in range(5):
        waits.append(job_work(job.pk))
        IngestJob.objects.filter(status=JobStatus.QUEUED).update(lease_until=None)
    job.refresh_from_db()
    assert all(waits[:4])
    assert waits[4] is None
    assert (job.status, job.error_code, job.attempts) == (JobStatus.FAILED, "unavailable", 5)
    assert not Node.objects.exists()

    monkeypatch.undo()
    services.job_retry(acting_user=owner, job=job)
    assert work(job).status == JobStatus.COMPLETED


def test_two_workers_do_a_job_once(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source, job, _none = upload(owner, space)
    inside, go_on = threading.Event(), threading.Event()
    original, reads = ingestion.documents_read, []

    def slowly(*args: Any) -> Any:
        reads.append(1)
        inside.set()
        go_on.wait(10)
        return original(*args)

    monkeypatch.setattr(ingestion, "documents_read", slowly)

    def first_worker() -> None:
        try:
            job_work(job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=first_worker)
    thread.start()
    inside.wait(10)
    assert job_work(job.pk) is None
    go_on.set()
    thread.join()
    job.refresh_from_db()
    assert (job.status, len(reads), Node.objects.count()) == (JobStatus.COMPLETED, 1, 1)


def test_who_lost_the_lease_changes_nothing(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source, job, _none = upload(owner, space)
    original = ingestion.prepare_nodes

    def overtaken(*args: Any, **options: Any) -> Any:
        monkeypatch.undo()
        IngestJob.objects.update(lease_until="2020-01-01T00:00:00Z")
        assert work(job).status == JobStatus.COMPLETED
        return original(*args, **options)

    monkeypatch.setattr(ingestion, "prepare_nodes", overtaken)
    job_work(job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempts, Node.objects.count()) == (JobStatus.COMPLETED, 2, 1)
    assert Event.objects.filter(type="knowledge.node.created").count() == 1


def test_many_nodes_are_stored_and_indexed_by_a_job(owner: User, space: Space) -> None:
    rows = [
        {"external_id": f"N-{n}", "title": f"Note {n}", "content": f"Buoy {n} is [[Note 0]]."}
        for n in range(5)
    ]
    rows[1]["valid_from"] = "2026-01-01T00:00:00Z"
    job = work(services.nodes_bulk(acting_user=owner, space=space, rows=rows))

    assert (job.status, len(job.nodes), job.payload) == (JobStatus.COMPLETED, 5, {})
    assert Node.objects.filter(indexed_version=1, status=NodeStatus.PUBLISHED).count() == 5
    assert Relation.objects.filter(kind="links_to").count() == 4
    rows[0]["content"] = "Changed."
    again = work(services.nodes_bulk(acting_user=owner, space=space, rows=rows))
    assert again.nodes == job.nodes
    changed = Node.objects.get(external_id="N-0")
    assert (changed.version, changed.indexed_version) == (2, 2)
    assert list(Chunk.objects.filter(node=changed).values_list("version", flat=True)) == [2]


def test_a_bulk_job_that_died_goes_on(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_work, "BATCH", 2)
    rows = [{"title": f"Note {n}", "content": f"Buoy {n}."} for n in range(5)]
    job = services.nodes_bulk(acting_user=owner, space=space, rows=rows)
    crash_after(monkeypatch, stored_work, "swap")
    with pytest.raises(Crash):
        job_work(job.pk)
    assert work(job).status == JobStatus.COMPLETED
    assert Node.objects.filter(indexed_version=1).count() == 5
    assert NodeVersion.objects.count() == 5


def test_the_rows_of_a_bulk_job_are_embedded_while_they_are_stored(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding, embed, write = threading.Event(), indexing.embed_texts, stored_work.rows_write
    calls: list[int] = []

    def embed_texts(*args: Any, **options: Any) -> Any:
        embedding.set()
        calls.append(len(args[1]))
        return embed(*args, **options)

    def rows_write(*args: Any, **options: Any) -> Any:
        assert embedding.wait(30)
        return write(*args, **options)

    monkeypatch.setattr(indexing, "embed_texts", embed_texts)
    monkeypatch.setattr(stored_work, "rows_write", rows_write)
    rows = [{"title": f"Note {n}", "content": f"Buoy {n}.", "external_id": n} for n in "abc"]
    job = work(services.nodes_bulk(acting_user=owner, space=space, rows=rows))
    assert (job.status, calls) == (JobStatus.COMPLETED, [3])  # and none of them again
    assert Node.objects.filter(indexed_version=1).count() == 3


def test_a_job_of_someone_without_the_role_any_more_fails(teammate: User, space: Space) -> None:
    _source, job, _none = upload(teammate, space)
    teammate.groups.clear()
    job = work(job)
    assert (job.status, job.error_code) == (JobStatus.FAILED, "not_found")


def test_a_job_that_is_gone_is_no_error() -> None:
    assert job_work(uuid.uuid4()) is None


def test_the_source_keeps_its_facts(owner: User, space: Space) -> None:
    upload(owner, space, name="../../etc/pass\x07wd.md")
    assert Source.objects.get().filename == "passwd.md"


def test_without_an_embedding_model_it_publishes_and_words_are_found(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    _source, job, _none = upload(owner, space)

    def away(*_args: Any, **_options: Any) -> None:
        raise EmbeddingUnavailable("unreachable", "The embedding model is away.")

    monkeypatch.setattr(indexing, "embed_texts", away)
    for _ in range(5):
        job_work(job.pk)
        IngestJob.objects.filter(status=JobStatus.QUEUED).update(lease_until=None)
    job.refresh_from_db()
    node = Node.objects.get()
    assert (job.status, node.status) == (JobStatus.COMPLETED, NodeStatus.PUBLISHED)
    tasks.node_index(str(node.pk))
    assert Chunk.objects.filter(node=node).exists()
    assert not Embedding.objects.exists()


def test_an_index_is_rebuilt_while_the_old_one_serves(owner: User, space: Space) -> None:
    _source, job, _none = upload(owner, space)
    work(job)
    old = IndexGeneration.objects.get()
    job = services.index_rebuild(acting_user=owner, space=space)
    old.refresh_from_db()
    assert old.status == GenerationStatus.ACTIVE
    assert work(job).status == JobStatus.COMPLETED
    new = IndexGeneration.objects.get(status=GenerationStatus.ACTIVE)
    assert new != old
    assert Embedding.objects.filter(generation=new).count() == Chunk.objects.count() > 0


def test_progress_of_the_vectors_counts_passages_and_no_try_repeats_them(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n\n".join(f"# Chapter {n}\n\nThe rope of buoy {n} is long." for n in range(4))
    _source, job, _none = upload(owner, space, text)
    original, told = indexing.embed_texts, []

    def interrupted(model: Any, texts: list[str], **options: Any) -> Any:
        """Do a half more at each try, as where the other half is kept, and fail."""
        told.append(len(told) + 1)
        options["progress"](min(4, 2 * len(told)), 4)
        if len(told) <= 7:
            raise OperationalError("the server closed the connection")
        return original(model, texts, **options)

    monkeypatch.setattr(indexing, "embed_texts", interrupted)
    for _ in range(7):
        job_work(job.pk)
        IngestJob.objects.filter(status=JobStatus.QUEUED).update(lease_until=None)
    job.refresh_from_db()
    assert (job.status, len(told)) == (JobStatus.FAILED, 6)  # five without anything new
    assert job.checkpoint["embedded"] == 4
