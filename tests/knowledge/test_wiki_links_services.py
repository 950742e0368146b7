"""Relations that follow the links of texts."""

from typing import Any

import pytest

from knowledge import services
from knowledge.models import Node, Relation, Space
from knowledge.relation_writing import relations_remove
from project.accounts.models import User
from project.events.delivery import deliver
from project.events.models import Event
from project.http.errors import Conflict, Forbidden, NotFound


@pytest.fixture
def write(owner: User, space: Space) -> Any:
    def create(title: str, content: str = "", **fields: Any) -> Node:
        return services.node_create(
            acting_user=owner, space=space, title=title, content=content, **fields
        )

    return create


def edges() -> list[tuple[str, str]]:
    rows = Relation.objects.filter(kind="links_to", origin="text", status="confirmed")
    return sorted(rows.values_list("source__title", "target__title"))


def test_a_link_becomes_a_relation_whatever_its_case(write: Any) -> None:
    write("Moon")
    write("Tides", "See [[moon]] and [[MOON|the moon]].")
    assert edges() == [("Tides", "Moon")]


def test_a_link_may_name_an_external_id(write: Any) -> None:
    write("Moon", external_id="LUNA-1")
    write("Tides", "See [[luna-1]].")
    assert edges() == [("Tides", "Moon")]


def test_a_link_to_nothing_waits_for_its_target(write: Any, owner: User) -> None:
    write("Tides", "See [[Moon]] and [[Sun]].")
    assert edges() == []
    write("Moon")
    star = write("Star")
    assert edges() == [("Tides", "Moon")]
    services.node_update(acting_user=owner, node=star, title="Sun")
    assert edges() == [("Tides", "Moon"), ("Tides", "Sun")]


def test_removing_the_link_removes_the_relation(write: Any, owner: User) -> None:
    write("Moon")
    tides = write("Tides", "See [[Moon]].")
    services.node_update(acting_user=owner, node=tides, content="See nothing.")
    assert edges() == []


def test_a_new_title_of_the_target_keeps_the_relation(write: Any, owner: User) -> None:
    moon = write("Moon")
    tides = write("Tides", "See [[Moon]].")
    services.node_update(acting_user=owner, node=moon, title="Luna")
    services.node_update(acting_user=owner, node=tides, content="Do see [[Moon]].")
    assert edges() == [("Tides", "Luna")]


def test_links_in_code_and_to_itself_are_none(write: Any) -> None:
    write("Moon")
    write("Tides", "`[[Moon]]` and [[Tides]].")
    assert edges() == []


def test_links_stay_in_their_space(write: Any, owner: User, admin_user: User) -> None:
    elsewhere = services.space_create(acting_user=admin_user, name="Sky")
    services.node_create(acting_user=admin_user, space=elsewhere, title="Moon")
    write("Tides", "See [[Moon]].")
    assert edges() == []


def test_reverting_brings_the_relations_back(write: Any, owner: User) -> None:
    write("Moon")
    tides = write("Tides", "See [[Moon]].")
    services.node_update(acting_user=owner, node=tides, content="See nothing.")
    services.node_revert(acting_user=owner, node=tides, version=1)
    assert edges() == [("Tides", "Moon")]


def test_what_two_writers_at_once_missed_is_related_afterwards(write: Any) -> None:
    write("Moon")
    tides = write("Tides", "See [[Moon]].")
    relations_remove(list(Relation.objects.all()), author=None)  # as if neither had seen the other
    created = Event.objects.get(type="knowledge.node.created", subject_id=tides.pk)
    deliver(created.position)
    deliver(created.position)
    assert edges() == [("Tides", "Moon")]


def test_a_relation_made_by_hand_stays_when_the_text_says_it_too(write: Any, owner: User) -> None:
    moon, tides = write("Moon"), write("Tides")
    made = services.relation_create(
        acting_user=owner, source=tides, target=moon, kind="links_to", weight=0.5
    )
    services.node_update(acting_user=owner, node=tides, content="See [[Moon]].")
    services.node_update(acting_user=owner, node=tides, content="See nothing.")
    assert Relation.objects.get() == made


def test_relations_need_both_ends_and_an_editor(
    write: Any, owner: User, teammate: User, stranger: User, admin_user: User
) -> None:
    moon, tides = write("Moon"), write("Tides")
    hidden_space = services.space_create(acting_user=admin_user, name="Sky")
    hidden = services.node_create(acting_user=admin_user, space=hidden_space, title="Star")
    with pytest.raises(NotFound):
        services.relation_create(acting_user=stranger, source=tides, target=moon)
    with pytest.raises(NotFound):
        services.relation_create(acting_user=teammate, source=tides, target=hidden)
    made = services.relation_create(acting_user=teammate, source=tides, target=moon)
    with pytest.raises(Conflict) as refused:
        services.relation_create(acting_user=owner, source=tides, target=moon)
    assert refused.value.details == {"relation": str(made.pk)}
    with pytest.raises(NotFound):
        services.relation_delete(acting_user=stranger, relation=made)
    services.relation_delete(acting_user=teammate, relation=made)
    assert not Relation.objects.exists()


def test_a_reader_relates_nothing(write: Any, owner: User, stranger: User, space: Space) -> None:
    moon, tides = write("Moon", status="published"), write("Tides", status="published")
    services.space_update(acting_user=owner, space=space, visibility="signed_in")
    with pytest.raises(Forbidden):
        services.relation_create(acting_user=stranger, source=tides, target=moon)


def test_a_relation_of_the_text_is_removed_in_the_text(write: Any, owner: User) -> None:
    write("Moon")
    write("Tides", "See [[Moon]].")
    with pytest.raises(Conflict):
        services.relation_delete(acting_user=owner, relation=Relation.objects.get())
