"""Releases: what they hold, who makes them, and that nothing changes them."""

import datetime
from contextlib import AbstractContextManager

import pytest
from django.db import transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from knowledge import services
from knowledge.models import Node, Release, ReleaseEntry, ReleaseRelation, Space
from knowledge.services.releases import release_create, release_delete
from project.accounts.models import User
from project.http.errors import Conflict, Forbidden, Invalid, NotFound


def node(owner: User, space: Space, title: str, status: str = "published", **more: object) -> Node:
    made: dict[str, object] = {"content": f"About {title}.", **more}
    return services.node_create(
        acting_user=owner,
        space=space,
        title=title,
        status=status,
        **made,  # type: ignore[arg-type]
    )


def held(release: Release) -> dict[str, int]:
    titles = dict(Node.objects.values_list("pk", "title"))
    return {titles[row.node_id]: row.version for row in release.entries.all()}


def test_a_release_holds_what_is_published_and_valid_now(owner: User, space: Space) -> None:
    now = timezone.now()
    first = node(owner, space, "Tides")
    services.node_update(acting_user=owner, node=first, content="About tides and waves.")
    node(owner, space, "Draft", status="draft")
    node(owner, space, "Over", valid_until=now - datetime.timedelta(days=1))
    node(owner, space, "Early", valid_from=now + datetime.timedelta(days=1))
    release = release_create(acting_user=owner, space=space, name="  Spring   2026 ")
    assert held(release) == {"Tides": 2}
    assert (release.name, release.node_count, release.author_name) == ("Spring 2026", 1, "owner")
    assert release.as_of >= now


def test_a_release_as_of_a_moment_holds_the_state_of_then(owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    then = timezone.now()
    services.node_update(acting_user=owner, node=tides, content="Newer.")
    node(owner, space, "Later")
    old = release_create(acting_user=owner, space=space, name="Old", as_of=then)
    new = release_create(acting_user=owner, space=space, name="New")
    assert held(old) == {"Tides": 1}
    assert held(new) == {"Tides": 2, "Later": 1}
    assert old.as_of == then


def test_relations_are_those_between_released_nodes(owner: User, space: Space) -> None:
    one, two = node(owner, space, "One"), node(owner, space, "Two")
    draft = node(owner, space, "Three", status="draft")
    kept = services.relation_create(acting_user=owner, source=one, target=two)
    services.relation_create(acting_user=owner, source=one, target=draft)
    gone = services.relation_create(acting_user=owner, source=two, target=one)
    before = timezone.now()
    services.relation_delete(acting_user=owner, relation=gone)
    release = release_create(acting_user=owner, space=space, name="Now")
    assert [row.relation_id for row in release.relations.all()] == [kept.pk]
    assert release.relation_count == 1
    earlier = release_create(acting_user=owner, space=space, name="Then", as_of=before)
    assert {row.relation_id for row in earlier.relations.all()} == {kept.pk, gone.pk}


def test_equal_contents_have_equal_checksums(owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    one = release_create(acting_user=owner, space=space, name="One")
    two = release_create(acting_user=owner, space=space, name="Two")
    services.node_update(acting_user=owner, node=tides, content="Changed.")
    three = release_create(acting_user=owner, space=space, name="Three")
    assert one.checksum == two.checksum != three.checksum


def test_names_are_unique_a_space(owner: User, space: Space) -> None:
    node(owner, space, "Tides")
    release_create(acting_user=owner, space=space, name="Spring")
    with pytest.raises(Conflict) as refusal:
        release_create(acting_user=owner, space=space, name=" Spring ")
    assert refusal.value.code == "release_exists"
    assert ReleaseEntry.objects.count() == 1


def test_an_empty_release_and_one_of_the_future_are_refused(owner: User, space: Space) -> None:
    with pytest.raises(Invalid, match="empty"):
        release_create(acting_user=owner, space=space, name="Nothing")
    assert not Release.objects.exists()
    later = timezone.now() + datetime.timedelta(hours=1)
    with pytest.raises(Invalid, match="past"):
        release_create(acting_user=owner, space=space, name="Soon", as_of=later)


def test_curators_make_releases_and_managers_delete_them(
    owner: User, teammate: User, stranger: User, space: Space
) -> None:
    node(owner, space, "Tides")
    with pytest.raises(Forbidden):
        release_create(acting_user=teammate, space=space, name="Mine")
    with pytest.raises(NotFound):
        release_create(acting_user=stranger, space=space, name="Mine")
    release = release_create(acting_user=owner, space=space, name="Ours")
    with pytest.raises(Forbidden):
        release_delete(acting_user=teammate, release=release)
    with pytest.raises(NotFound):
        release_delete(acting_user=stranger, release=release)
    release_delete(acting_user=owner, release=release)
    assert not Release.objects.exists()
    assert not ReleaseEntry.objects.exists()


def refused() -> AbstractContextManager[object]:
    return pytest.raises(DatabaseError, match="immutable")


def test_the_database_refuses_to_change_a_release(owner: User, space: Space) -> None:
    one, two = node(owner, space, "One"), node(owner, space, "Two")
    services.relation_create(acting_user=owner, source=one, target=two)
    release = release_create(acting_user=owner, space=space, name="Spring")
    rows = Release.objects.filter(pk=release.pk)
    changes = [
        lambda: rows.update(name="Autumn"),
        lambda: rows.update(checksum="0" * 64),
        lambda: rows.delete(),
        lambda: ReleaseEntry.objects.update(version=7),
        lambda: ReleaseEntry.objects.filter(node_id=one.pk).delete(),
        lambda: ReleaseRelation.objects.update(version=7),
        lambda: ReleaseRelation.objects.all().delete(),
        lambda: ReleaseEntry.objects.create(
            release=release, node_id=space.pk, version=1, checksum="0" * 64
        ),
        lambda: ReleaseRelation.objects.create(
            release=release, relation_id=space.pk, version=1, checksum="0" * 64
        ),
    ]
    for change in changes:
        with refused(), transaction.atomic():
            change()  # type: ignore[no-untyped-call]
    rows.update(description="Worded anew.")
    release.refresh_from_db()
    assert (release.name, release.description) == ("Spring", "Worded anew.")


def test_a_release_outlives_the_account_of_its_author(
    owner: User, admin_user: User, space: Space
) -> None:
    node(admin_user, space, "Tides")
    release = release_create(acting_user=admin_user, space=space, name="Spring")
    admin_user.delete()
    release.refresh_from_db()
    assert (release.created_by, release.author_name) == (None, "admin")


def test_a_deleted_space_takes_its_releases_along(owner: User, space: Space) -> None:
    tides = node(owner, space, "Tides")
    release_create(acting_user=owner, space=space, name="Spring")
    services.node_archive(acting_user=owner, node=tides)
    services.space_delete(acting_user=owner, space=space)
    assert not Release.objects.exists()
