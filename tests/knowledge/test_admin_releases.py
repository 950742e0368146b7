"""The admin's pages of releases."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from knowledge import services
from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.ingestion import job_work
from knowledge.models import IngestJob, Node, Release, Space
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import grant
from tests.support.admin_client import signed_in
from tests.support.releases import exported, node, released

LIST = "/admin/knowledge/release/"


def page(name: str, *args: object) -> str:
    return reverse(f"admin:knowledge_release_{name}", args=args)


@pytest.fixture
def two(owner: User, space: Space) -> tuple[Release, Release]:
    """Two releases: a node changed, one was added, one removed, and with it a relation."""
    tides, waves = node(owner, space, "Tides"), node(owner, space, "Waves")
    services.relation_create(acting_user=owner, source=tides, target=waves)
    old = released(owner, space, "Winter")
    services.node_update(acting_user=owner, node=tides, content="Line.\nNew tides.", reason="Why.")
    services.node_archive(acting_user=owner, node=waves)
    node(owner, space, "Swell")
    return old, released(owner, space, "Spring")


def test_the_list_shows_the_releases_of_ones_spaces(
    owner: User, teammate: User, stranger: User, two: tuple[Release, Release]
) -> None:
    text = signed_in(owner).get(LIST).content.decode()
    assert "Winter" in text
    assert two[1].checksum[:10] in text
    assert page("add") in text
    assert page("import") in text
    theirs = signed_in(teammate).get(LIST).content.decode()
    assert "Winter" in theirs
    assert page("add") not in theirs
    assert page("import") not in theirs
    other = Space.objects.create(name="Other", slug="other")
    grant(other, stranger, Role.MANAGER)
    assert "Winter" not in signed_in(stranger).get(LIST).content.decode()
    for path in ("change", "compare", "export"):
        assert signed_in(stranger).get(page(path, two[0].pk)).status_code == 404


def test_a_release_shows_what_it_holds(owner: User, two: tuple[Release, Release]) -> None:
    client = signed_in(owner)
    text = client.get(page("change", two[1].pk)).content.decode()
    for shown in ("Tides", "Swell", two[1].checksum, "Since “Winter”", "format=git", "Delete"):
        assert shown in text
    assert "Waves" not in text
    found = client.get(page("change", two[1].pk), {"q": "swe"}).content.decode()
    assert "Swell" in found
    assert "Tides" not in found
    assert client.get(page("change", two[1].space.pk)).status_code == 404
    assert client.post(page("change", two[1].pk), {"name": "x"}).status_code == 200
    two[1].refresh_from_db()
    assert two[1].name == "Spring"


def test_a_release_is_made_after_a_look_at_what_changed(
    owner: User, space: Space, two: tuple[Release, Release]
) -> None:
    node(owner, space, "Ebb")
    client = signed_in(owner)
    text = client.get(page("add")).content.decode()
    assert "What changed since “Spring”" in text
    assert "Ebb" in text
    assert "Tides" not in text
    answer = client.post(
        page("add"), {"space": str(space.pk), "name": "Summer", "description": "a\r\nb"}
    )
    made = Release.objects.get(name="Summer")
    assert answer["Location"] == page("change", made.pk)
    assert (made.node_count, made.description) == (3, "a\nb")
    again = client.post(page("add"), {"space": str(space.pk), "name": "Summer"})
    assert "release of that name already" in again.content.decode()
    assert 'value="Summer"' in again.content.decode()
    wrong = client.post(page("add"), {"space": str(space.pk), "name": "X", "as_of": "soon"})
    assert "Enter a date and a time." in wrong.content.decode()


def test_the_first_release_of_a_space_is_previewed_too(owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    text = signed_in(owner).get(page("add")).content.decode()
    assert "What the first release would hold" in text
    assert "+1" in text


def test_a_release_as_of_a_moment_is_made(owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    then = timezone.localtime().isoformat()
    services.node_update(acting_user=owner, node=tides, content="Newer.")
    signed_in(owner).post(page("add"), {"space": str(space.pk), "name": "Then", "as_of": then})
    assert Release.objects.get(name="Then").entries.get().version == 1


def test_those_who_may_not_make_one_are_led_away(
    teammate: User, space: Space, two: tuple[Release, Release]
) -> None:
    client = signed_in(teammate)
    assert client.get(page("add"))["Location"] == LIST
    assert client.get(page("import"))["Location"] == LIST
    client.post(page("add"), {"space": str(space.pk), "name": "Mine"})
    client.post(page("delete", two[0].pk), {"post": "yes"})
    assert set(Release.objects.values_list("name", flat=True)) == {"Winter", "Spring"}


def test_releases_are_compared(owner: User, two: tuple[Release, Release]) -> None:
    old, new = two
    client = signed_in(owner)
    text = client.get(page("compare", new.pk), {"with": str(old.pk)}).content.decode()
    for shown in ("Tides", "Waves", "Swell", "1 → 2", "– → 1", "1 → –"):
        assert shown in text
    only = client.get(page("compare", new.pk), {"with": str(old.pk), "change": "removed"})
    assert "Waves" in only.content.decode()
    assert "Swell" not in only.content.decode()
    relations = client.get(page("compare", new.pk), {"with": str(old.pk), "what": "relations"})
    assert "Tides → Waves" in relations.content.decode()
    backwards = client.get(page("compare", old.pk), {"with": str(new.pk)}).content.decode()
    assert "1 → 2" in backwards  # the older one is always the side that is compared from
    assert "no difference" in client.get(page("compare", new.pk)).content.decode()
    assert client.get(page("compare", new.pk), {"with": "x"}).status_code == 404


def test_one_node_is_compared(owner: User, two: tuple[Release, Release]) -> None:
    old, new = two
    client = signed_in(owner)
    tides, waves = Node.objects.get(title="Tides"), Node.objects.get(title="Waves")
    text = client.get(page("node", new.pk, tides.pk), {"with": str(old.pk)}).content.decode()
    for shown in ("New tides.", "Winter", "Spring", "Version 2", "Why."):
        assert shown in text
    gone = client.get(page("node", new.pk, waves.pk), {"with": str(old.pk), "view": "split"})
    assert "does not hold this node" in gone.content.decode()
    nothing = client.get(page("node", new.pk, new.pk), {"with": str(old.pk)})
    assert nothing.status_code == 404


def test_a_release_is_exported(owner: User, two: tuple[Release, Release]) -> None:
    client = signed_in(owner)
    answer = client.get(page("export", two[1].pk), {"format": "zip"})
    with pytest.warns(Warning, match="asynchronous"):  # the test client is not
        data = b"".join(answer)
    with ArchiveReader(io.BytesIO(data)) as archive:
        assert archive.manifest.release.name == "Spring"
    assert client.get(page("export", two[1].pk), {"format": "x"})["Location"] == page(
        "change", two[1].pk
    )


def test_an_archive_is_imported(owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    archive = exported(released(owner, space, "Autumn"))
    client = signed_in(owner)
    body = {"space": str(space.pk), "file": SimpleUploadedFile("r.zip", archive)}
    assert client.post(page("import"), body)["Location"] == page("import")
    job = IngestJob.objects.get()
    text = client.get(page("import")).content.decode()
    assert "Autumn" in text
    assert f'data-job="{job.pk}"' in text
    assert job_work(job.pk) is None
    assert "0 new nodes" in client.get(page("import")).content.decode()
    for wrong, said in (
        ({"space": str(space.pk)}, "Choose a file."),
        ({"space": "x"}, "Choose a space"),
        ({**body, "file": SimpleUploadedFile("r.zip", b"no")}, "no zip file"),
    ):
        assert said in client.post(page("import"), wrong).content.decode()


def test_managers_delete_a_release(owner: User, two: tuple[Release, Release]) -> None:
    client = signed_in(owner)
    asked = client.get(page("delete", two[0].pk)).content.decode()
    assert "Winter" in asked
    client.post(page("delete", two[0].pk), {"post": "yes"})
    assert list(Release.objects.values_list("name", flat=True)) == ["Spring"]
