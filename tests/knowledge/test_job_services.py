"""Cancel, retry, recover: what becomes of jobs that do not simply run."""

import datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from knowledge import leases, recovery, services
from knowledge.choices import JobStage, JobStatus
from knowledge.ingestion import job_work
from knowledge.job_places import Place, place_of, places_of
from knowledge.leases import MAX_TRIES, JobCancelled, JobPaused, job_hold
from knowledge.models import IngestJob, Node, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.aio import sync_redis
from project.events.models import Event
from project.http.errors import Conflict, Forbidden, NotFound
from tests.conftest import grant

pytestmark = pytest.mark.django_db(transaction=True)


def begin(user: User, space: Space, title: str = "Tides") -> IngestJob:
    return services.nodes_bulk(acting_user=user, space=space, rows=[{"title": title}])


def set_to(job: IngestJob, **values: Any) -> None:
    IngestJob.objects.filter(pk=job.pk).update(**values)


def test_a_waiting_job_is_cancelled_at_once(owner: User, space: Space) -> None:
    job = services.job_cancel(acting_user=owner, job=begin(owner, space))
    assert (job.status, job.finished_at is not None) == (JobStatus.CANCELLED, True)
    assert job_work(job.pk) is None
    assert not Node.objects.exists()


def test_a_running_job_ends_at_its_next_step(owner: User, space: Space) -> None:
    job = begin(owner, space)
    with job_hold(job.pk) as hold:
        assert hold is not None
        services.job_cancel(acting_user=owner, job=job)
        with pytest.raises(JobCancelled):
            hold.check()
        with pytest.raises(JobCancelled), hold.finishing():
            pytest.fail("a cancelled job must not finish")
        hold.settle(JobStatus.CANCELLED)
    job.refresh_from_db()
    assert job.status == JobStatus.CANCELLED


def test_a_cancelled_job_can_be_tried_again_but_not_a_completed_one(
    owner: User, space: Space
) -> None:
    job = services.job_cancel(acting_user=owner, job=begin(owner, space))
    job = services.job_retry(acting_user=owner, job=job)
    assert (job.status, job.cancel_requested) == (JobStatus.QUEUED, False)
    set_to(job, status=JobStatus.COMPLETED)
    with pytest.raises(Conflict):
        services.job_retry(acting_user=owner, job=job)


def test_others_jobs_are_a_curators_matter(
    owner: User, teammate: User, stranger: User, space: Space
) -> None:
    job = begin(owner, space)
    with pytest.raises(NotFound):
        services.job_cancel(acting_user=stranger, job=job)
    with pytest.raises(Forbidden):
        services.job_cancel(acting_user=teammate, job=job)
    grant(space, teammate, Role.CURATOR)
    assert services.job_cancel(acting_user=teammate, job=job).status == JobStatus.CANCELLED


def test_the_queue_tells_the_place_and_an_estimate(owner: User, space: Space) -> None:
    first, second = begin(owner, space), begin(owner, space)
    places = places_of([first, second])
    assert (places[first.pk].position, places[second.pk].position) == (1, 2)
    assert places[first.pk].eta_seconds is None
    now = timezone.now()
    done = begin(owner, space)
    started = now - datetime.timedelta(seconds=10)
    set_to(done, status=JobStatus.COMPLETED, started_at=started, finished_at=now)
    assert (place_of(first).eta_seconds, place_of(second).eta_seconds) == (10, 20)
    set_to(
        first,
        status=JobStatus.PROCESSING,
        started_at=started,
        progress=0.5,
        lease_owner="elsewhere:1:x",
        lease_until=now + datetime.timedelta(minutes=1),
    )
    first.refresh_from_db()
    assert place_of(first).position is None
    assert place_of(first).eta_seconds in {10, 11}
    assert place_of(second) == Place(1, place_of(second).eta_seconds)
    assert place_of(second).eta_seconds in {20, 21}  # what runs is before it
    set_to(first, stage=JobStage.EMBED, passages_done=40, passages_total=100, passages_rate=20.0)
    first.refresh_from_db()
    assert place_of(first).eta_seconds == 3  # by its own speed


def test_a_job_that_kills_its_workers_is_given_up(owner: User, space: Space) -> None:
    job = begin(owner, space)
    set_to(
        job,
        status=JobStatus.PROCESSING,
        lease_until=timezone.now() - datetime.timedelta(seconds=1),
        checkpoint={"tries": MAX_TRIES},
    )
    assert job_work(job.pk) is None
    job.refresh_from_db()
    assert (job.status, job.error_code) == (JobStatus.FAILED, "gave_up")
    last = Event.objects.filter(subject_id=job.pk).order_by("position").last()
    assert last is not None
    assert last.payload["status"] == "failed"


def test_a_holder_that_died_on_this_machine_is_followed_at_once(owner: User, space: Space) -> None:
    job = begin(owner, space)
    with job_hold(job.pk) as hold:
        assert hold is not None
        owner_now = IngestJob.objects.get(pk=job.pk).lease_owner
    machine, _pid, token = owner_now.split(":")
    dead = f"{machine}:4194305:{token}"  # above every process id that Linux gives
    set_to(job, lease_owner=dead, lease_until=timezone.now() + datetime.timedelta(minutes=1))
    with job_hold(job.pk) as hold:
        assert hold is not None
    set_to(job, lease_owner="elsewhere:1:x", status=JobStatus.PROCESSING)
    with job_hold(job.pk) as hold:
        assert hold is None


def test_only_what_nobody_has_in_hand_is_sent_again(owner: User, space: Space) -> None:
    fresh, lost, paused, running, dead = (begin(owner, space, f"N{n}") for n in range(5))
    now = timezone.now()
    long_ago, soon = now - datetime.timedelta(minutes=5), now + datetime.timedelta(minutes=1)
    set_to(lost, queued_at=long_ago)
    set_to(paused, queued_at=long_ago, lease_until=soon)
    set_to(running, status=JobStatus.PROCESSING, lease_until=soon)
    set_to(dead, status=JobStatus.PROCESSING, lease_until=long_ago)
    assert recovery.jobs_to_send() == []  # their messages wait in a long queue: not stuck
    sync_redis().delete(recovery.QUEUE)
    assert set(recovery.jobs_to_send()) == {lost.pk, dead.pk}
    assert recovery.jobs_to_send() == []  # they were sent just now
    with job_hold(fresh.pk) as hold:
        assert hold is not None
        machine, _pid, token = IngestJob.objects.get(pk=fresh.pk).lease_owner.split(":")
        set_to(fresh, lease_owner=f"{machine}:4194305:{token}")
        assert recovery.jobs_to_send() == [fresh.pk]  # its holder is no more


def test_nodes_whose_index_is_behind_are_indexed(owner: User, space: Space) -> None:
    old = timezone.now() - datetime.timedelta(minutes=5)
    nodes = {
        title: services.node_create(acting_user=owner, space=space, title=title, status=status)
        for title, status in [("Never", "published"), ("Draft", "draft"), ("Done", "published")]
    }
    Node.objects.update(updated_at=old)
    Node.objects.filter(title="Done").update(indexed_version=1)
    services.node_create(acting_user=owner, space=space, title="Just now", status="published")
    in_hand = services.node_create(acting_user=owner, space=space, title="Held", status="published")
    Node.objects.filter(pk=in_hand.pk).update(updated_at=old)
    set_to(begin(owner, space), nodes=[in_hand.pk])
    assert recovery.nodes_to_index() == [nodes["Never"].pk]


def test_files_without_a_row_are_swept_away(
    owner: User, space: Space, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    folder = tmp_path / "sources" / "ab"
    folder.mkdir(parents=True)
    for name in ("0d7c1b4e-0000-4000-8000-000000000000", ".x.part"):
        (folder / name).write_bytes(b"left over")
    assert recovery.files_sweep() == 0
    assert recovery.files_sweep(now=timezone.now().timestamp() + 7200) == 2
    assert list(folder.iterdir()) == []


def test_a_long_job_lets_others_have_a_turn(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "TURN", 0.0)
    long = begin(owner, space)
    with job_hold(long.pk) as hold:
        assert hold is not None
        hold.turn()  # nobody waits
        begin(owner, space, "Short")
        with pytest.raises(JobPaused):
            hold.turn()
        hold.pause(0.0)
    long.refresh_from_db()
    assert (long.status, long.lease_owner, long.attempts) == (JobStatus.PROCESSING, "", 1)
    job_work(long.pk)
    long.refresh_from_db()
    assert (long.status, long.attempts) == (JobStatus.COMPLETED, 1)


def test_clocks_of_machines_do_not_matter(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = begin(owner, space)
    with job_hold(job.pk) as hold:
        assert hold is not None
        later = timezone.now() + datetime.timedelta(hours=1)
        monkeypatch.setattr(timezone, "now", lambda: later)  # this machine's clock is off
        set_to(job, lease_owner="elsewhere:1:x")
        with job_hold(job.pk) as second:
            assert second is None
        assert recovery.jobs_to_send() == []
