"""One view of the database for all statements of a search."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

_PLANNING = (
    # A second process costs a search more than it saves, and takes it from other searches.
    "SET LOCAL max_parallel_workers_per_gather = 0; "
    # The planner guesses badly how many passages have some words, and reads all of them instead.
    "SET LOCAL enable_seqscan = off; "
    "SET LOCAL jit = off; "
    # What stays prepared is written so that it has one plan, whatever is asked.
    "SET LOCAL plan_cache_mode = force_generic_plan"
)


@contextmanager
def one_view() -> Iterator[None]:
    """Let every statement inside see the same state: what commits meanwhile is seen by the next.

    A merge of many nodes is then found whole, or not at all. Inside a transaction of the caller's,
    which has its own view, nothing changes. No model may be called inside.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; {_PLANNING}")
        yield
