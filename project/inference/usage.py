"""The account of model calls: rows and metrics, written after a call and never during one."""

import asyncio
import contextlib
import functools
import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from project.aio import in_thread
from project.database.rows import insert_into, record_of
from project.inference import metrics
from project.inference.budgets import SPENDING_COUNTED, month_of, notices_note
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.types import TokenUsage, UsageContext
from project.tracing import current_trace_id

logger = structlog.get_logger(__name__)

CHARS_PER_TOKEN = 4
ERROR_LENGTH = 300

_running: "set[asyncio.Task[None]]" = set()


def estimate_tokens(*texts: str) -> int:
    """Return a rough number of tokens: a quarter of the characters, at least one a text."""
    return sum(max(1, len(text) // CHARS_PER_TOKEN) for text in texts)


def usage_row(
    *,
    context: UsageContext,
    kind: str,
    model: str,
    outcome: str,
    latency_ms: int,
    endpoint: ModelEndpoint | None = None,
    first_token_ms: int | None = None,
    tokens: TokenUsage | None = None,
    error: str = "",
) -> UsageRecord:
    """Return an unsaved usage row and count the call in the metrics."""
    tokens = tokens or TokenUsage()
    metrics.observe_call(
        kind=kind,
        model=endpoint.name if endpoint else model,
        outcome=outcome,
        latency_ms=latency_ms,
        first_token_ms=first_token_ms,
        prompt_tokens=tokens.prompt_tokens,
        completion_tokens=tokens.completion_tokens,
        price=float(tokens.cost),
    )
    return UsageRecord(
        endpoint=endpoint,
        kind=kind,
        model=model[:200],
        purpose=context.purpose[:32],
        user_id=context.user_id,
        space_id=context.space_id,
        turn_id=context.turn_id,
        trace_id=(context.trace_id or current_trace_id())[:64],
        prompt_tokens=tokens.prompt_tokens,
        completion_tokens=tokens.completion_tokens,
        is_estimated=tokens.estimated,
        latency_ms=latency_ms,
        first_token_ms=first_token_ms,
        cost=tokens.cost,
        outcome=outcome,
        error=error[:ERROR_LENGTH],
    )


def usage_store(rows: Sequence[UsageRecord], hold: uuid.UUID | None = None) -> None:
    """Write rows, and let go what was held for them in a budget.

    A database that is away costs the rows, never the answer they belong to.
    """
    try:
        try:
            budgeted = _insert(rows, hold)
        except IntegrityError:
            # The endpoint or the user was deleted while the model was answering.
            for row in rows:
                row.endpoint_id = row.user_id = None
            budgeted = _insert(rows, hold)
        if budgeted:
            notices_note(budgeted)
    except DatabaseError as error:
        metrics.usage_rows_lost.inc(len(rows))
        logger.warning("usage_rows_lost", rows=len(rows), error=type(error).__name__)


async def usage_store_async(rows: Sequence[UsageRecord], hold: uuid.UUID | None = None) -> None:
    """Write rows from the event loop; a cancelled caller does not wait and loses nothing."""
    task = asyncio.create_task(in_thread(usage_store, rows, hold))
    _running.add(task)
    task.add_done_callback(_running.discard)
    await asyncio.shield(task)


async def usage_flush() -> None:
    """Wait for rows still being written (before a process ends)."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(task for task in _running if task.get_loop() is loop))


def _insert(rows: Sequence[UsageRecord], hold: uuid.UUID | None) -> list[uuid.UUID | None]:
    """Write it all in one statement; return the spaces among them that have a budget.

    It is a transaction of its own, unless the caller has one.
    """
    insert = insert_into(UsageRecord)
    parameters: list[Any] = [insert.json(rows), month_of(timezone.now()), hold]
    guard = transaction.atomic() if connection.in_atomic_block else contextlib.nullcontext()
    with guard, connection.cursor() as cursor:
        cursor.execute(_statement(), parameters)
        return [space_id for (space_id,) in cursor.fetchall()]


@functools.cache
def _statement() -> str:
    insert = insert_into(UsageRecord)
    columns = ", ".join(f'"{each.column}"' for each in insert.fields)
    return f"""
WITH given AS (SELECT {columns} FROM {record_of(insert.fields)}),
    recorded AS ({insert.into} SELECT {columns} FROM given),
    {SPENDING_COUNTED}
"""  # noqa: S608 - names of our own columns
