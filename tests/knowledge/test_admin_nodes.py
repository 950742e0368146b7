"""The admin of nodes: forms, conflicts, status, versions, and who may what."""

import json
from typing import Any

import pytest
from django.test import Client

from knowledge import services
from knowledge.choices import NodeStatus, RelationOrigin
from knowledge.models import Node, NodeVersion, Relation, Space
from project.accounts.models import User
from tests.support.admin_client import signed_in

LIST = "/admin/knowledge/node/"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content="First line.\n\nSecond line.\n"
    )


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


def page_of(node: Node) -> str:
    return f"{LIST}{node.pk}/change/"


def form_of(node: Node, **changes: Any) -> dict[str, Any]:
    """Return what the browser would send of the node's form."""
    values = {
        "title": node.title,
        "content": node.content,
        "kind": node.kind,
        "language": node.language,
        "tags": ", ".join(node.tags),
        "metadata": "",
        "owner": node.owner_id or "",
        "external_id": "",
        "expected_version": node.version,
        "reason": "",
    }
    for prefix in ("relations_out", "relations_in"):
        values |= {f"{prefix}-TOTAL_FORMS": 0, f"{prefix}-INITIAL_FORMS": 0}
    return values | changes


def test_saving_makes_a_version_with_author_and_reason(
    client: Client, node: Node, owner: User
) -> None:
    metadata = json.dumps({"area": "sea"})
    sent = form_of(
        node, content="New text.", tags="sea, moon, sea", metadata=metadata, reason="Why"
    )
    answer = client.post(page_of(node), sent)
    assert answer.status_code == 302
    node.refresh_from_db()
    assert (node.version, node.content, node.tags) == (2, "New text.", ["sea", "moon"])
    assert node.metadata == {"area": "sea"}
    version = NodeVersion.objects.get(id=node.pk, version=2)
    assert (version.history_user, version.history_change_reason) == (owner, "Why")


def test_a_new_node_goes_through_the_service(client: Client, space: Space, owner: User) -> None:
    sent = form_of(Node(title="Made here", content="Text", language="en"), space=space.pk)
    answer = client.post(f"{LIST}add/", {**sent, "expected_version": "", "owner": owner.pk})
    assert answer.status_code == 302
    made = Node.objects.get(title="Made here")
    assert (made.status, made.version, made.checksum != "") == (NodeStatus.DRAFT, 1, True)


def test_saving_without_a_change_makes_no_version(client: Client, node: Node) -> None:
    as_browsers_send_it = node.content.replace("\n", "\r\n")
    assert client.post(page_of(node), form_of(node, content=as_browsers_send_it)).status_code == 302
    node.refresh_from_db()
    assert node.version == 1


def test_a_form_without_its_version_is_refused(client: Client, node: Node) -> None:
    answer = client.post(page_of(node), form_of(node, content="x", expected_version=""))
    assert answer.status_code == 200
    node.refresh_from_db()
    assert node.version == 1


def test_a_refused_value_is_an_error_of_its_field(client: Client, node: Node) -> None:
    answer = client.post(page_of(node), form_of(node, kind="Not A Kind", metadata="[1"))
    assert answer.status_code == 200
    assert {"kind", "metadata"} <= set(answer.context["adminform"].form.errors)


def test_a_status_button_saves_and_publishes(client: Client, node: Node) -> None:
    sent = form_of(node, content="Ready.", _status="published")
    answer = client.post(page_of(node), sent, follow=True)
    node.refresh_from_db()
    assert (node.status, node.version, node.content) == (NodeStatus.PUBLISHED, 2, "Ready.")
    assert "is now: Published" in answer.content.decode()


def test_an_editor_may_not_publish_and_loses_no_text(
    node: Node, teammate: User, space: Space
) -> None:
    sent = form_of(node, content="By an editor.", _status="published")
    answer = signed_in(teammate).post(page_of(node), sent)
    assert answer.status_code == 200
    assert "By an editor." in answer.content.decode()
    node.refresh_from_db()
    assert (node.status, node.version) == (NodeStatus.DRAFT, 1)


def test_many_are_published_and_each_refusal_is_told(node: Node, teammate: User) -> None:
    sent = {"action": "nodes_publish", "_selected_action": [str(node.pk)]}
    answer = signed_in(teammate).post(LIST, sent, follow=True)
    assert "needs the role" in answer.content.decode()
    node.refresh_from_db()
    assert node.status == NodeStatus.DRAFT


def test_many_are_published_by_a_manager(client: Client, node: Node) -> None:
    sent = {"action": "nodes_publish", "_selected_action": [str(node.pk)]}
    answer = client.post(LIST, sent, follow=True)
    assert "1 row done" in answer.content.decode()
    node.refresh_from_db()
    assert node.status == NodeStatus.PUBLISHED


def test_deleting_asks_first_and_keeps_the_versions(client: Client, node: Node) -> None:
    address = f"{LIST}{node.pk}/delete/"
    assert client.get(address).status_code == 200
    assert Node.objects.filter(pk=node.pk).exists()
    assert client.post(address, {"post": "yes"}).status_code == 302
    assert not Node.objects.filter(pk=node.pk).exists()
    assert NodeVersion.objects.filter(id=node.pk).count() == 2


def test_relations_are_made_and_deleted_by_their_service(
    client: Client, node: Node, owner: User, space: Space
) -> None:
    other = services.node_create(acting_user=owner, space=space, title="Moon")
    row = {
        "relations_out-TOTAL_FORMS": 1,
        "relations_out-0-target": other.pk,
        "relations_out-0-kind": "depends_on",
        "relations_out-0-weight": "0.5",
        "relations_out-0-status": "confirmed",
    }
    assert client.post(page_of(node), form_of(node, **row)).status_code == 302
    made = Relation.objects.get(source=node)
    assert (made.target, made.kind, made.created_by) == (other, "depends_on", owner)
    assert made.origin == RelationOrigin.MANUAL
    gone = {
        "relations_out-TOTAL_FORMS": 1,
        "relations_out-INITIAL_FORMS": 1,
        "relations_out-0-id": made.pk,
        "relations_out-0-source": node.pk,
        "relations_out-0-DELETE": "on",
    }
    assert client.post(page_of(node), form_of(node, **gone)).status_code == 302
    node.refresh_from_db()
    assert node.version == 1
    assert not Relation.objects.filter(pk=made.pk).exists()


def test_a_relation_that_is_there_already_is_told_on_the_form(
    client: Client, node: Node, owner: User, space: Space
) -> None:
    row = {
        "relations_out-TOTAL_FORMS": 1,
        "relations_out-0-target": node.pk,
        "relations_out-0-kind": "depends_on",
        "relations_out-0-weight": "1",
        "relations_out-0-status": "confirmed",
    }
    answer = client.post(page_of(node), form_of(node, content="Kept text.", **row))
    assert answer.status_code == 200
    assert "Kept text." in answer.content.decode()
    assert not Relation.objects.exists()


def test_staff_see_only_the_spaces_they_have_a_role_in(
    node: Node, stranger: User, teammate: User, admin_user: User
) -> None:
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    hidden = services.node_create(acting_user=admin_user, space=elsewhere, title="Hidden there")
    answer = signed_in(teammate).get(LIST)
    assert "Tides" in answer.content.decode()
    assert "Hidden there" not in answer.content.decode()
    assert signed_in(teammate).get(page_of(hidden)).status_code == 302
    assert signed_in(stranger).get(LIST).status_code == 403
    assert signed_in(stranger).get(f"{LIST}{node.pk}/versions/").status_code == 404


def test_who_is_not_staff_is_sent_to_sign_in(node: Node, owner: User) -> None:
    answer = signed_in(owner, staff=False).get(LIST)
    assert answer.status_code == 302
    assert "/login/" in answer.headers["Location"]


def test_the_versions_are_listed_and_compared_word_by_word(
    client: Client, node: Node, owner: User
) -> None:
    services.node_update(
        acting_user=owner, node=node, content="First line.\n\nSecond word.\n", reason="Reworded"
    )
    versions = client.get(f"{LIST}{node.pk}/versions/").content.decode()
    assert "Reworded" in versions
    for view in ("unified", "split"):
        answer = client.get(f"{LIST}{node.pk}/versions/compare/?from=1&to=2&view={view}")
        html = answer.content.decode()
        assert "<del>line</del>" in html
        assert "<ins>word</ins>" in html


def test_reverting_asks_first_and_makes_a_new_version(
    client: Client, node: Node, owner: User
) -> None:
    services.node_update(acting_user=owner, node=node, content="Changed.")
    address = f"{LIST}{node.pk}/versions/1/revert/"
    assert "What would change" in client.get(address).content.decode()
    node.refresh_from_db()
    assert node.version == 2
    client.post(address, {"reason": "It was right", "expected_version": 2})
    node.refresh_from_db()
    assert (node.version, node.content) == (3, "First line.\n\nSecond line.\n")
    assert NodeVersion.objects.get(id=node.pk, version=3).history_change_reason == "It was right"


def test_a_stale_revert_is_refused(client: Client, node: Node, owner: User) -> None:
    services.node_update(acting_user=owner, node=node, content="Changed.")
    address = f"{LIST}{node.pk}/versions/1/revert/"
    answer = client.post(address, {"expected_version": 1}, follow=True)
    assert "was changed meanwhile" in answer.content.decode()
    node.refresh_from_db()
    assert node.version == 2


def test_the_preview_is_sanitised(client: Client, space: Space) -> None:
    sent = {"content": "**bold** <script>alert(1)</script>", "space": str(space.pk)}
    html = client.post(f"{LIST}preview/", sent).json()["html"]
    assert "<strong>bold</strong>" in html
    assert "<script" not in html


def test_the_preview_is_not_for_strangers(stranger: User) -> None:
    assert signed_in(stranger).post(f"{LIST}preview/", {"content": "x"}).status_code == 403
