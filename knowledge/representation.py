"""How a job looks to whoever follows it on a socket, as REST shows it; and its source."""

import datetime
import uuid
from typing import Any

from knowledge.job_log import sentence
from knowledge.job_places import Place, place_of
from knowledge.models import IngestJob, JobLogLine, Source


def job_body(job: IngestJob, place: Place | None = None) -> dict[str, Any]:
    """Return the whole job, ready for JSON; `place` is where it stands, if that is known."""
    stands = place or place_of(job)
    earlier = duplicate_of(job)
    return {
        "id": str(job.pk),
        "space": str(job.space_id),
        "source": str(job.source_id) if job.source_id else None,
        "duplicate_of": str(earlier) if earlier else None,
        "kind": job.kind,
        "status": job.status,
        "stage": job.stage,
        "progress": job.progress,
        "position": stands.position,
        "eta_seconds": stands.eta_seconds,
        **job_counts(job),
        "attempts": job.attempts,
        "error": job_error(job),
        "is_dead": job.is_dead,
        "nodes": [str(pk) for pk in job.nodes],
        "timings": job.timings,
        "trace_id": job.trace_id,
        "created_by": job.created_by_id,
        "created_at": _time(job.created_at),
        "queued_at": _time(job.queued_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
    }


def job_counts(job: IngestJob) -> dict[str, Any]:
    """Return the pages and passages of a job: how many are done, of how many, and how fast."""
    return {
        "pages": _count(job.pages_done, job.pages_total, job.pages_rate),
        "passages": _count(job.passages_done, job.passages_total, job.passages_rate),
    }


def _count(done: int | None, total: int | None, rate: float | None) -> dict[str, Any] | None:
    return None if done is None else {"done": done, "total": total, "per_second": rate}


def job_error(job: IngestJob) -> dict[str, str] | None:
    """Return the error's code and message, or None."""
    return {"code": job.error_code, "message": job.error_message} if job.error_code else None


def duplicate_of(job: IngestJob) -> uuid.UUID | None:
    """Return the earlier source of the space with the bytes of the job's source."""
    if job.source_id is None:
        return None
    if not hasattr(job, "earlier_source"):
        rows: Any = IngestJob.objects.with_duplicates().filter(pk=job.pk)
        return next(iter(rows.values_list("earlier_source", flat=True)), None)
    known: uuid.UUID | None = job.earlier_source
    return known


def source_body(source: Source) -> dict[str, Any]:
    """Return a source, ready for JSON."""
    return {
        "id": str(source.pk),
        "space": str(source.space_id),
        "kind": source.kind,
        "title": source.title,
        "filename": source.filename,
        "content_type": source.content_type,
        "size": source.size,
        "sha256": source.sha256,
        "origin": source.origin,
        "replaces": str(source.replaces_id) if source.replaces_id else None,
        "language": source.language,
        "tags": source.tags,
        "created_by": source.created_by_id,
        "created_at": _time(source.created_at),
        "url": source_url(source),
    }


def source_url(source: Source) -> str:
    """Return where the bytes are downloaded."""
    return f"/knowledge/sources/{source.pk}/file/"


def line_body(line: JobLogLine) -> dict[str, Any]:
    """Return a line of a job's log, with its sentence in the language that is active."""
    return {
        "id": line.pk,
        "at": _time(line.created_at),
        "level": line.level,
        "code": line.code,
        "text": sentence(line),
        "worker": line.worker or None,
    }


def _time(at: datetime.datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
