"""Two people write one node: what the second is told, and what both leave in the history."""

from typing import Any

import pytest

from knowledge import services
from knowledge.models import Node, NodeVersion, Space
from knowledge.stale_writes import MERGE_CHARS, stale_write
from project.accounts.models import User
from project.http.errors import Conflict, Invalid
from tests.conftest import Api

pytestmark = pytest.mark.django_db

TEXT = "The tide comes at noon.\n\nBoats wait in the harbour.\n"
THEIRS = TEXT.replace("noon", "one")
MINE = TEXT.replace("Boats", "Ferries")


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content=TEXT, metadata={"a": {"b": 1}}
    )


def address(node: Node) -> str:
    return f"/api/v1/nodes/{node.pk}/"


def refused(api: Api, node: Node, **changes: Any) -> dict[str, Any]:
    """Return the details of the refusal of a write based on version 1."""
    answer = api.patch(address(node), {"version": 1, **changes})
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("version_conflict", "version")
    return error["details"]


def test_a_stale_write_comes_back_merged_and_goes_through_with_both_parents(
    api: Api, node: Node, teammate: User
) -> None:
    services.node_update(acting_user=teammate, node=node, content=THEIRS, tags=["sea"])
    details = refused(api, node, content=MINE, tags=["moon"])
    merge = details["merge"]
    assert (details["current"], merge["mergeable"], merge["conflicts"]) == (2, True, [])
    assert merge["result"]["content"] == MINE.replace("noon", "one")
    assert merge["result"]["tags"] == ["moon", "sea"]
    body = {**merge["result"], "version": details["current"], "merged_from": 1}
    stored = api.patch(address(node), body)
    assert (stored.status_code, stored.json()["version"]) == (200, 3)
    assert stored.json()["content"] == MINE.replace("noon", "one")
    versions = api.get(f"{address(node)}versions/").json()["results"]
    assert [each["parents"] for each in versions] == [[2, 1], [1], []]


def test_what_both_changed_is_told_with_its_place(api: Api, node: Node, teammate: User) -> None:
    services.node_update(
        acting_user=teammate, node=node, content=THEIRS, title="High tide", metadata={"a": {}}
    )
    mine = TEXT.replace("noon", "two")
    details = refused(api, node, content=mine, title="Low tide", metadata={"a": {"b": 2}})
    merge = details["merge"]
    assert not merge["mergeable"]
    title, content, metadata = merge["conflicts"]
    assert title == {"field": "title", "base": "Tides", "mine": "Low tide", "theirs": "High tide"}
    assert metadata == {"field": "metadata", "path": ["a", "b"], "base": 1, "mine": 2}
    assert content["theirs"] == "The tide comes at one.\n"
    result = merge["result"]
    assert result["content"][content["start"] : content["end"]] == content["mine"]
    assert (result["title"], result["metadata"]) == ("Low tide", {"a": {"b": 2}})
    assert Node.objects.get(pk=node.pk).version == 2


def test_fields_that_were_not_sent_are_no_change(api: Api, node: Node, teammate: User) -> None:
    services.node_update(acting_user=teammate, node=node, content=THEIRS)
    merge = refused(api, node, title="Tides of June", status="in_review")["merge"]
    assert merge["mergeable"]
    assert (merge["result"]["title"], merge["result"]["content"]) == ("Tides of June", THEIRS)
    assert "status" not in merge["result"]


def test_without_a_known_base_nothing_is_merged(api: Api, node: Node) -> None:
    answer = api.patch(address(node), {"title": "x", "version": 7})
    assert answer.json()["error"]["details"] == {"current": 1, "merge": None}


def test_a_very_long_text_is_not_merged_within_an_error(
    api: Api, node: Node, teammate: User
) -> None:
    services.node_update(acting_user=teammate, node=node, content="x\n" * (MERGE_CHARS // 2 + 1))
    assert refused(api, node, title="x") == {"current": 2, "merge": None}


@pytest.mark.parametrize(
    ("merged_from", "expected", "field"), [(9, 2, "merged_from"), (1, None, "version")]
)
def test_a_merge_names_versions_that_exist(
    node: Node, owner: User, merged_from: int, expected: int | None, field: str
) -> None:
    services.node_update(acting_user=owner, node=node, title="Two")
    with pytest.raises(Invalid) as refusal:
        services.node_update(
            acting_user=owner,
            node=node,
            title="Three",
            expected_version=expected,
            merged_from=merged_from,
        )
    assert refusal.value.field == field
    assert Node.objects.get(pk=node.pk).version == 2


def test_a_merge_with_the_version_it_began_from_has_one_parent(node: Node, owner: User) -> None:
    services.node_update(
        acting_user=owner, node=node, title="Two", expected_version=1, merged_from=1
    )
    assert NodeVersion.objects.get(id=node.pk, version=2).parents == [1]


def test_a_merge_that_came_too_late_is_refused_like_any_write(node: Node, owner: User) -> None:
    services.node_update(acting_user=owner, node=node, title="Two")
    services.node_update(acting_user=owner, node=node, title="Three")
    with pytest.raises(Conflict) as refusal:
        services.node_update(
            acting_user=owner, node=node, title="Four", expected_version=2, merged_from=1
        )
    assert refusal.value.details == {"current": 3}


def test_values_that_no_node_may_have_are_refused_before_merging(node: Node) -> None:
    with pytest.raises(Invalid):
        stale_write(node, based_on=1, changes={"content": "nul \0"})


def test_without_a_base_every_difference_is_a_conflict(node: Node) -> None:
    stale = stale_write(node, based_on=None, changes={"content": "Mine.\n", "title": "My title"})
    assert {each.field for each in stale.merge.conflicts} == {"content", "title"}
