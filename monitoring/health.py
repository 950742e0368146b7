"""Is it well? Each check answers in a few words, with the time it took."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg_pool import PoolTimeout

from knowledge import retrieval
from knowledge.types import SearchRequest
from monitoring import readings
from project import heartbeat
from project.aio import sync_redis
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

log = structlog.get_logger(__name__)
AWAY = (DatabaseError, PoolTimeout, redis.RedisError, OSError, EmbeddingUnavailable)
INDEX_PATIENCE_SECONDS = 300
EVENT_PATIENCE_SECONDS = 120

_migrated = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: `ok`, `warning` or `error`, and what to say of it."""

    status: str
    message: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings; `status` is the worst of them."""

    status: str
    checks: dict[str, dict[str, Any]]


def ready() -> Report:
    """Check what serving needs: the database with its tables, Redis, and a process of each kind."""
    return _report({"database": _database, "redis": _redis, "processes": _processes})


def deep() -> Report:
    """Check everything, also by doing it: embed a text, run a search, count what is behind."""
    return _report(
        {
            "database": _database,
            "redis": _redis,
            "processes": _processes,
            "queues": _queues,
            "events": _events,
            "index": _index,
            "embedding": _embedding,
            "search": _search,
        }
    )


def _report(checks: dict[str, Callable[[], Finding]]) -> Report:
    rows: dict[str, dict[str, Any]] = {}
    for name, check in checks.items():
        started = time.perf_counter()
        try:
            finding = check()
        except AWAY as error:
            log.warning("health_check_failed", check=name, error=type(error).__name__)
            finding = Finding("error", f"{name} is not answering ({type(error).__name__}).")
        took = round((time.perf_counter() - started) * 1000, 1)
        rows[name] = {"status": finding.status, "took_ms": took}
        if finding.message:
            rows[name]["message"] = finding.message
        rows[name] |= finding.facts
    order = ("error", "warning", "ok")
    worst = min((row["status"] for row in rows.values()), key=order.index)
    return Report(worst, rows)


def _database() -> Finding:
    global _migrated  # noqa: PLW0603 - once the tables are there they stay
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    if not _migrated:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if waiting:
            return Finding("error", f"{len(waiting)} migrations wait: run manage.py migrate.")
        _migrated = True
    return Finding("ok")


def _redis() -> Finding:
    sync_redis().ping()
    return Finding("ok")


def _processes() -> Finding:
    living = {each.process for each in heartbeat.living()}
    missing = [name for name in heartbeat.PROCESSES if name not in living]
    if missing:
        return Finding(
            "error", f"No living process of: {', '.join(missing)}.", {"missing": missing}
        )
    return Finding("ok")


def _queues() -> Finding:
    lengths = readings.queue_lengths()
    jobs = readings.job_counts()
    facts: dict[str, Any] = {"lengths": lengths, "jobs": jobs}
    lost = readings.jobs_with_lost_lease()
    if lost:
        return Finding("warning", f"{lost} jobs lost their worker and wait to be resumed.", facts)
    return Finding("ok", facts=facts)


def _events() -> Finding:
    waiting, oldest, given_up = readings.event_backlog()
    facts = {"unsettled": waiting, "oldest_seconds": oldest, "given_up": given_up}
    if oldest > EVENT_PATIENCE_SECONDS:
        return Finding("warning", "Events wait for more than two minutes.", facts)
    if given_up:
        return Finding("warning", f"{given_up} events were given up; see the admin.", facts)
    return Finding("ok", facts=facts)


def _index() -> Finding:
    behind = readings.nodes_behind(older_than_seconds=INDEX_PATIENCE_SECONDS)
    bare = readings.passages_without_vector()
    facts = {"nodes_behind": behind, "passages_without_vector": bare}
    if behind or bare:
        return Finding(
            "warning",
            f"{behind} published nodes are not indexed yet, {bare} passages have no vector.",
            facts,
        )
    return Finding("ok", facts=facts)


def _embedding() -> Finding:
    model = default_model()
    embed_texts(model, [f"health {time.time_ns()}"], purpose="query")
    return Finding("ok", facts={"model": model.key})


def _search() -> Finding:
    request = SearchRequest(query="health", limit=1)
    answer = retrieval.search(request, user=AnonymousUser(), fresh=True)
    if answer.degraded:
        return Finding("warning", f"Search works without: {', '.join(answer.degraded)}.")
    return Finding("ok")
