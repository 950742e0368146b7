"""What a schema, its steps and the nodes of a kind must be before a kind is written."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.kinds import nodes_of
from knowledge.metadata.schemas import BadSchema, Problem, schema_check, schema_of
from knowledge.metadata.steps import BadSteps, steps_of
from knowledge.models import Kind
from project.http.errors import Conflict, Invalid

MOST_NAMED = 20


def schema_require(schema: Any, field: str) -> None:
    """Raise Invalid, with the places in its details, for a schema that cannot be used."""
    _storable_require(schema, field)
    try:
        schema_check(schema)
    except BadSchema as error:
        _refuse(field, error.problems)


def steps_require(steps: Any) -> None:
    """Raise Invalid, with the places in its details, for steps that cannot be read."""
    _storable_require(steps, "steps")
    try:
        steps_of(steps)
    except BadSteps as error:
        _refuse("steps", error.problems)


def _storable_require(value: Any, field: str) -> None:
    """Raise Invalid for what JSON can spell and Postgres has no place for, or is too deep."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except (UnicodeEncodeError, RecursionError):
        raise Invalid(_("This cannot be stored."), field=field) from None
    if "\\u0000" in text:
        raise Invalid(_("The character U+0000 cannot be stored."), field=field)


def _refuse(field: str, problems: Sequence[Problem]) -> NoReturn:
    details: dict[str, list[str]] = {}
    for problem in problems:
        details.setdefault(problem.path or "$", []).append(problem.message)
    code = "schema_invalid" if field != "steps" else "steps_invalid"
    raise Invalid(str(problems[0]), code=code, field=field, details={field: details})


def nodes_require(kind: Kind, *, of: Kind | None = None) -> None:
    """Raise Conflict unless the stored nodes of `kind`, or those of another, fit its schema."""
    schema = schema_of(kind.metadata_schema)
    if schema is None:
        return
    misfits: dict[str, Mapping[str, Any]] = {}
    count = 0
    rows = nodes_of(of or kind).order_by("pk").values_list("pk", "title", "metadata")
    for pk, title, metadata in rows.iterator(chunk_size=1000):
        problems = schema.problems_of(metadata)
        count += bool(problems)
        if problems and len(misfits) < MOST_NAMED:
            misfits[str(pk)] = {"title": title, "problems": [str(each) for each in problems]}
    if not count:
        return
    message = ngettext(
        "%(count)s node of this kind does not fit: make the kind without a schema, then plan a"
        " change of it.",
        "%(count)s nodes of this kind do not fit: make the kind without a schema, then plan a"
        " change of it.",
        count,
    )
    raise Conflict(
        message % {"count": count},
        code="migration_needed",
        field="metadata_schema",
        details={"nodes": misfits},
    )
