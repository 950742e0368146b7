"""The admin of jobs: the queue, one job with its log, failures that wait for somebody."""

import datetime
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from knowledge import services
from knowledge.choices import JobStage, JobStatus, LogLevel
from knowledge.job_log import KEPT, job_note, sentence
from knowledge.job_queue import queue_state
from knowledge.leases import job_hold
from knowledge.models import IngestJob, JobLogLine, Source, Space
from project.accounts.models import User
from tests.conftest import Api
from tests.support.admin_client import signed_in

JOBS = "/admin/knowledge/ingestjob/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


def failed(owner: User, space: Space, **values: Any) -> IngestJob:
    ended = {"status": JobStatus.FAILED, "finished_at": timezone.now(), "error_code": "broken"}
    return IngestJob.objects.create(space=space, created_by=owner, **ended, **values)


def text_of(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_the_page_of_a_job_tells_everything_of_it(
    client: Client, owner: User, space: Space
) -> None:
    sources = [
        Source.objects.create(
            space=space, created_by=owner, filename="a.pdf", sha256="a" * 64, title=title
        )
        for title in ("First copy", "Second copy")
    ]
    job = IngestJob.objects.create(
        space=space,
        source=sources[1],
        created_by=owner,
        status=JobStatus.PROCESSING,
        stage=JobStage.EMBED,
        started_at=timezone.now() - datetime.timedelta(minutes=3),
        lease_owner="elsewhere:1:x",
        lease_until=timezone.now() + datetime.timedelta(minutes=1),
        progress=0.6,
        pages_done=34,
        pages_total=34,
        pages_rate=12.5,
        passages_done=40,
        passages_total=100,
        passages_rate=0.5,
        timings={"extract": 2.72},
        trace_id="trace-of-this",
        attempts=2,
    )
    job_note(job, "retry", level=LogLevel.WARNING, tries=1, most=5, wait=3, reason="The <b>!")
    page = client.get(f"{JOBS}{job.pk}/change/")
    text = text_of(page)
    for said in ("34 of 34", "12.5 a second", "40 of 100", "0.5 a second", "About left 2 minutes",
                 "Extracting text done 2.7 s", "First copy", "Second copy", "trace-of-this",
                 "Try 1 of 5 ended"):  # fmt: skip
        assert said in text, said
    assert "The <b>!" not in page.content.decode()
    live = client.get(f"{JOBS}{job.pk}/live/").json()
    assert "40 of 100" in live["html"]
    assert (live["ended"], "60%" in live["said"]) == (False, True)


def test_the_log_speaks_the_language_of_its_reader_and_stays_short(
    owner: User, space: Space
) -> None:
    rows = [{"title": "Tides", "content": "Twice a day."}]
    job = services.nodes_bulk(acting_user=owner, space=space, rows=rows)
    with job_hold(job.pk) as hold:
        assert hold is not None
        with hold.stage(JobStage.EXTRACT, 0.0):
            hold.count("pages", 3, 3)
        with hold.finishing():
            pass
    codes = list(job.log.values_list("code", flat=True))
    assert codes[:3] == ["queued", "taken", "stage"]
    assert codes[-1] == "completed"
    assert all("%(" not in sentence(line) for line in job.log.all())
    assert job.log.get(code="taken").worker
    stage = job.log.filter(code="stage").first()
    with translation.override("pt-br"):
        assert sentence(stage) != "Extracting text."
        job.error_message = "The file is damaged or incomplete: it cannot be read."
        assert job.failure.startswith("O arquivo está danificado")
        failed = JobLogLine(code="failed", data={"reason": job.error_message})
        assert "O arquivo está danificado" in sentence(failed)
    assert sentence(JobLogLine(code="pages", data={"count": 1})) == "1 page read."
    for number in range(KEPT + 5):
        job_note(job, "said", text=f"line {number}\0")
    assert job.log.count() == KEPT
    assert job.log.last().data == {"text": f"line {KEPT + 4}"}


def test_failures_are_dismissed_together_and_one_button_brings_them_back(
    client: Client, owner: User, space: Space
) -> None:
    jobs = [failed(owner, space) for _ in range(3)]
    ids = [str(job.pk) for job in jobs]
    sent = {"action": "jobs_dismiss", "_selected_action": ids[:2]}
    page = client.post(f"{JOBS}?dead=open", sent, follow=True)
    assert "2 failures are dismissed." in text_of(page)
    assert IngestJob.objects.dead().count() == 1
    assert ids[0] not in client.get(f"{JOBS}?dead=open").content.decode()
    assert ids[0] in client.get(f"{JOBS}?dead=dismissed").content.decode()
    assert "2 failures are back." in text_of(client.post(f"{JOBS}undo/", follow=True))
    assert IngestJob.objects.dead().count() == 3
    client.post(f"{JOBS}undo/")  # once only
    sent = {"action": "jobs_retry", "_selected_action": ids}
    client.post(f"{JOBS}?dead=open", sent)
    assert set(IngestJob.objects.values_list("status", flat=True)) == {"queued"}


def test_the_list_filters_and_shows_the_queue(client: Client, owner: User, space: Space) -> None:
    old = timezone.now() - datetime.timedelta(days=8)
    dead = failed(owner, space)
    IngestJob.objects.filter(pk=dead.pk).update(created_at=old)
    waiting = IngestJob.objects.create(space=space, created_by=owner)
    IngestJob.objects.filter(pk=waiting.pk).update(
        queued_at=timezone.now() - datetime.timedelta(minutes=4)
    )
    text = text_of(client.get(JOBS))
    assert "Waiting 1 oldest: 4 minutes" in text
    assert "Dead letters 1" in text
    state = queue_state(IngestJob.objects.all())
    assert (state.waiting, state.running, state.dead, state.failed_last_hour) == (1, 0, 1, 1)
    for age, shown in (("hour", waiting), ("older", dead)):
        html = client.get(f"{JOBS}?age={age}").content.decode()
        assert [str(each.pk) in html for each in (waiting, dead)] == [
            each is shown for each in (waiting, dead)
        ]


def test_a_page_of_jobs_asks_once_for_all_places(
    client: Client,
    owner: User,
    space: Space,
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(20):
        IngestJob.objects.create(space=space, created_by=owner)
    with django_assert_max_num_queries(45):
        client.get(JOBS)


def test_a_script_is_answered_with_json(client: Client, owner: User, space: Space) -> None:
    job = failed(owner, space)
    headers = {"Accept": "application/json"}
    answer = client.post(f"{JOBS}{job.pk}/retry/", headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": "queued"})
    answer = client.post(f"{JOBS}{job.pk}/dismiss/", headers=headers)
    assert (answer.status_code, "failed" in answer.json()["message"]) == (409, True)


def test_rest_tells_counts_log_queue_and_dead_letters(
    api: Api, stranger_api: Api, owner: User, space: Space
) -> None:
    job = failed(owner, space, passages_done=3, passages_total=9, passages_rate=1.5)
    job_note(job, "failed", level=LogLevel.ERROR, reason="Broken.")
    shown = api.get(f"/api/v1/jobs/{job.pk}/").json()
    assert shown["passages"] == {"done": 3, "total": 9, "per_second": 1.5}
    assert (shown["pages"], shown["is_dead"], shown["duplicate_of"]) == (None, True, None)
    (line,) = api.get(f"/api/v1/jobs/{job.pk}/log/").json()["results"]
    assert (line["level"], line["text"]) == ("error", "Failed for good: Broken.")
    assert stranger_api.get(f"/api/v1/jobs/{job.pk}/log/").status_code == 404
    dead = "/api/v1/jobs/?status=dead"
    assert [each["id"] for each in api.get(dead).json()["results"]] == [str(job.pk)]
    other = "00000000-0000-4000-8000-000000000000"
    said = api.post("/api/v1/jobs/dismiss/", {"jobs": [str(job.pk), other]}).json()
    assert said["done"] == [str(job.pk)]
    assert [(each["job"], each["code"]) for each in said["refused"]] == [(other, "not_found")]
    assert api.get(dead).json()["results"] == []
    assert api.post(f"/api/v1/jobs/{job.pk}/restore/").json()["is_dead"] is True
    assert api.get("/api/v1/jobs/queue/").json()["dead"] == 1
    assert stranger_api.get("/api/v1/jobs/queue/").json()["dead"] == 0
