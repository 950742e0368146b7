"""How a job looks to whoever follows it on a socket: as REST shows it."""

import datetime
from typing import Any

from knowledge.models import IngestJob


def job_body(job: IngestJob) -> dict[str, Any]:
    """Return the whole job, ready for JSON."""
    error = {"code": job.error_code, "message": job.error_message} if job.error_code else None
    return {
        "id": str(job.pk),
        "space": str(job.space_id),
        "source": str(job.source_id) if job.source_id else None,
        "kind": job.kind,
        "status": job.status,
        "stage": job.stage,
        "progress": job.progress,
        "position": job.queue_position(),
        "eta_seconds": job.eta_seconds(),
        "attempts": job.attempts,
        "error": error,
        "nodes": [str(pk) for pk in job.nodes],
        "timings": job.timings,
        "trace_id": job.trace_id,
        "created_by": job.created_by_id,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
    }


def _time(at: datetime.datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
