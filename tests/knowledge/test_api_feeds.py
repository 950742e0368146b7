"""REST: imports of addresses and repositories, feeds, their runs and decisions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from dulwich import porcelain
from pytest_django import Settings

from knowledge.choices import FeedRunStatus, JobStatus
from knowledge.feed_starting import feeds_run_due
from knowledge.models import Feed, FeedRun, IngestJob, Node, Source, Space
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User
from tests.conftest import Api
from tests.support.feeds import contents, work_all
from tests.support.site import Reply, Site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "uploads"
    settings.ACERVO_EMBEDDING = "hashing"
    settings.ACERVO_FETCH_ALLOW = ["127.0.0.1"]
    opened = tmp_path / "opened"
    opened.mkdir()
    settings.ACERVO_FEED_FOLDERS = [str(opened)]
    return opened


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def job_of(api: Api, answer: Any) -> Any:
    assert answer.status_code == 202, answer.json()
    work_all()
    return api.get(f"/api/v1/jobs/{answer.json()['job']['id']}/").json()


def test_an_address_is_imported_once_and_then_brought_up_to_date(
    api: Api, owner: User, space: Space, site: Site
) -> None:
    html = "<html><head><title>Tides</title></head><body><h1>Tides</h1><p>{}</p></body></html>"
    site.page("/tides", html.format("They turn twice a day."))
    body = {"url": site.url("/tides"), "space": str(space.pk)}
    job = job_of(api, api.post("/api/v1/imports/", body))
    assert (job["status"], job["kind"], len(job["nodes"])) == ("completed", "import", 1)
    node = Node.objects.get(pk=job["nodes"][0])
    assert node.source is not None
    assert (node.title, node.source.kind, node.source.origin) == ("Tides", "url", body["url"])
    found = search(SearchRequest(query="turn twice"), user=owner)
    assert [each.node for each in found.results] == [node.pk]
    again = job_of(api, api.post("/api/v1/imports/", body))
    assert again["nodes"] == job["nodes"]
    site.page("/tides", html.format("They turn four times."))
    job_of(api, api.post("/api/v1/imports/", body))
    node.refresh_from_db()
    assert (node.version, "four times" in node.content) == (2, True)
    assert Node.objects.count() == 1


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/"]
)
def test_an_address_inside_fails_its_job_and_says_why(api: Api, space: Space, url: str) -> None:
    job = job_of(api, api.post("/api/v1/imports/", {"url": url, "space": str(space.pk)}))
    assert (job["status"], job["error"]["code"], job["attempts"]) == ("failed", "unreachable", 1)
    assert not Source.objects.exists()


def test_a_page_that_is_not_there_or_not_readable_fails_its_job(
    api: Api, space: Space, site: Site
) -> None:
    site.text("/a.bin", b"MZ\0\1\2", "application/octet-stream")
    site.replies["/away"] = Reply(b"", 403)
    for path, code in (("/a.bin", "unsupported_type"), ("/away", "unreachable")):
        job = job_of(api, api.post("/api/v1/imports/", {"url": site.url(path)}
                                   | {"space": str(space.pk)}))  # fmt: skip
        assert (job["status"], job["error"]["code"]) == ("failed", code)


@pytest.mark.parametrize(
    "body", [{}, {"url": "https://a.b/", "git": "https://a.b/"}, {"url": "ftp://a.b/"},
             {"url": "https://me:word@a.b/"}, {"git": "ssh://a/b"}, {"url": "x", "depth": 2}],
)  # fmt: skip
def test_imports_that_cannot_work_are_refused_at_once(
    api: Api, space: Space, body: dict[str, Any]
) -> None:
    answer = api.post("/api/v1/imports/", {**body, "space": str(space.pk)})
    assert answer.status_code == 400
    assert not IngestJob.objects.exists()


def test_a_repository_is_imported_as_one_job(
    api: Api, space: Space, folder: Path, tmp_path: Path
) -> None:
    porcelain.init(str(folder))
    for name in ("tides", "moon"):
        (folder / f"{name}.md").write_text(f"# {name.title()}\n\nAll about {name}.\n")
    porcelain.add(str(folder), [str(folder / "tides.md"), str(folder / "moon.md")])
    porcelain.commit(str(folder), b"First", author=b"A <a@b>", committer=b"A <a@b>")
    body = {"git": str(folder), "space": str(space.pk)}
    job = job_of(api, api.post("/api/v1/imports/", body))
    assert (job["status"], job["progress"], len(job["nodes"])) == ("completed", 1.0, 2)
    assert set(contents()) == {"Tides", "Moon"}
    assert Node.objects.filter(source__kind="git").count() == 2
    job_of(api, api.post("/api/v1/imports/", body))
    assert (Feed.objects.count(), FeedRun.objects.count(), Node.objects.count()) == (1, 2, 2)


def test_a_feed_lives_its_life_over_rest(
    api: Api, teammate_api: Api, space: Space, folder: Path
) -> None:
    names = {each["name"] for each in api.get("/api/v1/connectors/").json()["results"]}
    assert names == {"url", "website", "folder", "git", "s3", "imap"}
    (folder / "tides.md").write_text("# Tides\n\nTides.\n")
    place = {"connector": "folder", "settings": {"path": str(folder)}}
    tried = api.post("/api/v1/feeds/probe/", {**place, "space": str(space.pk)})
    assert tried.json() == {"message": "The folder is there; 1 files in it can be read."}
    body = {"name": "Notes", "space": str(space.pk), "interval_minutes": 60, **place}
    feed = api.post("/api/v1/feeds/", body).json()
    address = f"/api/v1/feeds/{feed['id']}/"
    assert feed["settings"]["subfolders"] is True
    assert "secret_sealed" not in feed
    begun = api.post(f"{address}sync/").json()
    assert api.post(f"{address}sync/").json()["error"]["code"] == "run_under_way"
    work_all()
    run = api.get(f"/api/v1/feed-runs/{begun['run']['id']}/").json()
    assert (run["status"], run["added"]) == ("completed", 1)
    (change,) = api.get(f"/api/v1/feed-runs/{run['id']}/changes/").json()["results"]
    assert (change["key"], change["action"], len(change["nodes"])) == ("tides.md", "added", 1)
    (item,) = api.get(f"{address}items/").json()["results"]
    assert item["nodes"] == change["nodes"]
    assert len(api.get(f"{address}runs/?status=completed").json()["results"]) == 1
    assert api.patch(address, {"name": "Renamed", "gone_after": None}).json()["gone_after"] is None
    (folder / "tides.md").unlink()
    run_id = api.post(f"{address}sync/").json()["run"]["id"]
    work_all()
    assert api.get(f"/api/v1/feed-runs/{run_id}/").json()["status"] == "suspicious"
    for what in ("confirm", "discard"):
        assert teammate_api.post(f"/api/v1/feed-runs/{run_id}/{what}/").status_code == 403
    assert api.post(f"/api/v1/feed-runs/{run_id}/discard/").json()["status"] == "discarded"
    assert teammate_api.delete(address).status_code == 403
    assert teammate_api.get(address).status_code == 200
    assert api.delete(address).status_code == 204
    assert "Tides" in contents()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"connector": "none"}, "connector"),
        ({"settings": {}}, "settings.url"),
        ({"settings": {"url": "https://a.b/", "depth": 1}}, "settings.depth"),
        ({"secret_variable": "ACERVO_SECRET_KEY"}, "secret_variable"),
        ({"least_share": 101}, "least_share"),
        ({"name": ""}, "name"),
    ],
)
def test_feeds_that_cannot_work_are_refused(
    api: Api, space: Space, changes: dict[str, Any], field: str
) -> None:
    body = {"name": "N", "connector": "url", "settings": {"url": "https://a.b/"}, **changes}
    answer = api.post("/api/v1/feeds/", {**body, "space": str(space.pk)})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


def test_a_secret_is_used_and_never_shown(
    api: Api, space: Space, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/tides", "<h1>Tides</h1><p>Text</p>")
    body = {
        "name": "N", "space": str(space.pk), "connector": "url", "interval_minutes": 0,
        "settings": {"url": site.url("/tides")}, "secret": "Bearer opensesame",
    }  # fmt: skip
    answer = api.post("/api/v1/feeds/", body)
    address = f"/api/v1/feeds/{answer.json()['id']}/"
    assert answer.json()["has_secret"] is True
    assert "opensesame" not in answer.content.decode()
    api.post(f"{address}sync/")
    work_all()
    assert site.asked[-1].headers["authorization"] == "Bearer opensesame"
    # It is not taken to another place, neither by a change nor by a trial of one.
    moved = {"settings": {"url": site.url("/other")}}
    assert api.patch(address, moved).json()["error"]["code"] == "secret_needed"
    trial = {"connector": "url", "feed": answer.json()["id"], **moved}
    site.page("/other", "<p>Other</p>")
    assert api.post("/api/v1/feeds/probe/", trial).status_code == 200
    assert "authorization" not in site.asked[-1].headers
    monkeypatch.setenv("ACERVO_FEED_SECRET_WIKI", "Bearer from-outside")
    body = {**moved, "secret": "", "secret_variable": "ACERVO_FEED_SECRET_WIKI"}
    assert api.patch(address, body).status_code == 200
    api.post(f"{address}sync/")
    work_all()
    assert site.asked[-1].headers["authorization"] == "Bearer from-outside"


def test_the_schedule_runs_what_is_due_and_waits_longer_after_failures(
    api: Api, space: Space, site: Site
) -> None:
    site.otherwise = Reply(b"", 500)
    body = {
        "name": "N", "space": str(space.pk), "connector": "url", "interval_minutes": 600,
        "settings": {"url": site.url("/tides")},
    }  # fmt: skip
    feed = Feed.objects.get(pk=api.post("/api/v1/feeds/", body).json()["id"])
    waits = []
    for _time in range(3):
        Feed.objects.update(next_sync_at=timezone.now())
        feeds_run_due()
        feeds_run_due()  # while it runs nothing more is started
        work_all()
        feed.refresh_from_db()
        assert feed.next_sync_at is not None
        waits.append(round((feed.next_sync_at - timezone.now()).total_seconds() / 60))
    assert (waits, feed.failures) == ([5, 10, 20], 3)
    assert feed.runs.filter(status=FeedRunStatus.FAILED).count() == 3
    site.page("/tides", "<h1>Tides</h1><p>Text</p>")
    Feed.objects.update(next_sync_at=timezone.now())
    feeds_run_due()
    work_all()
    feed.refresh_from_db()
    assert (feed.failures, feed.last_error, feed.runs.count()) == (0, "", 4)
    Feed.objects.update(is_enabled=False, next_sync_at=timezone.now())
    feeds_run_due()
    assert feed.runs.count() == 4


def test_who_lost_their_role_runs_no_feed(
    api: Api, owner: User, space: Space, folder: Path
) -> None:
    (folder / "tides.md").write_text("# Tides\n\nTides.\n")
    body = {
        "name": "N", "space": str(space.pk), "connector": "folder",
        "settings": {"path": str(folder)}, "interval_minutes": 60,
    }  # fmt: skip
    api.post("/api/v1/feeds/", body)
    owner.groups.clear()
    feeds_run_due()
    work_all()
    assert FeedRun.objects.get().status == FeedRunStatus.FAILED
    assert not Node.objects.exists()


def test_an_upload_replaces_the_source_that_it_names(
    api: Api, teammate_api: Api, stranger_api: Api, space: Space
) -> None:
    def upload(client: Api, text: str, name: str = "tides.md", **more: str) -> Any:
        file = SimpleUploadedFile(name, text.encode())
        sent = {"space": str(space.pk), "file": file, **more}
        answer = client.post("/api/v1/uploads/", sent, format="multipart")
        work_all()
        return answer

    first = upload(api, "# Tides\n\nOne.\n").json()["source"]["id"]
    node = Node.objects.get()
    second = upload(api, "# Tides\n\nTwo.\n", "new name.md", replaces=first).json()["source"]
    assert second["replaces"] == first
    third = upload(api, "# Tides\n\nThree.\n", replaces=first).json()["source"]
    assert third["replaces"] == second["id"]  # the newest, whatever was named
    upload(api, "# Tides\n\nFour.\n", replaces="same-name")
    node.refresh_from_db()
    assert (Node.objects.count(), node.version) == (1, 4)
    assert "Four." in node.content
    assert upload(teammate_api, "Five.", replaces=first).status_code == 403
    assert upload(stranger_api, "Five.", replaces=first).status_code == 404
    assert upload(api, "Five.", replaces="nonsense").status_code == 404
    job = IngestJob.objects.filter(status=JobStatus.COMPLETED).order_by("-created_at").first()
    assert job is not None
    assert job.nodes == [node.pk]


@pytest.mark.parametrize("sent", ["tide, pier", '["tide", "pier"]', ["tide", "pier"]])
def test_tags_of_an_upload_may_be_written_in_three_ways(api: Api, space: Space, sent: Any) -> None:
    file = SimpleUploadedFile("tides.md", b"# Tides\n")
    body = {"space": str(space.pk), "file": file, "tags": sent}
    answer = api.post("/api/v1/uploads/", body, format="multipart")
    assert answer.json()["source"]["tags"] == ["tide", "pier"]
