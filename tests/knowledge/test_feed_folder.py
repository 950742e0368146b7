"""Feeds from beginning to end, with a watched folder: new, changed, gone, and suspicious."""

import os
from pathlib import Path

import pytest
from pytest_django import Settings

from knowledge import services
from knowledge.choices import FeedAction, FeedRunStatus, JobStatus, NodeStatus
from knowledge.models import Chunk, Feed, FeedItem, IngestJob, Node, NodeVersion, Source, Space
from project.accounts.models import User
from project.http.errors import Conflict, Invalid
from tests.support.feeds import contents, counts, feed_made, synced, work_all

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "uploads"
    settings.ACERVO_EMBEDDING = "hashing"
    opened = tmp_path / "opened"
    opened.mkdir()
    settings.ACERVO_FEED_FOLDERS = [str(opened)]
    return opened


@pytest.fixture
def feed(owner: User, space: Space, folder: Path) -> Feed:
    for name in ("moon", "tides", "wind", "stars"):
        write(folder, f"{name}.md", f"# {name.title()}\n\nAll about {name}.\n")
    made: Feed = feed_made(owner, space, "folder", settings={"path": str(folder)})
    return made


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_the_first_run_makes_nodes_of_all_files(owner: User, feed: Feed) -> None:
    run = synced(feed, owner)
    assert (run.status, counts(run)) == (FeedRunStatus.COMPLETED, {"added": 4})
    assert run.job is not None
    assert (run.job.status, len(run.job.nodes)) == (JobStatus.COMPLETED, 4)
    assert set(contents()) == {"Moon", "Tides", "Wind", "Stars"}
    assert Chunk.objects.values("node").distinct().count() == 4


def test_a_second_run_finds_nothing_to_do(owner: User, feed: Feed) -> None:
    synced(feed, owner)
    before = Source.objects.count(), NodeVersion.objects.count()
    run = synced(feed, owner)
    assert counts(run) == {"unchanged": 4}
    assert (Source.objects.count(), NodeVersion.objects.count()) == before


def test_a_changed_file_is_a_new_version_of_its_node(owner: User, feed: Feed, folder: Path) -> None:
    synced(feed, owner)
    node = Node.objects.get(title="Tides")
    first = node.source
    write(folder, "tides.md", "# Tides\n\nThey turn twice a day.\n")
    run = synced(feed, owner)
    assert counts(run) == {"changed": 1, "unchanged": 3}
    node.refresh_from_db()
    assert (node.version, node.indexed_version, node.status) == (2, 2, NodeStatus.PUBLISHED)
    assert "twice" in node.content
    assert node.source is not None
    assert node.source.replaces == first
    versions = NodeVersion.objects.filter(id=node.pk).order_by("version")
    assert [each.source_id for each in versions] == [first.pk, node.source_id]  # type: ignore[union-attr]
    assert "All about tides." in versions[0].content
    assert {each.change_origin for each in versions} == {"import"}
    assert "twice" in Chunk.objects.get(node=node).text


def test_touching_a_file_changes_nothing(owner: User, feed: Feed, folder: Path) -> None:
    synced(feed, owner)
    os.utime(folder / "tides.md", (1, 1))
    run = synced(feed, owner)
    assert counts(run) == {"unchanged": 4}
    assert Source.objects.count() == 4


def test_an_edit_made_here_is_merged_with_the_next_import(
    owner: User, feed: Feed, folder: Path
) -> None:
    write(folder, "tides.md", "# Tides\n\nFirst part.\n\nSecond part.\n")
    synced(feed, owner)
    node = Node.objects.get(title="Tides")
    edited = node.content.replace("First part.", "First part, corrected here.")
    services.node_update(acting_user=owner, node=node, content=edited)
    write(folder, "tides.md", "# Tides\n\nFirst part.\n\nSecond part, new.\n")
    synced(feed, owner)
    node.refresh_from_db()
    assert "corrected here" in node.content
    assert "Second part, new." in node.content


def test_where_both_changed_the_same_place_a_proposal_waits(
    owner: User, feed: Feed, folder: Path
) -> None:
    synced(feed, owner)
    node = Node.objects.get(title="Tides")
    services.node_update(acting_user=owner, node=node, content="# Tides\n\nOurs.\n")
    for text in ("Theirs.", "Theirs again."):
        write(folder, "tides.md", f"# Tides\n\n{text}\n")
        synced(feed, owner)
    node.refresh_from_db()
    assert node.content == "# Tides\n\nOurs.\n"
    proposal = node.space.proposals.get()
    change = proposal.changes.get()
    assert (proposal.status, change.node_id) == ("in_review", node.pk)
    assert "Theirs again." in change.fields["content"]


def test_a_file_that_is_gone_stays_until_it_was_missed_often_enough(
    owner: User, feed: Feed, folder: Path
) -> None:
    synced(feed, owner)
    (folder / "wind.md").unlink()
    for _time in range(2):
        run = synced(feed, owner)
        assert counts(run) == {"unchanged": 3, "gone": 1}
        assert "Wind" in contents()
    synced(feed, owner)
    assert set(contents()) == {"Moon", "Tides", "Stars"}
    assert not Chunk.objects.filter(node__title="Wind").exists()
    assert FeedItem.objects.get(key="wind.md").gone_at is not None
    assert counts(synced(feed, owner)) == {"unchanged": 3}


def test_a_file_that_comes_back_brings_its_node_back(owner: User, feed: Feed, folder: Path) -> None:
    services.feed_update(acting_user=owner, feed=feed, gone_after=1)
    synced(feed, owner)
    node = Node.objects.get(title="Wind")
    (folder / "wind.md").unlink()
    synced(feed, owner)
    node.refresh_from_db()
    assert node.status == NodeStatus.ARCHIVED
    write(folder, "wind.md", "# Wind\n\nAll about wind.\n")
    assert counts(synced(feed, owner)) == {"added": 1, "unchanged": 3}
    node.refresh_from_db()
    assert (node.status, node.version, node.indexed_version) == (NodeStatus.PUBLISHED, 1, 1)


def test_nothing_is_archived_without_a_person_where_the_feed_says_so(
    owner: User, feed: Feed, folder: Path
) -> None:
    services.feed_update(acting_user=owner, feed=feed, gone_after=None)
    synced(feed, owner)
    (folder / "wind.md").unlink()
    for _time in range(4):
        run = synced(feed, owner)
    assert "Wind" in contents()
    services.feed_run_confirm(acting_user=owner, run=run)
    work_all()
    assert "Wind" not in contents()


@pytest.mark.parametrize("left", [0, 1])
def test_a_run_that_finds_little_changes_nothing_until_it_is_confirmed(
    owner: User, feed: Feed, folder: Path, left: int
) -> None:
    synced(feed, owner)
    for path in sorted(folder.iterdir())[left:]:
        path.unlink()
    write(folder, "moon.md", "# Moon\n\nChanged.\n") if left else None
    for _time in range(4):
        run = synced(feed, owner)
        assert run.status == FeedRunStatus.SUSPICIOUS
        assert run.message
    assert len(contents()) == 4
    assert "All about moon." in contents()["Moon"]
    feed.refresh_from_db()
    assert feed.last_error == run.message
    assert feed.runs.filter(status=FeedRunStatus.DISCARDED).count() == 3
    services.feed_run_confirm(acting_user=owner, run=run)
    work_all()
    run.refresh_from_db()
    assert run.status == FeedRunStatus.COMPLETED
    assert len(contents()) == left
    with pytest.raises(Conflict):
        services.feed_run_confirm(acting_user=owner, run=run)


@pytest.mark.django_db(transaction=True)
def test_a_discarded_run_leaves_all_as_it_was(owner: User, feed: Feed, folder: Path) -> None:
    synced(feed, owner)
    kept = {path: path.read_text() for path in folder.iterdir()}
    for path in kept:
        path.unlink()
    write(folder, "new.md", "# New\n\nNew.\n")
    run = synced(feed, owner)
    assert (run.status, counts(run)) == (FeedRunStatus.SUSPICIOUS, {"added": 1, "gone": 4})
    assert "New" not in contents()
    services.feed_run_discard(acting_user=owner, run=run)
    assert Source.objects.count() == 4
    assert len(list((folder.parent / "uploads").rglob("*-*"))) == 4
    assert run.changes.filter(action=FeedAction.GONE).count() == 4
    for path, text in kept.items():
        path.write_text(text)
    assert counts(synced(feed, owner)) == {"added": 1, "unchanged": 4}
    assert len(contents()) == 5


def test_the_same_new_text_under_most_keys_is_suspicious(
    owner: User, feed: Feed, folder: Path
) -> None:
    synced(feed, owner)
    for path in folder.iterdir():
        path.write_text("# Sign in\n\nPlease sign in.\n")
    run = synced(feed, owner)
    assert run.status == FeedRunStatus.SUSPICIOUS
    assert set(contents()) == {"Moon", "Tides", "Wind", "Stars"}


def test_a_first_run_that_finds_nothing_says_so(owner: User, space: Space, folder: Path) -> None:
    feed = feed_made(owner, space, "folder", settings={"path": str(folder)})
    run = synced(feed, owner)
    assert run.status == FeedRunStatus.FAILED
    feed.refresh_from_db()
    assert (feed.failures, bool(feed.last_error)) == (1, True)


def test_the_same_bytes_twice_are_one_node(owner: User, feed: Feed, folder: Path) -> None:
    write(folder, "copy.md", (folder / "moon.md").read_text())
    synced(feed, owner)
    assert Node.objects.count() == 4
    moon = Node.objects.get(title="Moon")
    assert FeedItem.objects.filter(nodes__contains=[moon.pk]).count() == 2
    # One of the two changes: the other keeps the text.
    write(folder, "moon.md", "# Moon\n\nChanged.\n")
    synced(feed, owner)
    assert sorted(text for name, text in Node.objects.filter(title="Moon").values_list(
        "title", "content")) == ["# Moon\n\nAll about moon.\n", "# Moon\n\nChanged.\n"]  # fmt: skip
    # A rename is not a new node: the one that stays takes it over.
    (folder / "copy.md").unlink()
    for _time in range(3):
        synced(feed, owner)
    assert Node.objects.filter(status=NodeStatus.ARCHIVED).count() == 1


def test_a_file_that_cannot_be_read_is_a_fault_and_fetched_once(
    owner: User, feed: Feed, folder: Path
) -> None:
    (folder / "broken.pdf").write_bytes(b"MZ\0\1 no pdf")
    run = synced(feed, owner)
    assert counts(run) == {"added": 4, "faults": 1}
    assert run.changes.get(action=FeedAction.FAULT).message
    assert counts(synced(feed, owner)) == {"unchanged": 5}


def test_links_lead_nowhere(owner: User, feed: Feed, folder: Path) -> None:
    outside = folder.parent / "outside"
    write(outside, "secret.md", "# Secret\n\nSecret.\n")
    (folder / "link.md").symlink_to(outside / "secret.md")
    (folder / "linked").symlink_to(outside)
    (folder / "up").mkdir()
    (folder / "up" / "again").symlink_to(folder.parent)
    synced(feed, owner)
    assert "Secret" not in contents()


@pytest.mark.parametrize("path", ["/etc", "{opened}/../outside", "{opened}/link", "relative", ""])
def test_folders_that_are_not_opened_are_refused(
    owner: User, space: Space, folder: Path, path: str
) -> None:
    write(folder.parent / "outside", "secret.md", "Secret.")
    (folder / "link").symlink_to(folder.parent / "outside")
    with pytest.raises(Invalid) as refused:
        feed_made(owner, space, "folder", settings={"path": path.format(opened=folder)})
    assert refused.value.field == "settings.path"


def test_a_deleted_feed_leaves_its_nodes(owner: User, feed: Feed) -> None:
    synced(feed, owner)
    services.feed_sync(acting_user=owner, feed=feed)
    services.feed_delete(acting_user=owner, feed=feed)
    work_all()
    assert len(contents()) == 4
    assert IngestJob.objects.filter(kind="feed", status=JobStatus.CANCELLED).count() == 1
