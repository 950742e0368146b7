"""Storing many rows, or changed fields of them, in one statement a batch.

Django's `bulk_update` builds a CASE of every row for every field, and its `bulk_create` a
placeholder of every value where a table has arrays: that takes longer than all the rest of a write
of some hundred nodes.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models

BATCH_ROWS = 500
BATCH_CHARS = 8_000_000


class _Exact(DjangoJSONEncoder):
    """Times with all their digits: Django's encoder cuts them to milliseconds."""

    def default(self, value: Any) -> Any:
        if hasattr(value, "isoformat"):
            return value.isoformat()
        return super().default(value)


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
        for batch in _batches(rows, [key, *fields]):
            cursor.execute(statement, [batch])


def rows_insert(rows: Sequence[models.Model]) -> None:
    """Store new rows of one model, in the caller's transaction.

    Ids that the database gives stay unset. Raises what `bulk_create` raises.
    """
    if not rows:
        return
    meta = rows[0]._meta
    is_named = rows[0].pk is not None
    fields: list[Any] = [each for each in meta.concrete_fields if is_named or not each.primary_key]
    columns = ", ".join(f'"{each.column}"' for each in fields)
    types = ", ".join(f'"{each.column}" {each.db_type(connection)}' for each in fields)
    statement = (
        f'INSERT INTO "{meta.db_table}" ({columns}) SELECT {columns} '  # noqa: S608 - as above
        f"FROM json_to_recordset(%s) AS new ({types})"
    )
    for row in rows:
        for each in fields:
            each.pre_save(row, add=True)  # sets the times that are set by themselves
    with connection.cursor() as cursor:
        for batch in _batches(rows, fields):
            cursor.execute(statement, [batch])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _batches(rows: Sequence[models.Model], fields: Sequence[Any]) -> Iterator[str]:
    """Yield JSON lists of records, none much longer than BATCH_CHARS."""
    records: list[str] = []
    length = 0
    for row in rows:
        values = {field.column: getattr(row, field.attname) for field in fields}
        record = json.dumps(values, cls=_Exact, ensure_ascii=False)
        records.append(record)
        length += len(record)
        if len(records) >= BATCH_ROWS or length >= BATCH_CHARS:
            yield f"[{','.join(records)}]"
            records, length = [], 0
    if records:
        yield f"[{','.join(records)}]"
