"""The rows of an upload: the source, its job and the first line of its log, in one statement."""

import uuid

from django.db import connection

from knowledge.models import IngestJob, Source
from project.database.rows import insert_into, stored


def upload_insert(source: Source, job: IngestJob) -> uuid.UUID | None:
    """Store a source with the job that reads it, in the caller's transaction.

    The job is queued by the database's clock, as `knowledge.job_log.job_queued` does. Returns the
    earlier source of the space with the same bytes, if there is one.
    """
    rows, jobs = insert_into(Source), insert_into(IngestJob, timed=("queued_at",))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH earlier AS (
                SELECT id FROM knowledge_source WHERE space_id = %s AND sha256 = %s
                ORDER BY created_at, id LIMIT 1
            ), stored AS ({rows.statement()}), queued AS (
                {jobs.statement()} RETURNING id, queued_at
            ), line AS (
                INSERT INTO knowledge_joblogline (job_id, created_at, level, code, data, worker)
                SELECT id, queued_at, 'info', 'queued', '{{}}', '' FROM queued
            )
            SELECT queued_at, (SELECT id FROM earlier) FROM queued
            """,  # noqa: S608 - names of our own tables and columns
            [source.space_id, source.sha256, *rows.values(source), *jobs.values(job)],
        )
        job.queued_at, earlier = cursor.fetchone()
    stored(source)
    stored(job)
    found: uuid.UUID | None = earlier
    return found
