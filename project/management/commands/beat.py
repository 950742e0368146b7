"""Celery beat, one at a time."""

import os
import sys
import threading
import time
from typing import Any

import psycopg
import structlog
from django.conf import settings
from django.core.management.base import BaseCommand

from project.celery import app
from project.locks import lock_key

_CHECK = 5.0  # seconds between two looks at the lock's connection
logger = structlog.get_logger(__name__)


class Command(BaseCommand):
    """A second replica waits for the lock as a standby: two beats would send everything twice."""

    help = "Send scheduled tasks (Celery beat). Of several, one works and the others stand by."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        holder = _connect()
        key = lock_key("beat")
        while not _take(holder, key):
            time.sleep(1)
        threading.Thread(target=_end_with_lock, args=(holder,), daemon=True).start()
        app.Beat(loglevel=settings.LOG_LEVEL, pidfile=None, quiet=True).run()


def _connect() -> psycopg.Connection:
    """A connection outside the pool: its session is the lock."""
    database = settings.DATABASES["default"]
    try:
        return psycopg.connect(
            dbname=database["NAME"],
            user=database["USER"],
            password=database["PASSWORD"],
            host=database["HOST"],
            port=database["PORT"] or None,
            autocommit=True,
            connect_timeout=5,
        )
    except psycopg.OperationalError as error:
        sys.exit(f"The database cannot be reached: {error}")


def _take(holder: psycopg.Connection, key: int) -> bool:
    try:
        row = holder.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
    except psycopg.OperationalError as error:
        sys.exit(f"The database went away: {error}")
    return bool(row and row[0])


def _end_with_lock(holder: psycopg.Connection) -> None:
    """End this process when the session, and so the lock, is lost: another beat may work now."""
    while True:
        time.sleep(_CHECK)
        try:
            holder.execute("SELECT 1")
        except psycopg.OperationalError as error:
            logger.warning("beat_lock_lost", error=str(error))
            os._exit(1)
