"""Connections of the pool: those that a restarted server left dead fail nobody."""

import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from project.database.base import is_alive

pytestmark = pytest.mark.django_db(transaction=True)


def test_connections_that_a_restart_left_dead_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = connection.pool
    held = [pool.getconn() for _ in range(3)]
    pids = [each.info.backend_pid for each in held]
    for each in held:
        pool.putconn(each)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (own,) = cursor.fetchone()
        for pid in set(pids) - {own}:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    connection.close()

    wrapper = connection.copy()
    seen = set()
    taken = [wrapper.get_new_connection(wrapper.get_connection_params()) for _ in range(3)]
    for each in taken:
        seen.add(each.execute("SELECT pg_backend_pid()").fetchone()[0])
    assert len(seen) == 3
    assert seen.isdisjoint(set(pids) - {own})

    # What is alive is not asked.
    monkeypatch.setattr(ConnectionPool, "check_connection", None)
    assert all(is_alive(each) for each in taken)
    for each in taken:
        pool.putconn(each)
