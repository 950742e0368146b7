"""The log of a job: what happened to it, in sentences of the reader's language.

A line is a code with values; LINES has the sentence of each code. A parser that has something to
say of a file in its own words uses the code `said` with a `text`.
"""

import json
from typing import Any

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from knowledge.choices import JobStage, LogLevel
from knowledge.models import IngestJob, JobLogLine
from project.http.errors import ApiError

KEPT = 200  # lines a job
MAX_TEXT = 500  # characters of a value

LINES: dict[str, str | Promise] = {
    "queued": gettext_lazy("Queued."),
    "requeued": gettext_lazy("%(who)s queued the job again."),
    "taken": gettext_lazy("A worker took the job: try %(attempt)s."),
    "taken_over": gettext_lazy(
        "The worker before died or lost touch; another one goes on from the last checkpoint:"
        " try %(attempt)s."
    ),
    "stage": gettext_lazy("%(stage)s."),
    "stage_done": gettext_lazy("%(stage)s: done after %(seconds)s s."),
    "pages": ngettext_lazy("%(count)s page read.", "%(count)s pages read.", "count"),
    "planned": ngettext_lazy(
        "The file becomes %(count)s node.", "The file becomes %(count)s nodes.", "count"
    ),
    "passages": ngettext_lazy("%(count)s passage.", "%(count)s passages.", "count"),
    "retry": gettext_lazy(
        "Try %(tries)s of %(most)s ended: %(reason)s The next one begins in %(wait)s s or a little"
        " later."
    ),
    "handed_back": gettext_lazy("The worker was told to stop and gave the job back."),
    "lost": gettext_lazy("The worker lost the job: it did not reach the database in time."),
    "waits": ngettext_lazy(
        "The job waits for the %(count)s job of its items.",
        "The job waits for the %(count)s jobs of its items.",
        "count",
    ),
    "turn": gettext_lazy("Others wait: the job goes to the end of the queue for a turn."),
    "cancel_asked": gettext_lazy("%(who)s asked for the job to end."),
    "cancelled": gettext_lazy("Cancelled."),
    "failed": gettext_lazy("Failed for good: %(reason)s"),
    "completed": ngettext_lazy(
        "Completed: %(count)s node.", "Completed: %(count)s nodes.", "count"
    ),
    "dismissed": gettext_lazy("%(who)s took it off the list of failures."),
    "restored": gettext_lazy("%(who)s put it back on the list of failures."),
    "duplicate": gettext_lazy("The space already had this file: its nodes stay as they are."),
    "superseded": gettext_lazy("A later file of the same place came first: its text stays."),
    "without_vectors": gettext_lazy(
        "No embedding model answered: the nodes are found by their words until one does."
    ),
    "in_review": gettext_lazy("The nodes wait for the review of a curator."),
    "said": "%(text)s",
}


def job_note(
    job: IngestJob, code: str, *, level: LogLevel = LogLevel.INFO, worker: str = "", **data: Any
) -> None:
    """Add a line to a job's log, and drop the oldest beyond KEPT. The job may be gone by now."""
    assert code in LINES, code
    values = {name: _short(value) for name, value in data.items()}
    with connection.cursor() as cursor:
        # The row of the job is locked against its deletion only if it is still there.
        cursor.execute(
            """
            INSERT INTO knowledge_joblogline (job_id, created_at, level, code, data, worker)
            SELECT id, clock_timestamp(), %s, %s, %s::jsonb, %s FROM knowledge_ingestjob
            WHERE id = %s FOR KEY SHARE
            """,
            [str(level), code, json.dumps(values), worker, job.pk],
        )
        cursor.execute(
            """
            DELETE FROM knowledge_joblogline WHERE job_id = %s AND id <= (
                SELECT id FROM knowledge_joblogline WHERE job_id = %s
                ORDER BY id DESC OFFSET %s LIMIT 1
            )
            """,
            [job.pk, job.pk, KEPT],
        )


def job_queued(job: IngestJob, *, is_new: bool) -> None:
    """Note when a job was queued, by the database's clock; of a new one with a line."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH queued AS (
                UPDATE knowledge_ingestjob SET queued_at = clock_timestamp() WHERE id = %s
                RETURNING id, queued_at
            ), line AS (
                INSERT INTO knowledge_joblogline (job_id, created_at, level, code, data, worker)
                SELECT id, queued_at, 'info', 'queued', '{}', '' FROM queued WHERE %s
            )
            SELECT queued_at FROM queued
            """,
            [job.pk, is_new],
        )
        job.queued_at = cursor.fetchone()[0]


def _short(value: Any) -> Any:
    return value[:MAX_TEXT].replace("\0", "") if isinstance(value, str) else value


def sentence(line: JobLogLine) -> str:
    """Return what a line says, in the language that is active."""
    data = dict(line.data)
    if "stage" in data:
        data["stage"] = JobStage(data["stage"]).label
    if data.get("reason"):
        data["reason"] = _(data["reason"])
    try:
        return str(LINES.get(line.code, line.code) % data)
    except (KeyError, TypeError, ValueError):
        return line.code


def reason_of(error: Exception) -> str:
    """Return why a try ended, for people: the message of a refusal, the name of a fault."""
    message = getattr(error, "message", "")
    if isinstance(error, ApiError) or (message and isinstance(message, str)):
        return str(message).rstrip(".") + "."
    return _("Something failed (%(name)s).") % {"name": type(error).__name__}
