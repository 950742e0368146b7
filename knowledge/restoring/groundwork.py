"""What every part of a restored release shares: accounts by name, problems found, what was done."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, models
from django.utils.translation import gettext as _

from knowledge.models import Space
from project.accounts.models import User
from project.http.errors import Conflict

MOST_TOLD = 100  # conflicts in the details of a refusal
MOST_SAID = 10  # and in its message
GROUP = 100  # nodes or relations handled together
BATCH = 500
Row = TypeVar("Row")


@dataclass(slots=True)
class Restored:
    """How much an import wrote, and how much was here already."""

    nodes_created: int = 0
    nodes_continued: int = 0
    nodes_equal: int = 0
    nodes_ahead: int = 0
    versions: int = 0
    relations: int = 0
    relation_versions: int = 0
    sources: int = 0
    is_new: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(slots=True)
class Ground:
    """The space that a release is restored into, and what stands in its way."""

    space: Space
    restored: Restored = field(default_factory=Restored)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    conflict_count: int = 0
    to_index: list[uuid.UUID] = field(default_factory=list)
    _accounts: dict[str, int | None] = field(default_factory=dict)

    def conflict(self, code: str, what: str, pk: uuid.UUID, message: str) -> None:
        """Note something that is otherwise here than in the archive."""
        self.conflict_count += 1
        if len(self.conflicts) < MOST_TOLD:
            self.conflicts.append({"code": code, what: str(pk), "message": message})

    def require_none(self) -> None:
        """Raise Conflict, with the list in its details, if anything stands in the way."""
        if not self.conflict_count:
            return
        message = _("%(count)s things are otherwise here, so nothing was imported: %(first)s")
        first = " ".join(each["message"] for each in self.conflicts[:MOST_SAID])
        facts = {"count": self.conflict_count, "first": first}
        details = {"count": self.conflict_count, "conflicts": self.conflicts}
        raise Conflict(message % facts, code="release_conflicts", details=details)

    def account(self, name: str) -> int | None:
        """Return the id of the account with a user name; None where there is none here."""
        if name not in self._accounts:
            rows = User.objects.filter(username=name) if name else User.objects.none()
            self._accounts[name] = rows.values_list("pk", flat=True).first()
        return self._accounts[name]


def groups(rows: Iterable[Row], size: int = GROUP) -> Iterator[list[Row]]:
    """Yield the rows in lists of at most `size`."""
    rest = iter(rows)
    while group := list(islice(rest, size)):
        yield group


def rows_copy(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert rows by COPY, several times faster than by INSERT; every field is as it was set."""
    if not rows:
        return
    fields = model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    table = f'"{model._meta.db_table}"'
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
    ):
        for row in rows:
            values = (getattr(row, field.attname) for field in fields)
            copy.write_row(
                [
                    field.get_db_prep_save(value, connection)
                    for field, value in zip(fields, values, strict=True)
                ]
            )


def times_set(table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Set times that Django would set to now: each row is an id and a time for each column."""
    if not rows:
        return
    names = ", ".join(f"{name} = given.{name}" for name in columns)
    arrays = ", ".join(["%s::uuid[]", *("%s::timestamptz[]" for _name in columns)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {names} "  # noqa: S608 - names of our own tables and columns
            f"FROM unnest({arrays}) AS given(id, {', '.join(columns)}) "
            f"WHERE {table}.id = given.id",
            [list(each) for each in zip(*rows, strict=True)],
        )
