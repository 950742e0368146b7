"""The Celery application: `celery -A project worker`."""

import os
import warnings
from contextlib import ExitStack
from typing import Any

import structlog
from celery import Celery, Task, signals
from celery.exceptions import CPendingDeprecationWarning
from django.db import transaction
from kombu.exceptions import OperationalError

from project import heartbeat
from project.tracing import bind_trace, current_trace_id, new_trace_id

# Told at every lost connection. The default is meant: a task goes on, and its work is idempotent.
warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("acervo")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
heartbeat.connect_celery()

log = structlog.get_logger(__name__)
BACKGROUND = 10  # of `nice`
_TRACE_HEADER = "acervo_trace_id"
_running: dict[str, ExitStack] = {}


@signals.setup_logging.connect
def _keep_our_logs(**_kwargs: object) -> None:
    """Leave logging as the settings made it: with a receiver here, Celery sets up none."""


@signals.worker_init.connect
def _let_people_go_first(**_kwargs: object) -> None:
    """Work in the background: who waits for a page or an answer has the processors first."""
    os.nice(BACKGROUND)


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


def send_after_commit(task: Task, *args: object, countdown: float = 0) -> None:
    """Queue a task when the running transaction has committed, at once outside of one.

    It is begun after `countdown` seconds. A broker that is away fails nothing: what was asked for
    is in Postgres, and a sweep asks again.
    """

    def send() -> None:
        try:
            task.apply_async(args, retry=False, countdown=countdown)
        except (OperationalError, OSError) as error:
            log.warning("task_not_sent", task=task.name, error=type(error).__name__)

    transaction.on_commit(send)
