"""Statements that a connection keeps prepared, and values in PostgreSQL's binary form for them."""

from collections.abc import Sequence
from typing import Any, cast

import psycopg
from django.db import connection
from psycopg.adapt import Dumper
from psycopg.pq import Format


class PreparedCursor(psycopg.Cursor[tuple[Any, ...]]):
    """Keeps its statements prepared on their connection; values go both ways in binary.

    With `is_text` answers come as text, which fields of models read.
    """

    is_text = False

    def execute(self, query: Any, params: Any = None, **_kwargs: Any) -> "PreparedCursor":
        """Run a statement, which is planned once a connection."""
        return super().execute(query, params, prepare=True, binary=not self.is_text)


class Packed(bytes):
    """A parameter as PostgreSQL receives it, of the type that the statement says."""


class _PackedDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: Packed) -> bytes:
        return bytes(obj)


def prepared_rows(
    sql: str, parameters: Sequence[Any] = (), *, is_text: bool = False
) -> list[tuple[Any, ...]]:
    """Execute a statement that this thread's connection keeps prepared; return all rows.

    For the few that are asked all the time: a connection keeps a hundred of them. `is_text`:
    as `PreparedCursor` has it, for `project.database.reading`.
    """
    with cast("Any", connection).prepared_cursor(is_text=is_text) as cursor:
        cursor.execute(sql, parameters)
        return cast("list[tuple[Any, ...]]", cursor.fetchall())


# Before the first connection, which takes over what is registered: Django's backend imports this.
psycopg.adapters.register_dumper(Packed, _PackedDumper)
