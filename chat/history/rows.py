"""Rows that Postgres hands over as JSON, as the models that they are of.

One statement brings messages with their turns and citations, instead of one for each table.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.query import ModelIterable

from chat.models import Citation, Message, Turn
from chat.querysets import remember_related

Row = TypeVar("Row", bound=models.Model)

# What pages do not show of a trace is most of it.
TURN_JSON = """to_jsonb(turn) || jsonb_build_object('trace',
    CASE jsonb_typeof(turn.trace)
    WHEN 'object' THEN turn.trace - ARRAY['passages', 'memories', 'prompt'] ELSE turn.trace END)"""

_FOLDED = f"""(
    SELECT json_build_object(
        'is_cold', conversation.cold_since IS NOT NULL,
        'turn', CASE chat_message.role WHEN 'assistant' THEN (
            SELECT {TURN_JSON} FROM chat_turn AS turn WHERE turn.answer_id = chat_message.id
        ) ELSE (
            SELECT {TURN_JSON} FROM chat_turn AS turn WHERE turn.question_id = chat_message.id
            ORDER BY turn.created_at DESC, turn.id LIMIT 1
        ) END,
        'citations', CASE chat_message.role WHEN 'assistant' THEN (
            SELECT json_agg(citation ORDER BY citation.index) FROM chat_citation AS citation
            JOIN chat_turn AS turn ON turn.id = citation.turn_id
            WHERE turn.answer_id = chat_message.id
        ) END
    )::text FROM chat_conversation AS conversation
    WHERE conversation.id = chat_message.conversation_id
)"""  # noqa: S608 - of constants


class WentCold(Exception):
    """A message was read whose content is in cold storage."""


class FoldedMessages(ModelIterable):
    """Messages with `answered_by`, or the newest of `turns`; raises WentCold."""

    def __iter__(self) -> Iterator[Any]:
        for message in super().__iter__():
            turn_keep(message, json.loads(message.__dict__.pop("folded")))
            yield message


def folded(rows: models.QuerySet) -> models.QuerySet:
    """Fetch along, in the same statement, what messages are shown with.

    Of the turns that answer a question only the newest, and not all of a trace.
    """
    raw = RawSQL(_FOLDED, [], output_field=models.TextField())  # noqa: S611 - constant
    found: models.QuerySet = rows.annotate(folded=raw)
    found._iterable_class = FoldedMessages  # what `values()` does, too
    return found


def turn_keep(message: Message, found: Mapping[str, Any]) -> None:
    """Hang what was found along with a message on it."""
    if found["is_cold"]:
        raise WentCold
    turn = revived(Turn, found["turn"]) if found["turn"] else None
    is_answer = message.role == "assistant"
    if turn is not None:
        remember_related(turn, citations=citations_of(turn, found["citations"] or []))
        turn._state.fields_cache["answer" if is_answer else "question"] = message
    if is_answer:
        message._state.fields_cache["answered_by"] = turn
    else:
        remember_related(message, turns=[turn] if turn is not None else [])


def citations_of(turn: Turn, rows: list[dict[str, Any]]) -> list[Citation]:
    """Return the citations of a turn, each of which knows it."""
    found = [revived(Citation, each) for each in rows]
    for each in found:
        each._state.fields_cache["turn"] = turn
    return found


def revived(model: type[Row], row: Mapping[str, Any]) -> Row:
    """Return the row of a table that Postgres wrote as JSON: whole, as if it had been selected."""
    converters = _converters(model)
    names = [name for name in converters if name in row]
    values = [converters[name](row[name]) for name in names]
    return model.from_db("default", names, values)


@cache
def _converters(model: type[models.Model]) -> dict[str, Callable[[Any], Any]]:
    """Return how the value of each column becomes what the field holds."""
    made: dict[str, Callable[[Any], Any]] = {}
    for field in model._meta.concrete_fields:
        target = field
        while isinstance(target, models.ForeignKey):
            target = target.target_field
        kind = next((known for known in _KINDS if isinstance(target, known)), None)
        made[field.attname] = _or_none(_KINDS[kind]) if kind else _same
    return made


_KINDS: dict[type[models.Field], Callable[[Any], Any]] = {
    models.UUIDField: uuid.UUID,
    models.DateTimeField: datetime.datetime.fromisoformat,
    models.DecimalField: lambda value: Decimal(str(value)),
}


def _or_none(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def _same(value: Any) -> Any:
    return value
