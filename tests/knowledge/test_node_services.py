import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.models import Node, NodeVersion, Space
from knowledge.versions import checksum_of
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.models import Event
from project.http.errors import Conflict, Forbidden, Invalid, NotFound
from project.tracing import bind_trace
from tests.conftest import grant

NOW = timezone.now()


def create(user: User, space: Space, **fields: object) -> Node:
    values = {"title": "Tides", "content": "The tide turns twice a day.", **fields}
    return services.node_create(acting_user=user, space=space, **values)


def event_types(node: Node) -> list[str]:
    rows = Event.objects.filter(subject_id=node.pk).order_by("position")
    return [each.removeprefix("knowledge.node.") for each in rows.values_list("type", flat=True)]


def test_a_new_node_is_version_one_with_its_facts(owner: User, space: Space) -> None:
    with bind_trace("trace-of-this-test"):
        node = create(owner, space, tags=["sea", " sea ", "moon"], reason="First words")

    version = NodeVersion.objects.get(id=node.pk)
    assert (node.version, node.status, node.owner) == (1, NodeStatus.DRAFT, owner)
    assert node.tags == ["sea", "moon"]
    assert node.checksum == checksum_of(node) == version.checksum
    assert (version.version, version.parents, version.trace_id) == (1, [], "trace-of-this-test")
    assert (version.history_user, version.history_change_reason) == (owner, "First words")
    assert event_types(node) == ["created"]


def test_publishing_at_once_needs_a_curator(owner: User, teammate: User, space: Space) -> None:
    node = create(owner, space, status="published")
    assert node.published_at is not None
    assert event_types(node) == ["created", "published"]
    with pytest.raises(Forbidden):
        create(teammate, space, status="published")


def test_a_change_makes_the_next_version_with_its_parent(teammate: User, space: Space) -> None:
    node = create(teammate, space)
    changed = services.node_update(
        acting_user=teammate,
        node=node,
        expected_version=1,
        reason="Clearer",
        content="Twice a day.",
    )

    assert changed.version == 2
    first, second = NodeVersion.objects.filter(id=node.pk).order_by("version")
    assert (first.content, second.content) == ("The tide turns twice a day.", "Twice a day.")
    assert (second.parents, second.history_change_reason) == ([1], "Clearer")
    assert first.checksum != second.checksum
    assert event_types(node) == ["created", "updated"]


def test_what_changes_nothing_makes_no_version(owner: User, space: Space) -> None:
    node = create(owner, space, tags=["sea"])
    same = services.node_update(acting_user=owner, node=node, title=" Tides ", tags=["sea", "sea"])
    assert same.version == 1
    assert event_types(node) == ["created"]


def test_bookkeeping_makes_no_version(owner: User, space: Space) -> None:
    node = create(owner, space)
    due = (timezone.now() + timedelta(days=30)).date()
    kept = services.node_update(acting_user=owner, node=node, review_due=due)
    services.node_submit(acting_user=owner, node=node)
    services.node_publish(acting_user=owner, node=node)

    kept.refresh_from_db()
    assert (kept.version, kept.review_due, kept.status) == (1, due, NodeStatus.PUBLISHED)
    assert NodeVersion.objects.filter(id=node.pk).count() == 1
    assert event_types(node) == ["created", "updated", "updated", "published"]


def test_a_stale_write_is_refused_with_the_current_version(owner: User, space: Space) -> None:
    node = create(owner, space)
    services.node_update(acting_user=owner, node=node, expected_version=1, title="Ebb")
    with pytest.raises(Conflict) as refused:
        services.node_update(acting_user=owner, node=node, expected_version=1, title="Flow")
    assert (refused.value.code, refused.value.details) == ("version_conflict", {"current": 2})
    node.refresh_from_db()
    assert node.title == "Ebb"


@pytest.mark.django_db(transaction=True)
def test_of_two_writers_at_once_one_wins_and_one_hears_of_it(owner: User, space: Space) -> None:
    node = create(owner, space)
    barrier = threading.Barrier(2)
    outcomes: list[str] = []

    def write(title: str) -> None:
        barrier.wait()
        try:
            services.node_update(acting_user=owner, node=node, expected_version=1, title=title)
            outcomes.append("written")
        except Conflict as error:
            outcomes.append(f"current {error.details['current']}")
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(title,)) for title in ("Ebb", "Flow")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["current 2", "written"]
    assert list(NodeVersion.objects.filter(id=node.pk).values_list("version", flat=True)) == [2, 1]


def test_an_editor_changes_drafts_but_not_what_is_published(
    owner: User, teammate: User, space: Space
) -> None:
    node = create(teammate, space)
    services.node_update(acting_user=teammate, node=node, title="Ebb")
    with pytest.raises(Forbidden):
        services.node_publish(acting_user=teammate, node=node)
    services.node_publish(acting_user=owner, node=node)
    for attempt in (
        lambda: services.node_update(acting_user=teammate, node=node, title="Flow"),
        lambda: services.node_update(acting_user=teammate, node=node, status="draft"),
        lambda: services.node_revert(acting_user=teammate, node=node, version=1),
        lambda: services.node_archive(acting_user=teammate, node=node),
        lambda: services.node_delete(acting_user=teammate, node=node),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_a_curator_does_all_but_delete(teammate: User, space: Space) -> None:
    grant(space, teammate, Role.CURATOR)
    node = create(teammate, space, status="published")
    services.node_update(acting_user=teammate, node=node, title="Ebb")
    services.node_archive(acting_user=teammate, node=node)
    with pytest.raises(Forbidden):
        services.node_delete(acting_user=teammate, node=node)


def test_for_a_stranger_the_node_does_not_exist(owner: User, stranger: User, space: Space) -> None:
    node = create(owner, space, status="published")
    for attempt in (
        lambda: create(stranger, space),
        lambda: services.node_update(acting_user=stranger, node=node, title="Flow"),
        lambda: services.node_publish(acting_user=stranger, node=node),
        lambda: services.node_delete(acting_user=stranger, node=node),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_a_reader_may_see_but_not_change(owner: User, stranger: User, space: Space) -> None:
    node = create(owner, space, status="published")
    grant(space, stranger, Role.READER)
    with pytest.raises(Forbidden):
        services.node_update(acting_user=stranger, node=node, title="Flow")


def test_reverting_makes_a_new_version_equal_to_the_old(owner: User, space: Space) -> None:
    node = create(owner, space, metadata={"pier": 3})
    services.node_update(acting_user=owner, node=node, title="Ebb", metadata={}, content="Gone.")
    back = services.node_revert(acting_user=owner, node=node, version=1, reason="Was right")

    versions = {each.version: each for each in NodeVersion.objects.filter(id=node.pk)}
    assert (back.version, back.title, back.metadata) == (3, "Tides", {"pier": 3})
    assert versions[3].checksum == versions[1].checksum
    assert (versions[3].parents, versions[3].history_change_reason) == ([2], "Was right")
    with pytest.raises(Invalid):
        services.node_revert(acting_user=owner, node=node, version=9)


def test_deleting_leaves_the_versions_and_says_who(owner: User, space: Space) -> None:
    node = create(owner, space)
    pk = node.pk
    services.node_delete(acting_user=owner, node=node, reason="Wrong space")

    assert not Node.objects.filter(pk=pk).exists()
    last, first = NodeVersion.objects.filter(id=pk)
    assert (first.version, last.version, last.history_type) == (1, 2, "-")
    assert (last.history_user, last.history_change_reason) == (owner, "Wrong space")
    assert last.parents == [1]
    assert Event.objects.filter(subject_id=pk, type="knowledge.node.deleted").count() == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"kind": "Not A Kind"}, "kind"),
        ({"content": "zero\0byte"}, "content"),
        ({"metadata": {"a": ["\0"]}}, "metadata"),
        ({"metadata": ["not", "an", "object"]}, "metadata"),
        ({"tags": ["x" * 65]}, "tags"),
        (
            {"valid_from": timezone.now(), "valid_until": timezone.now() - timedelta(1)},
            "valid_until",
        ),
        ({"checksum": "0" * 64}, "checksum"),
        ({"status": "archived"}, "status"),
    ],
)
def test_it_names_the_field_at_fault(
    owner: User, space: Space, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        create(owner, space, **fields)
    assert refused.value.field == field
    assert not Node.objects.exists()


def test_an_external_id_is_taken_once_a_space(owner: User, space: Space) -> None:
    create(owner, space, external_id="T-1")
    with pytest.raises(Conflict) as refused:
        create(owner, space, external_id="T-1")
    assert refused.value.code == "external_id_taken"
    assert create(owner, space, external_id="").external_id is None


def test_many_nodes_are_created_or_updated_by_their_external_id(owner: User, space: Space) -> None:
    known = create(owner, space, external_id="T-1")
    rows = [
        {"external_id": "T-1", "title": "Tides of spring"},
        {"external_id": "T-2", "title": "Moon"},
        {"title": "Sun", "status": "draft"},
    ]
    nodes = services.nodes_upsert(acting_user=owner, space=space, rows=rows)

    assert [node.title for node in nodes] == ["Tides of spring", "Moon", "Sun"]
    assert nodes[0].pk == known.pk
    assert [node.version for node in nodes] == [2, 1, 1]
    assert [node.status for node in nodes] == ["draft", "published", "draft"]
    again = services.nodes_upsert(acting_user=owner, space=space, rows=rows[:2])
    assert [(node.pk, node.version) for node in again] == [(nodes[0].pk, 2), (nodes[1].pk, 1)]


def test_one_bad_row_stores_none_and_is_named(owner: User, teammate: User, space: Space) -> None:
    with pytest.raises(Invalid) as refused:
        services.nodes_upsert(
            acting_user=owner,
            space=space,
            rows=[{"title": "Good"}, {"title": ""}, {"title": "x", "colour": "blue"}],
        )
    assert set(refused.value.details) == {"1", "2"}
    rows = [{"title": "Good", "status": "published"}]
    with pytest.raises(Invalid) as refused:
        services.nodes_upsert(acting_user=teammate, space=space, rows=rows)
    assert set(refused.value.details) == {"0"}
    assert not Node.objects.exists()
