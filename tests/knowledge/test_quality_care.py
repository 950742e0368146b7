"""Scores that are kept, reminders, reviews, and who may see and do what of it."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from knowledge import reviews, services
from knowledge.choices import NodeStatus
from knowledge.models import (
    FindingSnooze,
    Node,
    NodeQuality,
    NodeVersion,
    ReviewInterval,
    ReviewReminder,
    Space,
)
from knowledge.quality import refreshing, space_scores
from knowledge.subscribers import node_quality_mark
from project.accounts.models import User
from project.events import EventMessage
from project.events.models import Event
from project.http.errors import Forbidden, Invalid, NotFound
from tests.conftest import Api
from tests.knowledge.test_quality_checks import PLAIN
from tests.knowledge.test_retrieval import index, make_node

TODAY = timezone.localdate


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content=PLAIN, review_due=TODAY()
    )


def told(node: Node) -> None:
    """Deliver the events of a node to the subscriber, as the worker would."""
    for event in Event.objects.filter(subject_id=node.pk).order_by("position"):
        node_quality_mark(
            EventMessage(
                event.position,
                event.pk,
                event.type,
                event.payload,
                event.space_id,
                event.subject_id,
                "",
                event.created_at,
            )
        )


# -- the kept findings -----------------------------------------------------------------------------


def test_a_change_makes_a_check_due_and_the_refresh_keeps_what_it_finds(node: Node) -> None:
    told(node)
    row = NodeQuality.objects.get(node=node)
    assert (row.score, row.stale_at is None) == (None, False)
    assert refreshing.refresh() == 1
    row.refresh_from_db()
    assert (row.codes, row.score, row.version) == (["orphan", "review_overdue"], 80, 1)
    assert row.stale_at is None
    assert refreshing.refresh() == 0


def test_a_change_during_the_check_keeps_it_due(node: Node) -> None:
    told(node)
    began = timezone.now() - datetime.timedelta(seconds=5)
    refreshing.row_store(node, [], began=began)
    assert NodeQuality.objects.stale().filter(node=node).exists()


def test_nodes_from_before_there_were_checks_get_theirs(space: Space) -> None:
    make_node(space, "Old", PLAIN, status=NodeStatus.DRAFT)
    make_node(space, "Older", PLAIN, status=NodeStatus.ARCHIVED)
    assert refreshing.refresh() == 1
    assert NodeQuality.objects.get().codes == ["missing_owner", "orphan"]


def test_archiving_a_target_makes_the_texts_that_link_to_it_due(
    owner: User, space: Space, node: Node
) -> None:
    linking = services.node_create(
        acting_user=owner, space=space, title="Guide", content=f"{PLAIN} See [[Tides]]."
    )
    services.node_publish(acting_user=owner, node=node)
    index(Node.objects.get(pk=node.pk))
    refreshing.refresh()
    assert "link_unpublished" not in NodeQuality.objects.get(node=linking).codes
    services.node_archive(acting_user=owner, node=node)
    told(node)
    refreshing.refresh()
    assert "link_unpublished" in NodeQuality.objects.get(node=linking).codes
    archived = NodeQuality.objects.get(node=node)
    assert (archived.score, archived.codes, archived.stale_at) == (None, [], None)


def test_both_of_a_pair_are_told_of_each_other(space: Space) -> None:
    first = make_node(space, "One", PLAIN * 3, status=NodeStatus.DRAFT)
    refreshing.refresh()
    second = make_node(space, "Two", PLAIN * 3, status=NodeStatus.DRAFT)
    refreshing.refresh()
    rows = {row.node_id: row for row in NodeQuality.objects.all()}
    assert rows[second.pk].mentions == [first.pk]
    assert rows[first.pk].mentions == [second.pk]
    assert all("duplicate" in row.codes for row in rows.values())


def test_the_calendar_alone_makes_a_check_due(node: Node, settings: Any) -> None:
    Node.objects.filter(pk=node.pk).update(review_due=TODAY() + datetime.timedelta(days=90))
    refreshing.refresh()
    assert refreshing.refresh() == 0
    Node.objects.filter(pk=node.pk).update(review_due=TODAY())
    assert refreshing.refresh() == 1
    assert "review_overdue" in NodeQuality.objects.get(node=node).codes
    NodeQuality.objects.update(checked_at=timezone.now() - refreshing.OLDEST * 2)
    assert refreshing.refresh() == 1


def test_a_text_on_its_way_into_the_index_is_checked_when_it_is_there(space: Space) -> None:
    node = make_node(space, "Tides", PLAIN)
    assert refreshing.refresh() == 0
    late = timezone.now() - 2 * refreshing.INDEX_PATIENCE
    Node.objects.filter(pk=node.pk).update(updated_at=late)
    assert refreshing.refresh() == 1
    assert "not_indexed" in NodeQuality.objects.get().codes


def test_a_space_has_the_weighted_mean_of_its_published_nodes(space: Space) -> None:
    nodes = [make_node(space, f"N{number}", PLAIN) for number in range(3)]
    for node, score, weight in zip(nodes, (100, 40, 0), (3.0, 1.0, 9.0), strict=True):
        NodeQuality.objects.create(node=node, space=space, score=score, weight=weight)
    Node.objects.filter(pk=nodes[2].pk).update(status=NodeStatus.DRAFT)
    assert space_scores([space.pk]) == {space.pk: {"score": 85, "nodes": 2}}


# -- reminders -------------------------------------------------------------------------------------


def due_events() -> int:
    return Event.objects.filter(type="knowledge.node.review_due").count()


def test_an_owner_is_reminded_once_for_a_due_date(node: Node, owner: User) -> None:
    owner.email = "owner@harbour.example"
    owner.save()
    assert reviews.reminders_make() == 1
    assert reviews.reminders_make() == 0
    assert due_events() == 1
    assert reviews.mails_send() == 1
    assert reviews.mails_send() == 0
    (message,) = mail.outbox
    assert message.to == ["owner@harbour.example"]
    assert "Tides" in message.body
    assert "1 text of yours" in message.subject
    assert ReviewReminder.objects.get().mailed_at is not None
    Node.objects.filter(pk=node.pk).update(review_due=TODAY() - datetime.timedelta(days=1))
    assert reviews.reminders_make() == 1
    assert due_events() == 2


def test_what_is_not_due_archived_or_snoozed_reminds_nobody(node: Node, owner: User) -> None:
    later = TODAY() + datetime.timedelta(days=7)
    services.finding_snooze(acting_user=owner, node=node, code="review_overdue", until=later)
    assert reviews.reminders_make() == 0
    FindingSnooze.objects.all().delete()
    Node.objects.filter(pk=node.pk).update(status=NodeStatus.ARCHIVED)
    assert reviews.reminders_make() == 0
    Node.objects.filter(pk=node.pk).update(status=NodeStatus.DRAFT, review_due=later)
    assert reviews.reminders_make() == 0
    assert due_events() == 0


def test_a_mail_that_fails_is_sent_later(
    node: Node, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.email = "owner@harbour.example"
    owner.save()
    reviews.reminders_make()

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        assert reviews.mails_send() == 0
    assert mail.outbox == []
    assert reviews.mails_send() == 1


def test_without_a_mail_server_no_mail_waits(node: Node, owner: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = ""
    owner.email = "owner@harbour.example"
    owner.save()
    assert reviews.reminders_make() == 1
    assert not ReviewReminder.objects.get().mail_due


# -- reviewed, snoozed -----------------------------------------------------------------------------


def test_marking_as_reviewed_is_bookkeeping(node: Node, owner: User, space: Space) -> None:
    services.review_interval_set(acting_user=owner, space=space, kind="", days=100)
    services.review_interval_set(acting_user=owner, space=space, kind="policy", days=30)
    row = services.node_mark_reviewed(acting_user=owner, node=node)
    assert row.review_due == TODAY() + datetime.timedelta(days=100)
    Node.objects.filter(pk=node.pk).update(kind="policy")
    row = services.node_mark_reviewed(acting_user=owner, node=node)
    assert row.review_due == TODAY() + datetime.timedelta(days=30)
    assert NodeVersion.objects.filter(id=node.pk).count() == 1
    quality = NodeQuality.objects.get(node=node)
    assert (quality.reviewed_by, quality.reviewed_at is None) == (owner, False)
    services.review_interval_set(acting_user=owner, space=space, kind="policy", days=None)
    assert ReviewInterval.objects.count() == 1


def test_owners_may_say_so_of_published_texts_and_other_editors_may_not(
    node: Node, owner: User, teammate: User, stranger: User
) -> None:
    services.node_publish(acting_user=owner, node=node)
    with pytest.raises(Forbidden):
        services.node_mark_reviewed(acting_user=teammate, node=node)
    with pytest.raises(NotFound):
        services.node_mark_reviewed(acting_user=stranger, node=node)
    with pytest.raises(Forbidden):
        services.review_interval_set(acting_user=teammate, space=node.space, kind="", days=3)
    services.node_update(acting_user=owner, node=node, owner=teammate)
    services.node_mark_reviewed(acting_user=teammate, node=node)
    with pytest.raises(Invalid):
        services.node_mark_reviewed(acting_user=teammate, node=node, review_due=TODAY())


# -- REST ------------------------------------------------------------------------------------------


def path(node: Node, what: str) -> str:
    return f"/api/v1/nodes/{node.pk}/{what}/"


def test_checks_are_given_live(api: Api, node: Node) -> None:
    answer = api.get(path(node, "checks")).json()
    assert (answer["version"], answer["score"]) == (1, 80)
    assert [each["code"] for each in answer["findings"]] == ["review_overdue", "orphan"]
    first = answer["findings"][0]
    assert first["details"] == {"due": TODAY().isoformat()}
    assert (first["severity"], first["field"]) == ("warning", "review_due")
    assert TODAY().isoformat() in first["message"]


def test_checks_name_drafts_and_are_for_editors_only(
    stranger: User, stranger_api: Api, teammate_api: Api, owner: User, node: Node
) -> None:
    services.node_publish(acting_user=owner, node=node)
    assert teammate_api.get(path(node, "checks")).status_code == 200
    assert stranger_api.get(path(node, "checks")).status_code == 404
    Space.objects.update(visibility="public")
    for what in ("checks", "dependents"):
        answer = stranger_api.get(path(node, what))
        assert answer.json()["error"]["code"] == "role_needed"
    assert stranger_api.post(path(node, "reviewed"), {}).status_code == 403


def test_reviewing_and_snoozing_over_rest(api: Api, node: Node) -> None:
    later = (TODAY() + datetime.timedelta(days=9)).isoformat()
    assert api.post(path(node, "reviewed"), {"review_due": later}).json()["review_due"] == later
    assert api.post(path(node, "reviewed"), {"review_due": "2020-01-01"}).status_code == 400
    body = {"code": "orphan", "until": later}
    assert api.post(path(node, "snooze"), body).status_code == 204
    assert FindingSnooze.objects.get().until.isoformat() == later
    assert api.post(path(node, "snooze"), {"code": "nonsense", "until": later}).status_code == 400
    assert api.post(path(node, "snooze"), {**body, "until": None}).status_code == 204
    assert not FindingSnooze.objects.exists()
    answer = api.get(f"/api/v1/nodes/{uuid.uuid4()}/checks/")
    assert answer.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_many_changes_at_once_mark_the_same_rows_without_a_deadlock(
    owner: User, space: Space
) -> None:
    nodes = [
        services.node_create(
            acting_user=owner, space=space, title=f"N{number}",
            content=" ".join(f"[[N{other}]]" for other in range(12)),
        )
        for number in range(12)
    ]  # fmt: skip
    refreshing.rows_make()

    def mark(number: int) -> None:
        try:
            for node in nodes[number:] + nodes[:number]:
                with transaction.atomic():
                    refreshing.node_mark(node.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(mark, (0, 3, 6, 9))) == [None] * 4
    assert NodeQuality.objects.stale().count() == 12
