"""Where passages are: a table, and the condition that permits a row of it.

The present state is on one shelf, that of served passages. An older state is on two, a previewed
one too; the common table expression `permitted` tells the versions of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from project.database.prepared import prepared_rows


@dataclass(frozen=True, slots=True)
class Shelf:
    """A table of passages. `among` holds of its rows and of those of `vectors`, if permitted.

    `bounds`, with its parameters, holds of them, too, and narrows them down without `permitted`.
    Without `vectors`, its vectors are embeddings of generations; with it, rows of that table with
    the key of their model, whose `vector_id` is the passage's; they may be in half precision.
    """

    passages: str
    among: str
    bounds: str = ""
    parameters: tuple[Any, ...] = ()
    vectors: str | None = None
    vector_id: str = "chunk_id"
    are_halves: bool = False

    @property
    def within(self) -> str:
        """The whole condition."""
        return f"{self.bounds} AND {self.among}" if self.bounds else self.among


SERVED = Shelf("knowledge_chunk", "node_id IN (SELECT id FROM permitted)")
"""What search serves, where `permitted` has nothing else."""
STILL_SERVED = Shelf("knowledge_chunk", "node_id IN (SELECT id FROM permitted WHERE is_served)")
"""What search serves of the versions of another state."""


@dataclass(slots=True)
class Statement:
    """SQL that grows in parts with its parameters."""

    parts: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, sql: str, *parameters: Any) -> None:
        """Append a part."""
        self.parts.append(sql)
        self.parameters.extend(parameters)

    def extend(self, other: Statement) -> None:
        """Append another statement."""
        self.parts += other.parts
        self.parameters += other.parameters

    def run_prepared(self) -> list[tuple[Any, ...]]:
        """Do what `run` does; the connection keeps the statement, and its plan.

        For statements that are the same from search to search, and whose plan needs no parameters.
        """
        return prepared_rows("".join(self.parts), self.parameters)

    def run(self) -> list[tuple[Any, ...]]:
        """Execute and return all rows."""
        with connection.cursor() as cursor:
            cursor.execute("".join(self.parts), self.parameters)
            return list(cursor.fetchall())


def quoted(terms: Sequence[str]) -> list[str]:
    """Return terms as tsquery operands; of letters, digits and joints, none is an operator."""
    return ["'" + term.replace("'", "''") + "'" for term in terms]
