"""The admin of feeds: setting one up, trying it, running it, and deciding on what it found."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from knowledge.choices import FeedRunStatus
from knowledge.models import Feed, IngestJob, Node, Source, Space
from project.accounts.models import User
from tests.support.admin_client import signed_in
from tests.support.feeds import contents, feed_made, synced, work_all

FEEDS, RUNS = "/admin/knowledge/feed/", "/admin/knowledge/feedrun/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "uploads"
    settings.ACERVO_EMBEDDING = "hashing"
    opened = tmp_path / "opened"
    opened.mkdir()
    settings.ACERVO_FEED_FOLDERS = [str(opened)]
    for name in ("moon", "tides"):
        (opened / f"{name}.md").write_text(f"# {name.title()}\n\nAll about {name}.\n")
    return opened


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


def form(space: Space, **changes: Any) -> dict[str, Any]:
    return {
        "space": space.pk, "name": "Notes", "is_enabled": "on", "interval_minutes": 60,
        "language": "", "tags": "sea, moon", "gone_after": 3, "least_share": 50, **changes,
    }  # fmt: skip


def folder_form(space: Space, folder: Path, **changes: Any) -> dict[str, Any]:
    return form(space, set_path=str(folder), set_patterns="*.md\n*.txt", **changes)


def test_a_feed_is_set_up_with_the_fields_of_its_connector(
    client: Client, space: Space, folder: Path
) -> None:
    page = client.get(f"{FEEDS}add/").content.decode()
    assert "?connector=imap" in page
    page = client.get(f"{FEEDS}add/?connector=s3").content.decode()
    for name in ("set_endpoint", "set_bucket", "new_secret", "secret_variable"):
        assert f'name="{name}"' in page
    answer = client.post(f"{FEEDS}add/?connector=folder", folder_form(space, folder))
    assert answer.status_code == 302, answer.content.decode()
    feed = Feed.objects.get()
    assert feed.settings == {"path": str(folder), "patterns": ["*.md", "*.txt"],
                             "subfolders": False}  # fmt: skip
    assert (feed.tags, feed.next_sync_at is not None) == (["sea", "moon"], True)
    page = client.get(f"{FEEDS}{feed.pk}/change/").content.decode()
    assert str(folder) in page
    assert "*.md\n*.txt" in page
    client.post(f"{FEEDS}{feed.pk}/change/", folder_form(space, folder, name="Renamed"))
    feed.refresh_from_db()
    assert feed.name == "Renamed"


def test_what_is_refused_is_told_at_its_field(client: Client, space: Space, folder: Path) -> None:
    answer = client.post(f"{FEEDS}add/?connector=folder", folder_form(space, Path("/etc")))
    assert (
        "set_path" in answer.context["errors"].as_data().__repr__()
        or (answer.context["adminform"].form.errors["set_path"])
    )
    assert not Feed.objects.exists()


def test_a_secret_goes_in_and_never_comes_out(client: Client, space: Space) -> None:
    sent = form(space, set_url="https://wiki.example/", new_secret="Bearer opensesame")
    client.post(f"{FEEDS}add/?connector=url", sent)
    feed = Feed.objects.get()
    assert "opensesame" not in feed.secret_sealed
    for page in (f"{FEEDS}{feed.pk}/change/", FEEDS):
        assert "opensesame" not in client.get(page).content.decode()
    elsewhere = form(space, set_url="https://other.example/")
    answer = client.post(f"{FEEDS}{feed.pk}/change/", elsewhere)
    assert answer.context["adminform"].form.errors["new_secret"]
    client.post(f"{FEEDS}{feed.pk}/change/", {**elsewhere, "clear_secret": "on"})
    feed.refresh_from_db()
    assert not feed.has_secret


def test_a_connection_is_tried_without_being_saved(
    client: Client, space: Space, folder: Path, teammate: User
) -> None:
    sent = folder_form(space, folder, connector="folder")
    assert client.post(f"{FEEDS}probe/", sent).json() == {
        "ok": True, "message": "The folder is there; 2 files in it can be read.",
    }  # fmt: skip
    for wrong in ({"set_path": "/etc"}, {"set_path": ""}, {"connector": "none"}, {"space": "x"}):
        answer = client.post(f"{FEEDS}probe/", {**sent, **wrong}).json()
        assert not answer["ok"]
        assert answer["message"]
    assert not signed_in(teammate).post(f"{FEEDS}probe/", sent).json()["ok"]
    assert not Feed.objects.exists()


def test_a_feed_is_run_and_a_suspicious_run_decided_on(
    client: Client, owner: User, space: Space, folder: Path
) -> None:
    feed = feed_made(owner, space, "folder", settings={"path": str(folder)})
    assert client.get(f"{FEEDS}{feed.pk}/sync/").status_code == 405
    answer = client.post(f"{FEEDS}{feed.pk}/sync/")
    work_all()
    page = client.get(answer["Location"]).content.decode()
    assert "tides.md" in page
    assert "Added" in page
    assert feed.name in client.get("/admin/knowledge/ingestjob/?kind__exact=feed").content.decode()
    for path in folder.iterdir():
        path.unlink()
    run = synced(feed, owner)
    assert run.status == FeedRunStatus.SUSPICIOUS
    for page in (FEEDS, f"{FEEDS}{feed.pk}/change/", f"{RUNS}{run.pk}/change/", RUNS):
        html = client.get(page).content.decode()
        assert "uspicious" in html or "waits for your decision" in html
    client.post(f"{RUNS}{run.pk}/discard/")
    run = synced(feed, owner)
    client.post(f"{RUNS}{run.pk}/confirm/")
    work_all()
    assert contents() == {}


def test_editors_look_and_strangers_do_not(
    owner: User, teammate: User, stranger: User, space: Space, folder: Path
) -> None:
    feed = feed_made(owner, space, "folder", settings={"path": str(folder)}, name="Harbour notes")
    run = synced(feed, owner)
    editor = signed_in(teammate)
    page = editor.get(f"{FEEDS}{feed.pk}/change/").content.decode()
    assert str(folder) in page
    assert 'name="set_path"' not in page
    assert editor.get(f"{RUNS}{run.pk}/change/").status_code == 200
    before = feed.runs.count()
    editor.post(f"{FEEDS}{feed.pk}/sync/")
    editor.post(f"{FEEDS}{feed.pk}/change/", folder_form(space, folder, name="Mine"))
    editor.post(f"{FEEDS}{feed.pk}/delete/", {"post": "yes"})
    feed.refresh_from_db()
    assert (feed.name, feed.runs.count()) == ("Harbour notes", before)
    outsider = signed_in(stranger)
    for page in (FEEDS, f"{FEEDS}{feed.pk}/change/", f"{RUNS}{run.pk}/change/"):
        assert "Harbour notes" not in outsider.get(page).content.decode()
    assert outsider.post(f"{RUNS}{run.pk}/confirm/").status_code in {302, 403, 404}


def test_a_feed_is_deleted_with_its_runs(client: Client, owner: User, space: Space,
                                         folder: Path) -> None:  # fmt: skip
    feed = feed_made(owner, space, "folder", settings={"path": str(folder)})
    synced(feed, owner)
    answer = client.post(f"{FEEDS}{feed.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not Feed.objects.exists()
    assert len(contents()) == 2


def test_one_address_is_imported_from_the_list(client: Client, space: Space) -> None:
    assert "Import one address" in client.get(FEEDS).content.decode()
    answer = client.post(f"{FEEDS}import/", {"space": space.pk, "url": "https://wiki.example/"})
    job = IngestJob.objects.get()
    assert str(job.pk) in answer["Location"]
    client.post(f"{FEEDS}import/", {"space": space.pk, "url": "file:///etc/passwd"})
    client.post(f"{FEEDS}import/", {"space": "", "url": "https://wiki.example/"})
    assert IngestJob.objects.count() == 1


def test_an_upload_of_the_same_name_replaces_where_that_is_asked_for(
    client: Client, space: Space, folder: Path
) -> None:
    def upload(text: str, **more: str) -> None:
        file = SimpleUploadedFile("tides.md", text.encode())
        sent = {"space": space.pk, "file": file, **more}
        assert client.post("/admin/knowledge/source/upload/", sent).status_code == 202
        work_all()

    upload("# Tides\n\nOne.\n")
    upload("# Tides\n\nTwo.\n", same_name="1")
    node = Node.objects.get()
    assert (node.version, "Two." in node.content) == (2, True)
    upload("# Tides\n\nThree.\n")
    assert Node.objects.count() == 2
    assert Source.objects.count() == 3
