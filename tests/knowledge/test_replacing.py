"""New bytes of a known source: parts find their nodes, citations and anchors stay right."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.models import Chunk, IngestJob, Node, NodeVersion, Relation, Source, Space
from knowledge.part_matching import Text, parts_match
from project.accounts.models import User
from tests.support.feeds import work_all
from tests.support.files import make_pdf

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.ACERVO_EMBEDDING = "hashing"


def upload(user: User, space: Space, data: bytes | str, name: str = "book.md",
           replaces: Source | None = None) -> tuple[Source, IngestJob]:  # fmt: skip
    content = data.encode() if isinstance(data, str) else data
    taken = services.source_upload(
        acting_user=user, space=space, file=ContentFile(content), filename=name, replaces=replaces
    )
    work_all()
    taken.job.refresh_from_db()
    return taken.source, taken.job


def book(*chapters: str) -> str:
    return "\n\n".join(f"# {name}\n\n" + f"All about {name}. " * 16 for name in chapters)


def test_parts_are_matched_by_heading_and_then_by_their_lines() -> None:
    old = [Text("moon", "a\nb"), Text("", "c\nd\ne"), Text("twice", "x"), Text("twice", "y")]
    new = [Text("", "c\nd\nf"), Text("moon", "entirely new"), Text("twice", "y"), Text("", "z")]
    assert parts_match(old, new) == {0: 1, 1: 0, 2: 3}


def test_a_long_document_keeps_the_nodes_of_its_parts(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.parts.divide.__kwdefaults__", {"limit": 400})
    first, job = upload(owner, space, book("Moon", "Tides", "Wind", "Stars"))
    before = {node.pk: node for node in Node.objects.filter(pk__in=job.nodes)}
    wind = next(node for node in before.values() if node.title.endswith("Wind"))
    moon = next(node for node in before.values() if node.title.endswith("Moon"))
    cited = NodeVersion.objects.get(id=moon.pk, version=1).content

    text = book("Sun", "Moon", "Tides", "Stars").replace("about Moon", "around Moon")
    _second, again = upload(owner, space, text, replaces=first)
    assert again.status == "completed", again.error_message
    after = {node.pk: node for node in Node.objects.all()}
    assert again.nodes[0] == job.nodes[0]  # the overview
    assert set(again.nodes) & set(before) == set(before) - {wind.pk}
    assert after[moon.pk].version == 2
    assert "around Moon" in after[moon.pk].content
    assert NodeVersion.objects.get(id=moon.pk, version=1).content == cited
    assert after[wind.pk].status == NodeStatus.ARCHIVED
    assert not Chunk.objects.filter(node=wind).exists()
    (made,) = set(again.nodes) - set(before)
    assert after[made].title.endswith("Sun")
    assert Relation.objects.filter(source=made, target=again.nodes[0], kind="part_of").exists()
    assert "Sun" in after[again.nodes[0]].content
    for pk in again.nodes:
        assert after[pk].indexed_version == after[pk].version
        assert Chunk.objects.filter(node=pk, version=after[pk].version).exists()


def test_a_document_that_grows_long_keeps_its_node_as_the_overview(
    owner: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, job = upload(owner, space, book("Moon"))
    monkeypatch.setattr("knowledge.parts.divide.__kwdefaults__", {"limit": 400})
    second, again = upload(owner, space, book("Moon", "Tides", "Wind"), replaces=first)
    assert (again.nodes[0], len(again.nodes)) == (job.nodes[0], 4)
    monkeypatch.undo()
    _third, last = upload(owner, space, book("Moon", "Tides"), replaces=second)
    assert last.nodes == job.nodes
    assert Node.objects.exclude(status=NodeStatus.ARCHIVED).count() == 1


def test_page_anchors_follow_the_new_text(owner: User, space: Space) -> None:
    first, _job = upload(owner, space, make_pdf([["First page."], ["Last page."]]), "a.pdf")
    pages = [["A page before."], ["First page."], ["Last page, changed."]]
    upload(owner, space, make_pdf(pages), "a.pdf", replaces=first)
    node = Node.objects.get()
    shown = {each["page"]: node.content[each["start"] : each["end"]] for each in node.anchors}
    assert "A page before." in shown[1]
    assert "Last page, changed." in shown[3]
    chunk = Chunk.objects.filter(node=node, version=2).first()
    assert chunk is not None
    assert node.content[chunk.start : chunk.end] == chunk.text
    old = NodeVersion.objects.get(id=node.pk, version=1)
    assert [each["page"] for each in old.anchors] == [1, 2]
    assert old.source == first


def test_the_same_bytes_again_make_no_version(owner: User, space: Space) -> None:
    first, job = upload(owner, space, book("Moon"))
    _second, again = upload(owner, space, book("Moon"), replaces=first)
    assert again.nodes == job.nodes
    assert Node.objects.get().version == 1


def test_the_first_bytes_again_are_a_version_of_their_own(owner: User, space: Space) -> None:
    first, _job = upload(owner, space, book("Moon"))
    second, _job = upload(owner, space, book("Sun"), replaces=first)
    upload(owner, space, book("Moon"), replaces=second)
    node = Node.objects.get()
    assert (node.version, "All about Moon." in node.content) == (3, True)


def test_an_older_file_that_is_read_late_changes_nothing(owner: User, space: Space) -> None:
    first, _job = upload(owner, space, book("Moon"))
    late = services.source_upload(
        acting_user=owner, space=space, file=ContentFile(book("Late").encode()),
        filename="book.md", replaces=first,
    )  # fmt: skip
    IngestJob.objects.filter(pk=late.job.pk).update(status="cancelled")
    upload(owner, space, book("New"), replaces=late.source)
    services.job_retry(acting_user=owner, job=late.job)
    work_all()
    late.job.refresh_from_db()
    assert (late.job.status, late.job.nodes) == ("completed", [])
    assert "All about New." in Node.objects.get().content


def test_an_editor_may_not_replace_what_is_published(
    owner: User, teammate: User, space: Space
) -> None:
    own, _job = upload(teammate, space, book("Draft"))
    upload(teammate, space, book("Draft, again"), replaces=own)
    node = Node.objects.get()
    assert (node.status, node.version) == (NodeStatus.IN_REVIEW, 2)


def test_old_wiki_edits_and_tags_survive(owner: User, space: Space) -> None:
    first, _job = upload(owner, space, "# Moon\n\nOne.\n\nTwo.\n")
    node = Node.objects.get()
    edits: dict[str, Any] = {"tags": ["sky"], "title": "The Moon"}
    services.node_update(acting_user=owner, node=node, **edits)
    upload(owner, space, "# Moon\n\nOne.\n\nTwo, new.\n", replaces=first)
    node.refresh_from_db()
    assert (node.tags, node.title, "Two, new." in node.content) == (["sky"], "The Moon", True)
