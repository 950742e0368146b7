"""Taking in files of golden questions."""

from typing import NamedTuple

from django.db import transaction

from knowledge.access import role_require
from knowledge.choices import GoldenOrigin
from knowledge.golden_rows import rows_invalid, rows_read, rows_resolve
from knowledge.models import GoldenQuestion, Space
from knowledge.services.golden import golden_create, question_key
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid


class Imported(NamedTuple):
    """How many questions of a file were made, and how many the space had already."""

    made: int
    known: int


@transaction.atomic
def golden_import(*, acting_user: User, space: Space, data: bytes) -> Imported:
    """Store the questions of a file of CSV or JSON lines (`knowledge.golden_rows`).

    Those that the space has already stay as they are. All of it or nothing: raises Invalid whose
    details map line numbers to what is wrong there. Raises NotFound and Forbidden.
    """
    role_require(acting_user, space, Role.EDITOR)
    rows = rows_read(data)
    resolved = rows_resolve(space, rows)
    keys = {question_key(row.question) for row in rows}
    known = GoldenQuestion.objects.filter(space=space, question_key__in=keys)
    taken = set(known.values_list("question_key", flat=True))
    problems: dict[str, list[str]] = {}
    for row, grades in resolved:
        if question_key(row.question) in taken:
            continue
        try:
            golden_create(
                acting_user=acting_user,
                space=space,
                origin=GoldenOrigin.IMPORT,
                question=row.question,
                nodes=grades,
                language=row.language,
                notes=row.notes,
                tags=row.tags,
            )
        except (Invalid, Conflict) as error:
            problems[str(row.line)] = [error.message]
    if problems:
        raise rows_invalid(problems)
    return Imported(made=len(rows) - len(taken), known=len(taken))


__all__ = ["Imported", "golden_import"]
