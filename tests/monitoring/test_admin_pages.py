"""Every page of the admin opens: for superusers all, for others theirs, for strangers none."""

from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from pytest_django import DjangoAssertNumQueries

from chat.choices import MessageRole, TurnRoute, TurnStatus
from chat.models import Citation, Conversation, Message, Turn
from knowledge import services
from knowledge.choices import JobStatus
from knowledge.models import IndexGeneration, IngestJob, Node, Source, Space
from memory.services import episode_create
from project.accounts.models import User
from project.accounts.services import api_key_create
from project.events.models import Event
from project.inference.models import ModelEndpoint, UsageRecord
from tests.support.admin_client import signed_in

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
DASHBOARD = "/admin/"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    node = services.node_create(
        acting_user=owner, space=space, title="Tides", content="Ebb.", status="published"
    )
    other = services.node_create(acting_user=owner, space=space, title="Moon")
    services.relation_create(acting_user=owner, source=node, target=other)
    return node


@pytest.fixture
def turn(owner: User, space: Space, node: Node) -> Turn:
    """A turn with everything that a trace can have."""
    conversation = Conversation.objects.create(user=owner, space=space, title="About tides")
    question = Message.objects.create(
        conversation=conversation, role=MessageRole.USER, content="When does it ebb?"
    )
    answer = Message.objects.create(
        conversation=conversation, role=MessageRole.ASSISTANT, content="At noon. [1]"
    )
    chunk = "0d9fd2a5-1f0e-4d0c-9d5e-5b6f0a1c2d3e"
    turn = Turn.objects.create(
        conversation=conversation,
        question=question,
        answer=answer,
        status=TurnStatus.COMPLETED,
        route=TurnRoute.AI,
        model="small-1",
        prompt_version="answer-1",
        timings={"queued": 5, "retrieve": 40, "first_event": 6, "first_token": 300, "total": 900},
        trace={
            "query": "tide ebb time",
            "passages": [
                {
                    "node": str(node.pk),
                    "version": 1,
                    "chunk": chunk,
                    "title": "Tides",
                    "score": 0.83125,
                    "signals": {"vector": 0.7, "keyword": None},
                }
            ],
            "memories": [{"id": "e1", "score": 0.4}],
            "flags": ["partial"],
            "finish_reason": "stop",
        },
        trace_id="trace-of-the-turn",
    )
    Citation.objects.create(
        turn=turn, index=1, node=node, cited_id=node.pk, version=1, chunk_id=chunk,
        title="Tides", snippet="Ebb.", start=0, end=4,
    )  # fmt: skip
    return turn


@pytest.fixture
def everything(owner: User, space: Space, node: Node, turn: Turn) -> None:
    """A row of every model that has a page."""
    source = Source.objects.create(
        space=space, title="A file", filename="a.pdf", sha256="0" * 64, created_by=owner
    )
    for status in (JobStatus.PROCESSING, JobStatus.QUEUED, JobStatus.FAILED):
        IngestJob.objects.create(
            space=space, source=source, status=status, created_by=owner, progress=0.4,
            error_message="Unreadable.", started_at=timezone.now(), timings={"extract": 1.5},
        )  # fmt: skip
    IndexGeneration.objects.create(space=space, model_key="m", dimensions=3)
    endpoint = ModelEndpoint.objects.create(name="Small", model_name="small-1")
    UsageRecord.objects.create(
        endpoint=endpoint, kind="chat", model="small-1", purpose="answer", turn_id=turn.pk
    )
    episode_create(acting_user=owner, session="s", content="I like the sea.")
    api_key_create(acting_user=owner, name="Script", scopes=["chat"])
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    PeriodicTask.objects.create(name="tidy", task="monitoring.tasks.rows_expire", interval=every)


@pytest.fixture
def client(admin_user: User) -> Client:
    return signed_in(admin_user)


@pytest.mark.usefixtures("everything")
def test_every_list_and_form_opens(client: Client) -> None:
    broken: list[Any] = []
    for model in MODELS:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        addresses = [reverse(f"{name}_changelist")]
        row = model._default_manager.first()
        if row is not None:
            addresses.append(reverse(f"{name}_change", args=[row.pk]))
        if admin.site._registry[model].has_add_permission(_request(client)):
            addresses.append(reverse(f"{name}_add"))
        for address in addresses:
            status = client.get(address).status_code
            if status != 200:
                broken.append((address, status))
    assert not broken


def _request(client: Client) -> Any:
    return client.get(DASHBOARD).wsgi_request


@pytest.mark.usefixtures("everything")
def test_rows_the_product_writes_cannot_be_changed(client: Client) -> None:
    for model in (Turn, Conversation, Event, UsageRecord, IngestJob, Source):
        row = model._default_manager.first()
        assert row is not None
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        assert client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
        assert client.post(reverse(f"{name}_delete", args=[row.pk])).status_code == 403


def test_the_messages_of_a_conversation_are_shown(client: Client, turn: Turn) -> None:
    """The admin shows a dash, and hides the error, for a column that raises ValueError."""
    html = client.get(f"/admin/chat/conversation/{turn.conversation_id}/change/").content.decode()
    assert "At noon." in html


@pytest.mark.usefixtures("everything")
def test_the_dashboard_says_what_needs_attention(client: Client) -> None:
    Event.objects.create(type="x", trace_id="t", failed_at=timezone.now())
    html = client.get(DASHBOARD).content.decode()
    assert "1 job failed." in html
    assert "1 event was given up." in html
    assert "No process of the kind" in html
    assert 'aria-valuenow="40"' in html


@pytest.mark.usefixtures("everything")
def test_the_dashboard_knows_the_times_of_answers(client: Client) -> None:
    board = client.get(DASHBOARD).context["board"]
    day = board["latency"][0]
    assert (day["count"], day["first_token_50"], day["total_95"]) == (1, 300, 900)
    assert board["turns"]["today"] == 1


@pytest.mark.usefixtures("everything")
def test_the_dashboard_asks_few_questions(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.get(DASHBOARD)
    with django_assert_max_num_queries(40):
        client.get(DASHBOARD)


@pytest.mark.usefixtures("everything")
def test_searches_and_filters_answer(client: Client) -> None:
    for address in (
        "knowledge/node/?q=tides&tag=x&kind=article&language=en&attention=review",
        "knowledge/node/?status__exact=published&attention=behind",
        "chat/turn/?q=ebb",
        "inference/usagerecord/?q=answer",
        "events/event/?state=unsettled&q=knowledge",
        "knowledge/source/?q=file",
    ):
        assert client.get(f"/admin/{address}").status_code == 200, address


@pytest.mark.usefixtures("everything")
def test_an_editor_sees_a_dashboard_of_their_spaces_and_no_conversations(teammate: User) -> None:
    client = signed_in(teammate)
    answer = client.get(DASHBOARD)
    board = answer.context["board"]
    assert board["nodes"]["total"] == 2
    assert board["turns"] is board["latency"] is board["costs"] is board["processes"] is None
    html = answer.content.decode()
    assert "/admin/knowledge/node/" in html
    assert "/admin/chat/turn/" not in html
    for address in ("chat/turn", "memory/episode", "inference/modelendpoint", "accounts/user"):
        assert client.get(f"/admin/{address}/").status_code == 403


def test_staff_without_a_role_see_an_empty_admin(stranger: User, node: Node) -> None:
    client = signed_in(stranger)
    answer = client.get(DASHBOARD)
    assert answer.status_code == 200
    assert answer.context["board"]["nodes"] is None
    assert client.get("/admin/knowledge/node/").status_code == 403


def test_a_turn_explains_its_answer(client: Client, turn: Turn, node: Node) -> None:
    html = client.get(f"/admin/chat/turn/{turn.pk}/change/").content.decode()
    for part in ("When does it ebb?", "tide ebb time", "At noon.", "0.831", "small-1",
                 "trace-of-the-turn", "900 ms", "answer-1"):  # fmt: skip
        assert part in html
    assert f"/knowledge/nodes/{node.pk}/?version=1&amp;start=0&amp;end=4" in html
