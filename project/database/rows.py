"""Inserting rows by statements that are made once a model.

Django writes its INSERT anew for every row, and of many rows a placeholder for every value: that
takes longer than the server takes to store them.
"""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS, connection, connections, models

FEW = 4  # rows that are sent as values; more of them as JSON
BATCH_ROWS = 500
BATCH_CHARS = 8_000_000


@dataclass(frozen=True)
class Insert:
    """The INSERT of a model's rows: all columns but those of ids that the database gives."""

    into: str
    place: str
    fields: tuple[Any, ...]
    """Those of the parameters."""

    def values(self, row: models.Model) -> list[Any]:
        """Return the parameters of a row; sets the times that are set by themselves."""
        database = connections[DEFAULT_DB_ALIAS]  # itself: `connection` looks it up for each field
        return [
            field.get_db_prep_save(field.pre_save(row, add=True), database) for field in self.fields
        ]

    def statement(self, count: int = 1) -> str:
        """Return the statement for that many rows, for more to be added."""
        return f"{self.into} VALUES {', '.join([self.place] * count)}"

    @functools.cached_property
    def statement_of_many(self) -> str:
        """The statement for rows in JSON, its one parameter."""
        columns = ", ".join(f'"{each.column}"' for each in self.fields)
        return f"{self.into} SELECT {columns} FROM {record_of(self.fields)}"  # noqa: S608 - names of our own columns

    def json(self, rows: Sequence[models.Model]) -> str:
        """Return new rows as `record_of` takes them; sets the times that are set by themselves."""
        for row in rows:
            for each in self.set_by_themselves:
                each.pre_save(row, add=True)
        return json_of(rows, self.fields)

    def json_of_new(self, rows: Sequence[models.Model]) -> Iterator[str]:
        """Return new rows as `json` returns them, in batches no longer than one statement takes."""
        for row in rows:
            for each in self.set_by_themselves:
                each.pre_save(row, add=True)
        return json_batches(rows, self.fields)

    @functools.cached_property
    def set_by_themselves(self) -> list[Any]:
        """The fields that give a new row a value of their own, such as the time it was made at."""
        return [
            each
            for each in self.fields
            if type(each).pre_save is not models.Field.pre_save
            and (getattr(each, "auto_now", True) or getattr(each, "auto_now_add", True))
        ]


@functools.cache
def insert_into(model: type[models.Model], *, timed: tuple[str, ...] = ()) -> Insert:
    """Return how rows of a model are inserted; `timed` columns get the time of the database."""
    meta = model._meta
    is_given = isinstance(meta.pk, models.AutoField | models.BigAutoField)
    given: list[Any] = [
        each for each in meta.concrete_fields if not (is_given and each.primary_key)
    ]
    columns = ", ".join(f'"{each.column}"' for each in given)
    places = ("clock_timestamp()" if each.column in timed else "%s" for each in given)
    return Insert(
        f'INSERT INTO "{meta.db_table}" ({columns})',
        f"({', '.join(places)})",
        tuple(each for each in given if each.column not in timed),
    )


def rows_add(rows: Sequence[models.Model]) -> None:
    """Store new rows of one model, in the caller's transaction, with the ids they get.

    Raises what `bulk_create` raises.
    """
    if not rows:
        return
    insert = insert_into(type(rows[0]))
    key: Any = rows[0]._meta.pk
    returning = f'RETURNING "{key.column}"'
    keys: list[tuple[Any]] = []
    with connection.cursor() as cursor:
        if len(rows) <= FEW:
            values = [value for row in rows for value in insert.values(row)]
            cursor.execute(f"{insert.statement(len(rows))} {returning}", values)
            keys += cursor.fetchall()
        else:
            statement = f"{insert.statement_of_many} {returning}"
            for batch in insert.json_of_new(rows):
                cursor.execute(statement, [batch])
                keys += cursor.fetchall()
    for row, (pk,) in zip(rows, keys, strict=True):
        row.pk = pk
        stored(row)


def stored(row: models.Model) -> None:
    """Mark a row as one that the database has."""
    row._state.adding, row._state.db = False, connection.alias


class _Exact(DjangoJSONEncoder):
    """Times with all their digits: Django's encoder cuts them to milliseconds."""

    def default(self, value: Any) -> Any:
        if hasattr(value, "isoformat"):
            return value.isoformat()
        return super().default(value)


_encoded = _Exact(ensure_ascii=False, separators=(",", ":")).encode


def record_of(fields: Sequence[Any]) -> str:
    """Return the SQL of a table `new` with the columns of these fields: JSON, its one parameter."""
    types = ", ".join(f'"{each.column}" {each.db_type(connection)}' for each in fields)
    return f"json_to_recordset(%s) AS new ({types})"


def json_of(rows: Sequence[models.Model], fields: Sequence[Any]) -> str:
    """Return these fields of a few rows, for `record_of`."""
    names = [(field.column, field.attname) for field in fields]
    records = ({column: getattr(row, name) for column, name in names} for row in rows)
    return f"[{','.join(map(_encoded, records))}]"


def json_batches(rows: Sequence[models.Model], fields: Sequence[Any]) -> Iterator[str]:
    """Yield JSON lists of records, none much longer than BATCH_CHARS."""
    names = [(field.column, field.attname) for field in fields]
    records: list[str] = []
    length = 0
    for row in rows:
        record = _encoded({column: getattr(row, name) for column, name in names})
        records.append(record)
        length += len(record)
        if len(records) >= BATCH_ROWS or length >= BATCH_CHARS:
            yield f"[{','.join(records)}]"
            records, length = [], 0
    if records:
        yield f"[{','.join(records)}]"
