"""One view of the database for all statements of a search."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


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
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield
