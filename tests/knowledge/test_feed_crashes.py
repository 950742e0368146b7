"""Runs of feeds whose worker dies, is cancelled, or fails in the middle."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from knowledge import feed_memory, feed_runs, leases, services
from knowledge.choices import FeedRunStatus, JobStatus
from knowledge.ingestion import job_work
from knowledge.models import Feed, FeedItem, FeedRun, IngestJob, Node, Source, Space
from project.accounts.models import User
from tests.support.feeds import contents, counts, feed_made, synced, work_all
from tests.support.site import Reply, Site

pytestmark = pytest.mark.django_db


class Crash(BaseException):
    """Ends a worker as a kill does: nothing of it is cleaned up."""


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> Iterator[Site]:
    settings.MEDIA_ROOT = tmp_path
    settings.ACERVO_EMBEDDING = "hashing"
    settings.ACERVO_FETCH_ALLOW = ["127.0.0.1"]
    with Site() as made:
        pages = [f"/{number}.html" for number in range(5)]
        made.page("/", "<p>Start</p>" + "".join(f'<a href="{each}">{each}</a>' for each in pages))
        for each in pages:
            made.page(each, f"<h1>Page {each[1]}</h1><p>About {each[1]}.</p>", etag=f'"{each}"')
        yield made


@pytest.fixture
def feed(owner: User, space: Space, site: Site) -> Feed:
    place = {"url": site.url("/"), "pause_ms": 0}
    made: Feed = feed_made(owner, space, "website", settings=place)
    return made


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[IngestJob, Any, str, int], None]:
    """Work off a job with a worker that dies after so many calls of a function."""

    def kill(job: IngestJob, module: Any, name: str, calls: int) -> None:
        original = getattr(module, name)
        left = [calls]

        def counted(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            left[0] -= 1
            if not left[0]:
                raise Crash
            return result

        with monkeypatch.context() as patch:
            patch.setattr(leases.Hold, "release", lambda *_args, **_options: None)  # kill -9
            patch.setattr(module, name, counted)
            with pytest.raises(Crash):
                job_work(job.pk)
        IngestJob.objects.filter(pk=job.pk).update(lease_until="2020-01-01T00:00:00Z")

    return kill


def nothing_is_left(run: FeedRun) -> None:
    """No orphan, no double: every source has its job, every key its one node."""
    assert run.changes.filter(applied_at=None, action__in=["added", "changed"]).count() == 0
    assert Source.objects.count() == IngestJob.objects.filter(kind="source").count()
    assert Source.objects.count() == FeedItem.objects.exclude(source=None).count()
    assert Node.objects.values("title").distinct().count() == Node.objects.count()


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [
        (feed_runs, "found_note", 1),
        (feed_runs, "found_note", 4),
        (feed_memory, "source_insert", 3),
        (feed_runs, "change_apply", 2),
        (feed_runs, "gone_note", 1),
        (feed_runs, "gone_archive", 1),
    ],
)
def test_a_first_run_killed_anywhere_goes_on_and_doubles_nothing(
    owner: User, feed: Feed, site: Site, killed: Any, module: Any, name: str, calls: int
) -> None:
    run = services.feed_sync(acting_user=owner, feed=feed)
    assert run.job is not None
    for child in [] if name != "gone_archive" else [run.job]:
        job_work(child.pk)  # lists, applies and pauses
        for job in IngestJob.objects.filter(kind="source"):
            job_work(job.pk)
        IngestJob.objects.filter(pk=child.pk).update(lease_until=None)
    killed(run.job, module, name, calls)
    work_all()
    run.refresh_from_db()
    assert (run.status, counts(run)) == (FeedRunStatus.COMPLETED, {"added": 6})
    assert len(contents()) == 6
    nothing_is_left(run)
    if name == "found_note":  # what was fetched is not fetched again
        fetched = [path for path in site.paths() if path != "/"]
        assert sorted(fetched) == sorted(set(fetched))


@pytest.mark.parametrize(
    ("module", "name", "calls"),
    [(feed_runs, "found_note", 3), (feed_runs, "_judge", 1), (feed_runs, "change_apply", 1)],
)
def test_a_later_run_killed_anywhere_leaves_old_or_new(
    owner: User, feed: Feed, site: Site, killed: Any, module: Any, name: str, calls: int
) -> None:
    synced(feed, owner)
    before = contents()
    for number in (1, 2, 3):
        site.page(f"/{number}.html", f"<h1>Page {number}</h1><p>New {number}.</p>", etag='"n"')
    run = services.feed_sync(acting_user=owner, feed=feed)
    assert run.job is not None
    killed(run.job, module, name, calls)
    assert contents() == before  # nothing is visible before it is read whole
    work_all()
    run.refresh_from_db()
    assert counts(run) == {"changed": 3, "unchanged": 3}
    assert sum("New" in text for text in contents().values()) == 3
    assert Node.objects.count() == 6
    assert Source.objects.count() == 9


def test_a_cancelled_run_leaves_nothing_behind(
    owner: User, feed: Feed, site: Site, killed: Any
) -> None:
    synced(feed, owner)
    site.page("/1.html", "<h1>Page 1</h1><p>New.</p>", etag='"n"')
    run = services.feed_sync(acting_user=owner, feed=feed)
    assert run.job is not None
    killed(run.job, feed_runs, "_judge", 1)
    services.job_cancel(acting_user=owner, job=run.job)
    work_all()
    run.refresh_from_db()
    assert run.status == FeedRunStatus.CANCELLED
    assert (Source.objects.count(), run.changes.count()) == (6, 0)
    assert counts(synced(feed, owner)) == {"changed": 1, "unchanged": 5}


def test_a_place_that_fails_half_way_changes_nothing_and_can_be_tried_again(
    owner: User, feed: Feed, site: Site
) -> None:
    synced(feed, owner)
    before = contents()
    site.page("/1.html", "<h1>Page 1</h1><p>New.</p>", etag='"n"')
    site.otherwise = Reply(b"", 503)
    del site.replies["/"]
    run = synced(feed, owner)
    assert run.status == FeedRunStatus.FAILED
    assert run.job is not None
    assert (run.job.attempts, run.job.error_code) == (leases.MAX_TRIES, "unreachable")
    assert contents() == before
    assert not FeedItem.objects.filter(missing_runs__gt=0).exists()
    site.otherwise = Reply(b"", 404)
    site.page("/", "<p>Start</p>" + "".join(f'<a href="{n}.html">x</a>' for n in range(5)))
    services.job_retry(acting_user=owner, job=run.job)
    work_all()
    run.refresh_from_db()
    assert run.status == FeedRunStatus.COMPLETED
    assert "New." in contents()["Page 1"]


def test_a_document_that_fails_leaves_its_old_text(owner: User, feed: Feed, site: Site) -> None:
    synced(feed, owner)
    site.page("/1.html", "", etag='"empty"')
    site.page("/2.html", "<p> </p>", etag='"blank"')
    site.page("/3.html", "<h1>Page 3</h1><p>New.</p>", etag='"n"')
    run = synced(feed, owner)
    assert run.status == FeedRunStatus.COMPLETED
    assert counts(run) == {"changed": 2, "unchanged": 3, "faults": 1}
    assert "About 1." in contents()["Page 1"]
    assert "About 2." in contents()["Page 2"]
    assert "New." in contents()["Page 3"]
    assert "1 item could not be read." in run.message
    assert IngestJob.objects.filter(status=JobStatus.FAILED).count() == 1
