"""Storing changed fields of many rows in one statement a batch.

Django's `bulk_update` builds a CASE of every row for every field: that takes longer than all the
rest of a write of some hundred nodes.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection, models

from project.database.rows import json_batches


def rows_update(rows: Sequence[models.Model], names: Sequence[str]) -> None:
    """Store the named fields of rows of one model, in the caller's transaction."""
    if not rows or not names:
        return
    meta = rows[0]._meta
    fields: list[Any] = [meta.get_field(name) for name in names]
    key: Any = meta.pk
    columns = ", ".join(f'"{each.column}" {each.db_type(connection)}' for each in (key, *fields))
    moves = ", ".join(f'"{each.column}" = new."{each.column}"' for each in fields)
    statement = (
        f'UPDATE "{meta.db_table}" AS old SET {moves} '  # noqa: S608 - names of our own columns
        f"FROM json_to_recordset(%s) AS new ({columns}) "
        f'WHERE old."{key.column}" = new."{key.column}"'
    )
    with connection.cursor() as cursor:
        for batch in json_batches(rows, [key, *fields]):
            cursor.execute(statement, [batch])
