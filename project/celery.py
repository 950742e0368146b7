"""The Celery application: `celery -A project worker`."""

import os
from contextlib import ExitStack
from typing import Any

from celery import Celery, signals

from project import heartbeat
from project.tracing import bind_trace, current_trace_id, new_trace_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("acervo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
heartbeat.connect_celery()

_TRACE_HEADER = "acervo_trace_id"
_running: dict[str, ExitStack] = {}


@signals.setup_logging.connect
def _keep_our_logs(**_kwargs: object) -> None:
    """Leave logging as the settings made it: with a receiver here, Celery sets up none."""


@signals.before_task_publish.connect
def _send_trace(headers: dict[str, Any] | None = None, **_kwargs: object) -> None:
    """Give the task the trace id of the work that asked for it."""
    if headers is not None:
        headers.setdefault(_TRACE_HEADER, current_trace_id())


@signals.task_prerun.connect
def _bind_trace(task_id: str, task: Any, **_kwargs: object) -> None:
    stack = ExitStack()
    stack.enter_context(bind_trace(getattr(task.request, _TRACE_HEADER, None) or new_trace_id()))
    _running[task_id] = stack


@signals.task_postrun.connect
def _unbind_trace(task_id: str, **_kwargs: object) -> None:
    stack = _running.pop(task_id, None)
    if stack is not None:
        stack.close()
