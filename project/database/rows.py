"""Inserting a few rows by statements that are made once a model.

Django writes its INSERT anew for every row, which takes longer than the server takes to do it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, models


@dataclass(frozen=True, slots=True)
class Insert:
    """The INSERT of a model's rows: all columns but those of ids that the database gives."""

    into: str
    place: str
    fields: tuple[Any, ...]
    """Those of the parameters."""

    def values(self, row: models.Model) -> list[Any]:
        """Return the parameters of a row; sets the times that are set by themselves."""
        return [
            field.get_db_prep_save(field.pre_save(row, add=True), connection)
            for field in self.fields
        ]

    def statement(self, count: int = 1) -> str:
        """Return the statement for that many rows, for more to be added."""
        return f"{self.into} VALUES {', '.join([self.place] * count)}"


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
    """Store a few new rows of one model, in the caller's transaction, with the ids they get.

    Raises what `bulk_create` raises.
    """
    if not rows:
        return
    model = type(rows[0])
    insert = insert_into(model)
    key: Any = model._meta.pk
    statement = f'{insert.statement(len(rows))} RETURNING "{key.column}"'
    with connection.cursor() as cursor:
        cursor.execute(statement, [value for row in rows for value in insert.values(row)])
        for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = pk
            stored(row)


def stored(row: models.Model) -> None:
    """Mark a row as one that the database has."""
    row._state.adding, row._state.db = False, connection.alias
