"""The admin of quality: the checklist of a node, what needs attention, what goes with a node."""

import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from chat.models import Conversation
from knowledge import services
from knowledge.choices import NodeStatus
from knowledge.models import FindingSnooze, Node, NodeQuality, Space
from knowledge.quality import refreshing
from knowledge.reviews import review_days
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import Api, grant
from tests.knowledge.test_impact import cite
from tests.knowledge.test_quality_checks import PLAIN
from tests.knowledge.test_retrieval import make_node
from tests.support.admin_client import signed_in

LIST = "/admin/knowledge/nodequality/"
NODES = "/admin/knowledge/node/"


@pytest.fixture
def client(owner: User, space: Space) -> Client:
    return signed_in(owner)


@pytest.fixture
def due(owner: User, space: Space) -> Node:
    """A published node of the owner's, whose review is overdue and whose link is broken."""
    node = services.node_create(
        acting_user=owner,
        space=space,
        title="Tides",
        content=f"{PLAIN} See [[Nowhere]].",
        review_due=timezone.localdate(),
        status="published",
    )
    Node.objects.filter(pk=node.pk).update(indexed_version=1)
    refreshing.refresh()
    return node


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_node_shows_its_checklist_and_can_be_checked_again(
    client: Client, due: Node, owner: User
) -> None:
    page = text_of(client, f"{NODES}{due.pk}/change/")
    assert "Link to nothing" in page
    assert f"start={due.content.index('[[')}" in page
    assert NodeQuality.objects.get().score == 100 - 8 - 15 - 5
    services.node_update(acting_user=owner, node=due, content=f"{PLAIN} Nothing else.")
    assert "Link to nothing" not in text_of(client, f"{NODES}{due.pk}/change/")  # checked live
    assert "broken_link" in NodeQuality.objects.get().codes
    assert client.post(f"{NODES}{due.pk}/check/").status_code == 302
    assert "broken_link" not in NodeQuality.objects.get().codes
    assert client.get(f"{NODES}{due.pk}/check/").status_code == 405


def test_a_long_text_is_not_checked_while_its_page_is_waited_for(
    client: Client, due: Node, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.admin.quality_pages.LIVE_CHARS", 10)
    services.node_update(acting_user=owner, node=due, content=f"{PLAIN} Nothing else.")
    page = text_of(client, f"{NODES}{due.pk}/change/")
    assert "Link to nothing" in page
    assert "it is checked again soon" in page


def test_the_list_groups_what_needs_attention(client: Client, due: Node) -> None:
    page = text_of(client, LIST)
    assert page.index("Link to nothing") < page.index("Review overdue")  # errors first
    assert "need-orphan" not in page  # a hint
    assert 'aria-label="Choose “Tides”"' in page
    only = text_of(client, f"{LIST}?code=review_overdue")
    assert "need-broken_link" not in only
    assert "need-review_overdue" in only
    assert "need-orphan" in text_of(client, f"{LIST}?severity=info&owner=me")
    assert "Nothing of this kind" in text_of(client, f"{LIST}?owner=none")
    assert "need-broken_link" in text_of(client, f"{LIST}?severity=x&owner=x&code=x&space=x")


def test_an_empty_list_says_so(client: Client) -> None:
    assert "Nothing needs attention" in text_of(client, LIST)


def test_long_groups_are_paged(client: Client, space: Space) -> None:
    for number in range(27):
        make_node(space, f"Draft {number:02}", f"{number} {PLAIN * 2}", status=NodeStatus.DRAFT)
    NodeQuality.objects.bulk_create(
        NodeQuality(
            node=node, space=space, score=90, codes=["missing_owner"],
            findings=[{"code": "missing_owner", "details": {}}],
        )
        for node in Node.objects.all()
    )  # fmt: skip
    page = text_of(client, LIST)
    assert page.count('name="nodes"') == 5
    assert "All 27" in page
    assert text_of(client, f"{LIST}?code=missing_owner").count('name="nodes"') == 25
    assert text_of(client, f"{LIST}?code=missing_owner&page=2").count('name="nodes"') == 2


def do(client: Client, work: str, *nodes: Node, **values: Any) -> Any:
    return client.post(LIST, {"do": work, "nodes": [node.pk for node in nodes], **values})


def test_rows_are_put_right_from_the_list(
    client: Client, due: Node, owner: User, teammate: User
) -> None:
    assert do(client, f"reviewed:{due.pk}").status_code == 302
    due.refresh_from_db()
    assert due.review_due is not None
    assert due.review_due > timezone.localdate()
    assert "review_overdue" not in NodeQuality.objects.get().codes
    do(client, "assign", due, owner=teammate.pk)
    due.refresh_from_db()
    assert due.owner == teammate
    until = timezone.localdate() + datetime.timedelta(days=3)
    do(client, "snooze", due, code="broken_link", until=until)
    assert FindingSnooze.objects.get().until == until
    assert "need-broken_link" not in text_of(client, LIST)
    do(client, "snooze", due, code="orphan")
    assert FindingSnooze.objects.get(code="orphan").until == timezone.localdate() + (
        datetime.timedelta(days=30)
    )


def test_what_cannot_be_done_is_said(client: Client, due: Node, stranger: User) -> None:
    for work, values in (("", {}), ("assign", {}), ("assign", {"owner": stranger.pk})):
        do(client, work, due, **values)
    do(client, "reviewed")
    due.refresh_from_db()
    assert due.owner_id != stranger.pk
    page = text_of(client, LIST)
    assert "Choose at least one row." in page
    assert "Choose who is to look after them." in page


def test_archiving_asks_first_and_shows_what_stands_on_the_nodes(
    client: Client, due: Node, owner: User, teammate: User
) -> None:
    cite(due, owner, "My tides")
    cite(due, teammate, "Secret plan")
    answer = do(client, "archive", due)
    page = text_of(client, answer["Location"])
    assert "2 answers cite it" in page
    assert "My tides" in page
    assert "Secret plan" not in page
    assert f"{NODES}archive/?ids={due.pk}" in text_of(client, f"{NODES}{due.pk}/change/")
    due.refresh_from_db()
    assert due.status == NodeStatus.PUBLISHED
    assert client.post(f"{NODES}archive/", {"ids": [due.pk]}).status_code == 302
    due.refresh_from_db()
    assert due.status == NodeStatus.ARCHIVED


def test_the_action_of_the_list_and_deleting_show_it_too(
    client: Client, due: Node, owner: User
) -> None:
    cite(due, owner, "My tides")
    chosen = {"action": "nodes_archive", "_selected_action": [due.pk]}
    page = client.post(NODES, chosen)
    assert "1 answer cites it" in page.content.decode()
    delete = text_of(client, f"{NODES}{due.pk}/delete/")
    assert "lose what they stand on" in delete
    assert Conversation.objects.get().get_absolute_url() in delete
    many = {"action": "delete_selected", "_selected_action": [due.pk]}
    assert "lose what they stand on" in client.post(NODES, many).content.decode()
    assert client.post(NODES, {**chosen, "confirmed": 1}).status_code == 302
    due.refresh_from_db()
    assert due.status == NodeStatus.ARCHIVED


def test_two_nodes_are_compared_side_by_side(client: Client, due: Node, space: Space) -> None:
    other = make_node(space, "Tides again", due.content.replace("morning", "evening"))
    refreshing.refresh()
    address = f"{LIST}pair/{due.pk}/{other.pk}/"
    page = text_of(client, address)
    assert "Tides again" in page
    assert f"{NODES}archive/?ids={other.pk}" in page


def test_the_list_of_nodes_shows_and_filters_by_score(client: Client, due: Node) -> None:
    score = NodeQuality.objects.get().score
    assert f">{score}</span>" in text_of(client, NODES)
    band = "good" if score >= 80 else "fair"
    assert "Tides" in text_of(client, f"{NODES}?score={band}")
    assert "Tides" not in text_of(client, f"{NODES}?score=poor")


def test_editors_are_refused_what_is_for_curators(teammate: User, due: Node) -> None:
    client = signed_in(teammate)
    client.post(f"{NODES}archive/", {"ids": [due.pk]})
    do(client, "reviewed", due)
    due.refresh_from_db()
    assert (due.status, due.review_due) == (NodeStatus.PUBLISHED, timezone.localdate())


def test_a_stranger_finds_nothing(stranger: User, due: Node, space: Space) -> None:
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    grant(elsewhere, stranger, Role.MANAGER)
    client = signed_in(stranger)
    assert "Tides" not in text_of(client, LIST)
    assert client.get(f"{LIST}pair/{due.pk}/{due.pk}/").status_code == 404
    assert client.get(f"{NODES}archive/?ids={due.pk}").status_code == 404
    for what in ("check", "reviewed"):
        assert client.post(f"{NODES}{due.pk}/{what}/").status_code == 404
    do(client, "reviewed", due)
    due.refresh_from_db()
    assert due.review_due == timezone.localdate()


def test_the_sidebar_counts_a_persons_own_and_the_dashboard_shows_scores(
    client: Client, due: Node, admin_user: User
) -> None:
    page = text_of(client, "/admin/")
    assert "The checks found errors in 1 node." in page
    assert "Needs attention" in page
    metrics = Api(admin_user).get("/metrics").content.decode()
    assert 'acervo_space_quality_score{space="harbour"}' in metrics


def test_a_space_shows_its_score_and_managers_set_its_intervals(
    client: Client, due: Node, space: Space, teammate: User
) -> None:
    address = f"/admin/knowledge/space/{space.pk}/change/"
    score = NodeQuality.objects.get().score
    assert f">{score}</span>" in text_of(client, "/admin/knowledge/space/")
    page = client.get(address)
    assert f">{score}</span>" in page.content.decode()
    form = page.context["adminform"].form
    sent = {name: form.initial.get(name) or "" for name in form.fields}
    for inline in page.context["inline_admin_formsets"]:
        prefix = inline.formset.prefix
        sent |= {f"{prefix}-TOTAL_FORMS": inline.formset.initial_form_count()}
        sent |= {f"{prefix}-INITIAL_FORMS": inline.formset.initial_form_count()}
        for row in inline.formset.initial_forms:
            sent |= {row.add_prefix(name): row.initial.get(name, "") for name in row.fields}
            sent[row.add_prefix("id")] = row.instance.pk
    sent |= {"review_intervals-TOTAL_FORMS": 1, "review_intervals-0-kind": "policy"}
    assert client.post(address, {**sent, "review_intervals-0-days": 0}).status_code == 200
    assert client.post(address, {**sent, "review_intervals-0-days": 90}).status_code == 302
    assert review_days(space.pk, "policy") == 90
    assert review_days(space.pk, "article") == 365
