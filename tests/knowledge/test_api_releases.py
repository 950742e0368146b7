"""Releases over REST."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import Settings

from knowledge import services
from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.models import IngestJob, Node, Release, Space
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import Api, grant
from tests.support.releases import exported, node, released, tampered

RELEASES = "/api/v1/releases/"


def body_of(answer: Any) -> bytes:
    with pytest.warns(Warning, match="asynchronous"):  # the test client is not
        return b"".join(answer)


def test_a_release_is_made_listed_and_shown(
    api: Api, teammate_api: Api, owner: User, space: Space
) -> None:
    tides = node(owner, space, "Tides")
    body = {"space": str(space.pk), "name": "Spring", "description": "é"}
    answer = api.post(RELEASES, body)
    assert answer.status_code == 201, answer.json()
    made = answer.json()
    assert (made["name"], made["node_count"], made["author_name"]) == ("Spring", 1, "owner")
    listed = teammate_api.get(RELEASES, {"space": str(space.pk)}).json()
    assert listed == {"results": [made], "next": None, "previous": None}
    assert teammate_api.get(f"{RELEASES}{made['id']}/").json() == made
    entries = teammate_api.get(f"{RELEASES}{made['id']}/entries/").json()["results"]
    assert entries == [
        {
            "node": str(tides.pk),
            "version": 1,
            "checksum": tides.checksum,
            "title": "Tides",
            "kind": "article",
            "url": f"/knowledge/nodes/{tides.pk}/?version=1",
        }
    ]


def test_a_release_as_of_a_moment(api: Api, owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    then = timezone.now().isoformat()
    services.node_update(acting_user=owner, node=tides, content="Newer.")
    made = api.post(RELEASES, {"space": str(space.pk), "name": "Then", "as_of": then}).json()
    entries = api.get(f"{RELEASES}{made['id']}/entries/").json()["results"]
    assert [each["version"] for each in entries] == [1]


def test_refusals_have_their_codes(api: Api, teammate_api: Api, owner: User, space: Space) -> None:
    body = {"space": str(space.pk), "name": "Spring"}
    empty = api.post(RELEASES, body)
    assert (empty.status_code, empty.json()["error"]["code"]) == (400, "release_empty")
    node(owner, space, "Tides")
    assert teammate_api.post(RELEASES, body).status_code == 403
    assert api.post(RELEASES, body).status_code == 201
    taken = api.post(RELEASES, body)
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "release_exists")
    unknown = api.post(RELEASES, {**body, "version": 1})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "unknown_field")


def test_entries_come_in_pages(api: Api, owner: User, space: Space) -> None:
    nodes = {str(node(owner, space, f"Node {number}").pk) for number in range(5)}
    release = released(owner, space)
    url, seen = f"{RELEASES}{release.pk}/entries/?limit=2", []
    while url:
        page = api.get(url).json()
        assert len(page["results"]) <= 2
        seen += [each["node"] for each in page["results"]]
        url = page["next"]
    assert seen == sorted(nodes)


@pytest.fixture
def two(owner: User, space: Space) -> tuple[Release, Release]:
    """Two releases: one node changed, one added, one removed, one left alone; a relation went."""
    tides, waves = node(owner, space, "Tides"), node(owner, space, "Waves")
    node(owner, space, "Same")
    services.relation_create(acting_user=owner, source=tides, target=waves)
    old = released(owner, space, "Old")
    services.node_update(acting_user=owner, node=tides, content="Line.\nNew.", tags=["sea"])
    services.node_archive(acting_user=owner, node=waves)
    node(owner, space, "Swell")
    return old, released(owner, space, "New")


def test_two_releases_are_compared(api: Api, two: tuple[Release, Release]) -> None:
    old, new = two
    answer = api.get(f"{RELEASES}{new.pk}/compare/", {"with": str(old.pk)}).json()
    assert (answer["old"]["name"], answer["new"]["name"]) == ("Old", "New")
    assert answer["counts"] == {
        "nodes": {"added": 1, "removed": 1, "changed": 1},
        "relations": {"added": 0, "removed": 1, "changed": 0},
    }
    found = {each["title"]: each for each in answer["results"]}
    assert {title: each["change"] for title, each in found.items()} == {
        "Tides": "changed", "Waves": "removed", "Swell": "added",
    }  # fmt: skip
    tides = found["Tides"]
    assert (tides["old_version"], tides["new_version"]) == (1, 2)
    assert tides["fields_changed"] == ["content", "tags"]
    assert found["Waves"]["new_version"] is None
    assert answer["next"] is answer["previous"] is None
    one = api.get(f"{RELEASES}{new.pk}/compare/", {"with": str(old.pk), "node": tides["id"]})
    assert one.json()["from_version"] == 1
    assert "+New." in one.json()["unified"]
    gone = api.get(
        f"{RELEASES}{new.pk}/compare/", {"with": str(old.pk), "node": found["Waves"]["id"]}
    ).json()
    assert (gone["from_version"], gone["to_version"]) == (1, 0)
    assert "-About Waves." in gone["unified"]


def test_relations_are_compared(api: Api, two: tuple[Release, Release]) -> None:
    old, new = two
    query = {"with": str(old.pk), "what": "relations"}
    (change,) = api.get(f"{RELEASES}{new.pk}/compare/", query).json()["results"]
    assert (change["change"], change["kind"]) == ("removed", "related_to")
    assert change["source"] == str(Node.objects.get(title="Tides").pk)


def test_a_release_is_compared_with_now(
    api: Api, owner: User, space: Space, two: tuple[Release, Release]
) -> None:
    _old, new = two
    answer = api.get(f"{RELEASES}{new.pk}/compare/", {"with": "now"}).json()
    assert answer["new"] is None
    assert answer["results"] == []
    node(owner, space, "Newest")
    answer = api.get(f"{RELEASES}{new.pk}/compare/", {"with": "now"}).json()
    assert [each["title"] for each in answer["results"]] == ["Newest"]


def test_differences_come_in_pages_both_ways(api: Api, owner: User, space: Space) -> None:
    node(owner, space, "First")
    old = released(owner, space, "Old")
    made = sorted(str(node(owner, space, f"Node {number}").pk) for number in range(5))
    new = released(owner, space, "New")
    query = f"?with={old.pk}&limit=2&change=added"
    first = api.get(f"{RELEASES}{new.pk}/compare/{query}").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()
    pages = [[each["id"] for each in page["results"]] for page in (first, second, third)]
    assert pages == [made[:2], made[2:4], made[4:]]
    assert (first["previous"], third["next"]) == (None, None)
    back = api.get(third["previous"]).json()
    assert [each["id"] for each in back["results"]] == made[2:4]
    assert back["next"] is not None
    assert api.get(f"{RELEASES}{new.pk}/compare/{query}&cursor=x").status_code == 400
    assert api.get(f"{RELEASES}{new.pk}/compare/?with={old.pk}&limit=0").status_code == 400


def test_only_releases_of_one_space_are_compared(
    api: Api, owner: User, space: Space, two: tuple[Release, Release]
) -> None:
    other = Space.objects.create(name="Other", slug="other")
    grant(other, owner, Role.MANAGER)
    node(owner, other, "There")
    elsewhere = released(owner, other)
    path = f"{RELEASES}{two[0].pk}/compare/"
    assert api.get(path, {"with": str(elsewhere.pk)}).status_code == 400
    assert api.get(path, {"with": str(space.pk)}).status_code == 404
    assert api.get(path, {"with": "then"}).status_code == 404
    assert api.get(path).status_code == 400
    assert api.get(path, {"with": "now", "node": str(space.pk)}).status_code == 404


def test_editors_export_and_readers_do_not(
    api: Api, teammate_api: Api, stranger: User, owner: User, space: Space
) -> None:
    node(owner, space, "Tides")
    release = released(owner, space)
    path = f"{RELEASES}{release.pk}/export/"
    answer = teammate_api.get(path)
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="harbour-spring-2026.zip"'
    data = body_of(answer)
    assert int(answer["Content-Length"]) == len(data)
    with ArchiveReader(io.BytesIO(data)) as archive:
        assert archive.manifest.release.checksum == release.checksum
    bundle = body_of(teammate_api.get(path, {"format": "git"}))
    assert bundle.startswith(b"# v2 git bundle\n")
    wrong = teammate_api.get(path, {"format": "pdf"})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (400, "format")
    grant(space, stranger, Role.READER)
    refused = Api(stranger).get(path)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "role_needed")
    assert not list(Path(settings.MEDIA_ROOT).glob("tmp*"))  # exports have no name


def test_exports_are_limited(api: Api, owner: User, space: Space, settings: Settings) -> None:
    settings.ACERVO_RATE_UPLOADS = "1/hour"
    node(owner, space, "Tides")
    path = f"{RELEASES}{released(owner, space).pk}/export/"
    assert api.get(path).status_code == 200
    assert api.get(path).status_code == 429


def test_an_archive_is_taken_in(api: Api, teammate_api: Api, owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    archive = exported(released(owner, space))

    def sent(client: Api, data: bytes) -> Any:
        body = {"space": str(space.pk), "file": SimpleUploadedFile("r.zip", data)}
        return client.post(f"{RELEASES}import/", body, format="multipart")

    answer = sent(api, archive)
    assert answer.status_code == 202, answer.json()
    job = answer.json()["job"]
    assert (job["kind"], job["status"]) == ("release", "queued")
    assert IngestJob.objects.get(pk=job["id"]).payload == {"release": "Spring 2026"}
    assert sent(teammate_api, archive).status_code == 403
    broken = sent(api, tampered(archive, lambda files: files.pop("nodes.jsonl"), sums=False))
    assert (broken.status_code, broken.json()["error"]["details"]) == (422, {"file": "nodes.jsonl"})


def test_only_the_description_is_worded_anew(
    api: Api, teammate_api: Api, owner: User, space: Space
) -> None:
    node(owner, space, "Tides")
    path = f"{RELEASES}{released(owner, space).pk}/"
    assert teammate_api.patch(path, {"description": "x"}).status_code == 403
    answer = api.patch(path, {"description": " Approved. "})
    assert (answer.status_code, answer.json()["description"]) == (200, "Approved.")
    refused = api.patch(path, {"description": "x", "name": "Other"})
    assert refused.json()["error"]["code"] == "unknown_field"
    assert api.get(path).json()["name"] == "Spring 2026"


def test_managers_delete_releases(api: Api, teammate_api: Api, owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    path = f"{RELEASES}{released(owner, space).pk}/"
    assert teammate_api.delete(path).status_code == 403
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404


def test_strangers_see_no_release(stranger_api: Api, owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    release = released(owner, space)
    assert stranger_api.get(RELEASES).json()["results"] == []
    for path in ("", "entries/", "compare/?with=now", "export/"):
        answer = stranger_api.get(f"{RELEASES}{release.pk}/{path}")
        assert answer.status_code == 404, path
