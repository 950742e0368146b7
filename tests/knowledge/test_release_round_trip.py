"""Export, an empty installation, import: everything is as it was."""

import datetime
import io
import zipfile
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from knowledge import services
from knowledge.chains import Counts, history_problems
from knowledge.choices import NodeStatus
from knowledge.models import (
    Erasure,
    Node,
    NodeVersion,
    Publication,
    Relation,
    RelationVersion,
    Release,
    Source,
    Space,
    VersionTag,
)
from project.accounts.models import User
from project.http.errors import Conflict
from tests.support.releases import (
    emptied,
    exported,
    files_of,
    node,
    node_of,
    released,
    restored,
    tampered,
)

ODD = "---\r\nid: 1\r\n---\n\n  trailing  \n\u2028 [[Waves]] \u0001 😀\n\n"
METADATA = {"a": [1, 1.5, None, True, {"ü": "\u0001\u0085"}], "b": 10**20, "c": 1e-9, "": "x"}
HERE_ONLY = ("history_id", "space_id", "indexed_version")


def rows_of(model: Any) -> list[dict[str, Any]]:
    """All rows of a model, without what each installation numbers by itself."""
    left_out = {*HERE_ONLY, *(["id"] if model in {Publication, VersionTag} else [])}
    rows = [
        {name: value for name, value in row.items() if name not in left_out}
        for row in model.objects.values()
    ]
    return sorted(rows, key=repr)


EVERYTHING = (NodeVersion, RelationVersion, Node, Relation, Publication, VersionTag, Source)


@pytest.fixture
def release(owner: User, teammate: User, space: Space) -> Release:
    """A release of some nodes with a past."""
    tides = node(owner, space, "Tides", content=ODD, tags=["sea", "ébb"], external_id="t-1")
    waves = node(teammate, space, "Waves", status="in_review", content="")
    services.node_update(
        acting_user=owner, node=waves, metadata=METADATA, status="published", reason="Why: é\nso."
    )
    chart = node_of(owner, space, "Chart", b"# Chart\n", "c.md")
    later = timezone.now() + datetime.timedelta(days=9)
    services.node_update(acting_user=owner, node=tides, valid_until=later)
    services.node_revert(acting_user=owner, node=tides, version=1)
    services.version_tag(acting_user=owner, node=tides, version=2, name="as approved")
    services.relation_create(
        acting_user=owner, source=chart, target=waves, kind="explains", weight=0.3
    )
    return released(owner, space, description="All\nof it.")


def emptied_space(space: Space) -> Space:
    """The space of an installation that has seen none of this."""
    emptied()
    Source.objects.all().delete()
    return Space.objects.create(name="Elsewhere", slug="elsewhere")


def problems() -> list[str]:
    return [each.message for each in history_problems(Counts())]


def test_everything_is_as_it_was(release: Release, space: Space) -> None:
    before = {model: rows_of(model) for model in EVERYTHING}
    assert all(before.values())
    archive = exported(release)
    restored(archive, emptied_space(space))
    for model in EVERYTHING:
        assert rows_of(model) == before[model], model
    again = Release.objects.get(pk=release.pk)
    for name in ("name", "description", "checksum", "as_of", "created_at", "created_by"):
        assert getattr(again, name) == getattr(release, name), name
    assert again.entries.count() == 3
    assert again.relations.count() == 2  # the link in the text, and the one made by hand
    assert problems() == []


def test_checksums_and_chains_of_every_kept_version_are_equal(
    release: Release, space: Space
) -> None:
    rows = NodeVersion.objects.order_by("id", "version")
    before = list(rows.values_list("id", "version", "checksum", "chain", "content"))
    assert len(before) == 6
    archive = exported(release)
    restored(archive, emptied_space(space))
    assert list(rows.values_list("id", "version", "checksum", "chain", "content")) == before


def test_attachments_come_back_byte_by_byte(owner: User, space: Space) -> None:
    picture = bytes(range(256)) * 5000
    made = node_of(owner, space, "Chart", b"%PDF-1.4\n" + picture, "Plan (1).pdf").source
    assert made is not None
    archive = exported(released(owner, space))
    path = settings.MEDIA_ROOT / made.file.name
    path.unlink()
    restored(archive, emptied_space(space))
    assert path.read_bytes() == b"%PDF-1.4\n" + picture
    stored = Source.objects.get(pk=made.pk)
    assert (stored.filename, stored.sha256) == ("Plan (1).pdf", made.sha256)
    path.unlink()


def test_equal_releases_make_equal_archives(release: Release) -> None:
    assert exported(release) == exported(release)


def test_the_archive_is_for_people_too(release: Release) -> None:
    files = files_of(exported(release))
    tides = Node.objects.get(title="Tides")
    text = files[f"nodes/article/tides-{tides.pk.hex[:12]}.md"].decode()
    assert text.startswith(f'---\nid: "{tides.pk}"\nversion: 3\ntitle: "Tides"\n')
    assert text.endswith(f"\n---\n{ODD}")
    assert '"kind": "links_to"' in text
    assert "chart-" in "".join(files)
    with zipfile.ZipFile(io.BytesIO(exported(release))) as opened:
        assert opened.testzip() is None


def test_the_same_archive_twice_doubles_nothing(release: Release, space: Space) -> None:
    archive = exported(release)
    counts = {model: model.objects.count() for model in (*EVERYTHING, Release)}
    done = restored(archive, space).restored  # all of it is here still
    assert (done.nodes_equal, done.versions, done.is_new) == (3, 0, False)
    target = emptied_space(space)
    assert restored(archive, target).restored.nodes_created == 3
    again = restored(archive, target).restored
    assert (again.nodes_equal, again.versions, again.relations, again.sources) == (3, 0, 0, 0)
    assert {model: model.objects.count() for model in counts} == counts


def test_a_history_that_went_on_here_stays(owner: User, release: Release, space: Space) -> None:
    archive = exported(release)
    tides = Node.objects.get(title="Tides")
    services.node_update(acting_user=owner, node=tides, content="Newer.")
    done = restored(archive, space).restored
    assert (done.nodes_ahead, done.nodes_equal, done.versions) == (1, 2, 0)
    tides.refresh_from_db()
    assert (tides.version, tides.content) == (4, "Newer.")


def test_a_history_that_is_behind_is_continued(owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    first = released(owner, space, "First")
    old = exported(first)
    services.node_update(acting_user=owner, node=tides, content="Newer.")
    services.node_archive(acting_user=owner, node=tides)
    services.node_publish(acting_user=owner, node=tides)
    node(owner, space, "Waves")
    new = exported(released(owner, space, "Second"))
    before = {model: rows_of(model) for model in (NodeVersion, Publication)}
    target = emptied_space(space)
    restored(old, target)
    done = restored(new, target).restored
    assert (done.nodes_continued, done.nodes_created, done.versions) == (1, 1, 2)
    stored = Node.objects.get(pk=tides.pk)
    assert (stored.content, stored.version, stored.status) == ("Newer.", 2, "published")
    assert {model: rows_of(model) for model in before} == before
    assert Release.objects.count() == 2
    assert problems() == []


def test_the_state_of_every_moment_comes_back(owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    then = timezone.now()
    services.node_update(acting_user=owner, node=tides, content="Newer.")
    archive = exported(released(owner, space))
    target = emptied_space(space)
    restored(archive, target)
    then_held = services.release_create(
        acting_user=owner_of(target), space=target, name="T", as_of=then
    )
    assert [row.version for row in then_held.entries.all()] == [1]


def owner_of(space: Space) -> User:
    return User.objects.create_superuser("root", password="x")


def refused(archive: bytes, space: Space) -> dict[str, Any]:
    """The details of a refusal that wrote nothing."""
    before = {model: rows_of(model) for model in (*EVERYTHING, Release)}
    with pytest.raises(Conflict) as refusal:
        restored(archive, space)
    assert {model: rows_of(model) for model in before} == before
    assert refusal.value.code == "release_conflicts"
    details: dict[str, Any] = refusal.value.details
    return details


def test_a_history_that_went_another_way_is_refused(owner: User, space: Space) -> None:
    tides, waves = node(owner, space, "Tides"), node(owner, space, "Waves")
    first = exported(released(owner, space, "First"))
    services.node_update(acting_user=owner, node=tides, content="One way.")
    node(owner, space, "New")
    second = exported(released(owner, space, "Second"))
    target = emptied_space(space)
    restored(first, target)
    Space.objects.filter(pk=space.pk).delete()
    root = owner_of(target)
    services.node_update(acting_user=root, node=Node.objects.get(pk=tides.pk), content="Another.")
    details = refused(second, target)
    assert [(each["code"], each["node"]) for each in details["conflicts"]] == [
        ("other_history", str(tides.pk))
    ]
    assert "version 2" in details["conflicts"][0]["message"]
    assert not Node.objects.filter(title="New").exists()
    assert Node.objects.filter(pk=waves.pk).exists()


def test_what_another_space_has_is_refused(release: Release, space: Space) -> None:
    archive = exported(release)
    other = Space.objects.create(name="Other", slug="other")
    codes = {each["code"] for each in refused(archive, other)["conflicts"]}
    assert codes == {"other_space"}


def test_a_node_that_was_deleted_here_is_not_brought_back_by_half(
    owner: User, space: Space
) -> None:
    one, two = node(owner, space, "One"), node(owner, space, "Two")
    first = exported(released(owner, space, "First"))
    services.relation_create(acting_user=owner, source=one, target=two)
    second = exported(released(owner, space, "Second"))
    target = emptied_space(space)
    restored(first, target)
    services.node_delete(acting_user=owner_of(target), node=Node.objects.get(pk=two.pk))
    assert restored(first, target).restored.nodes_ahead == 1  # its history went on: it is deleted
    codes = [each["code"] for each in refused(second, target)["conflicts"]]
    assert codes == ["deleted"]


def test_taken_names_are_refused(owner: User, space: Space) -> None:
    node(owner, space, "Tides", external_id="t-1")
    archive = exported(released(owner, space, "Spring"))
    target = emptied_space(space)
    root = owner_of(target)
    node(root, target, "Mine", external_id="t-1")
    released(root, target, "Spring")
    codes = [each["code"] for each in refused(archive, target)["conflicts"]]
    assert codes == ["release_exists", "external_id_taken"]


def test_relations_that_are_here_otherwise_are_refused(owner: User, space: Space) -> None:
    one, two = node(owner, space, "One"), node(owner, space, "Two")
    first = exported(released(owner, space, "First"))
    services.relation_create(acting_user=owner, source=one, target=two)
    second = exported(released(owner, space, "Second"))
    target = emptied_space(space)
    restored(first, target)
    ends = Node.objects.in_bulk([one.pk, two.pk])
    services.relation_create(acting_user=owner_of(target), source=ends[one.pk], target=ends[two.pk])
    codes = [each["code"] for each in refused(second, target)["conflicts"]]
    assert codes == ["relation_exists"]


def test_accounts_that_are_not_here_stay_names(
    release: Release, teammate: User, space: Space
) -> None:
    archive = exported(release)
    target = emptied_space(space)
    teammate.delete()
    restored(archive, target)
    first = NodeVersion.objects.get(title="Waves", version=1)
    assert (first.history_user, first.author_name) == (None, "teammate")
    assert problems() == []


def test_erased_versions_stay_erased(owner: User, space: Space) -> None:
    tides, waves = node(owner, space, "Tides", content="secret"), node(owner, space, "Waves")
    release = released(owner, space)
    services.node_update(acting_user=owner, node=tides, content="harmless")
    for pk, versions in ((tides.pk, [1]), (waves.pk, None)):
        services.versions_erase(
            acting_user=owner, space=space, node_id=pk, versions=versions, reason="asked to"
        )
    archive = exported(release)
    assert b"secret" not in archive
    assert not any(b"secret" in data for data in files_of(archive).values())
    Erasure.objects.all().delete()  # as where nothing was ever erased
    restored(archive, emptied_space(space))
    stored = Node.objects.get(pk=tides.pk)
    assert (stored.content, stored.status) == ("", NodeStatus.ARCHIVED)
    assert NodeVersion.objects.get(id=tides.pk, version=1).erased_at is not None
    assert not Publication.objects.filter(ended_at=None).exists()
    assert problems() == []


def test_a_missing_attachment_is_told_and_not_invented(owner: User, space: Space) -> None:
    made = node_of(owner, space, "Chart", b"# Gone\n", "gone.md").source
    assert made is not None
    (settings.MEDIA_ROOT / made.file.name).unlink()
    archive = exported(released(owner, space))
    assert b'"missing_attachments": 1' in files_of(archive)["manifest.json"]
    restored(archive, emptied_space(space))
    assert Source.objects.get(pk=made.pk).sha256 == made.sha256


def test_other_programs_may_pack_the_files_again(release: Release, space: Space) -> None:
    archive = tampered(exported(release), lambda files: files.update({"nodes/": b""}), sums=False)
    assert restored(archive, emptied_space(space)).restored.nodes_created == 3
