"""Sending tasks: with the commit that they belong to, and never at its cost."""

import base64
import json
from typing import Any

import pytest
from kombu.exceptions import OperationalError
from structlog.testing import capture_logs

from knowledge import tasks
from project.aio import sync_redis
from project.celery import send_after_commit
from project.tracing import bind_trace

QUEUE = "celery:ingest"


def taken() -> dict[str, Any]:
    message: dict[str, Any] = json.loads(str(sync_redis().rpop(QUEUE)))
    message["body"] = json.loads(base64.b64decode(message["body"]))
    return message


@pytest.mark.django_db
def test_a_task_is_sent_with_the_commit_and_its_trace(
    django_capture_on_commit_callbacks: Any,
) -> None:
    sync_redis().delete(QUEUE)
    with bind_trace("trace-0001"), django_capture_on_commit_callbacks(execute=True):
        send_after_commit(tasks.ingest, "one", countdown=5)
        assert sync_redis().llen(QUEUE) == 0
    message = taken()
    assert message["body"][0] == ["one"]
    assert message["headers"]["acervo_trace_id"]
    assert message["headers"]["eta"]


@pytest.mark.django_db
def test_a_broker_that_is_away_fails_nothing(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_kwargs: object) -> None:
        raise OperationalError

    monkeypatch.setattr(tasks.ingest, "apply_async", away)
    with capture_logs() as logs, django_capture_on_commit_callbacks(execute=True):
        send_after_commit(tasks.ingest, "two")
    assert [each["event"] for each in logs] == ["task_not_sent"]
