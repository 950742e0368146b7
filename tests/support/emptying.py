"""Empties the database after a test that commits, touching only the tables that hold something.

Django's `flush` truncates every table and then makes all content types and permissions again, which
is most of what such a test costs. Here those two stay: no test changes them. A few rows are quicker
deleted than truncated, and in any order, since foreign keys are looked at when the transaction
ends; only the tables that refuse a DELETE are truncated.
"""

import time
from functools import cache
from typing import Any

from django.apps import apps
from django.db import IntegrityError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

TRIES = 10
PAUSE = 0.2  # seconds
_KEPT = frozenset({"django_content_type", "auth_permission", "django_migrations"})


def database_empty(connection: BaseDatabaseWrapper) -> None:
    """Remove all rows but those of content types and permissions.

    Processes of a test may still write what follows from its last act: then it is tried again.
    """
    for left in reversed(range(TRIES)):
        try:
            _empty(connection)
        except IntegrityError:
            if not left:
                raise
            time.sleep(PAUSE)
        else:
            return


def _empty(connection: BaseDatabaseWrapper) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(_GUARDED)
        guarded = {name for (name,) in cursor.fetchall()}
        cursor.execute(_question())
        filled = {name for (name,) in cursor.fetchall()}
        statements = [f'DELETE FROM "{name}"' for name in sorted(filled - guarded)]
        if filled & guarded:
            names = ", ".join(f'"{name}"' for name in sorted(filled & guarded))
            statements.insert(0, f"TRUNCATE {names} CASCADE")
        if statements:
            cursor.execute("; ".join(statements))


_GUARDED = """
SELECT DISTINCT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE NOT tgisinternal AND tgtype & 8 = 8 AND relnamespace = 'public'::regnamespace
"""
"""Tables with a trigger of their own on DELETE."""


@cache
def _question() -> str:
    """Return the statement that names the tables with rows."""
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models if model._meta.managed} - _KEPT
    return " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in sorted(tables)
    )


def _fixture_teardown(case: Any) -> None:
    for name in case._databases_names(include_mirrors=False):
        database_empty(connections[name])


def install() -> None:
    """Have all tests that commit end this way."""
    TransactionTestCase._fixture_teardown = _fixture_teardown  # type: ignore[attr-defined]
