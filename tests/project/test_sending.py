"""Sending tasks: what workers read is what Celery itself would have sent."""

import base64
import json
from typing import Any

import pytest

from knowledge import tasks
from project import quick_redis
from project.aio import sync_redis
from project.celery import send_after_commit
from project.sending import task_push

QUEUE = "celery:ingest"
OWN = ("id", "root_id", "eta", "origin", "acervo_trace_id")


def taken() -> dict[str, Any]:
    message: dict[str, Any] = json.loads(str(sync_redis().rpop(QUEUE)))
    message["body"] = json.loads(base64.b64decode(message["body"]))
    return message


def test_a_message_is_the_one_that_celery_would_send() -> None:
    sync_redis().delete(QUEUE)
    tasks.ingest.apply_async(("one",), countdown=5)
    theirs = taken()
    assert task_push(tasks.ingest, ("one",), countdown=5)
    ours = taken()
    assert ours["headers"]["eta"][:16] >= theirs["headers"]["eta"][:16]
    for message in (ours, theirs):
        assert message["headers"]["id"] == message["properties"]["correlation_id"]
        for name in OWN:
            message["headers"].pop(name, None)
        for name in ("correlation_id", "reply_to", "delivery_tag"):
            assert message["properties"].pop(name)
    assert ours == theirs


@pytest.mark.django_db
def test_a_task_is_sent_with_the_commit_and_a_broker_that_is_away_fails_nothing(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_redis().delete(QUEUE)
    with django_capture_on_commit_callbacks(execute=True):
        send_after_commit(tasks.ingest, "two")
        assert sync_redis().llen(QUEUE) == 0
    assert taken()["body"][0] == ["two"]
    with monkeypatch.context() as patch, django_capture_on_commit_callbacks(execute=True):
        patch.setattr(quick_redis, "_rest_until", float("inf"))
        send_after_commit(tasks.ingest, "three")
    assert sync_redis().llen(QUEUE) == 0
