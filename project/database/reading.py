"""Rows of models out of statements that are written by hand.

For the few that are asked all the time, where putting together a query of Django's takes longer
than the server takes to answer it.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from django.db import connection, models

M = TypeVar("M", bound=models.Model)


class Reading(Generic[M]):
    """The columns of a model under a name that a statement gives its table, and rows from them."""

    def __init__(self, model: type[M], alias: str) -> None:
        fields: list[Any] = list(model._meta.concrete_fields)
        self._model = model
        self._names = [field.attname for field in fields]
        self.columns = ", ".join(f'{alias}."{field.column}"' for field in fields)
        """To be selected, in the order that `row` takes them in."""
        self.width = len(fields)
        self._converters = [
            (place, convert)
            for place, field in enumerate(fields)
            for convert in field.get_db_converters(connection)
        ]

    def row(self, values: Sequence[Any]) -> M:
        """Return the row of these values (as text answers have them)."""
        given = list(values)
        for place, convert in self._converters:
            given[place] = convert(given[place], None, connection)
        return self._model.from_db(connection.alias, self._names, given)
