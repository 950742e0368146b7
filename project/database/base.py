"""PostgreSQL with metrics, and a pool that hands out no connection whose server has gone."""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql.operations import DatabaseOperations
from django_prometheus.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

from project.database.prepared import PreparedCursor

_PREPARED = 5
"""psycopg's own number: None would prepare nothing, not even what is asked to be."""


class Operations(DatabaseOperations):
    """Names prepared statements in logs, whose parameters are already in PostgreSQL's form."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        """Return a statement with its parameters, or without them where they cannot be read."""
        return super().last_executed_query(cursor, sql, params) or str(sql)


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # untyped
    """Looks at each connection that the pool hands out, which costs no word with the server.

    After a restart of the server every pooled connection is dead, and would fail the request that
    gets it.
    """

    ops_class = Operations

    def get_connection_params(self) -> dict[str, Any]:
        """Return what a connection is made with; nothing where a pool makes them by itself."""
        if self.alias in self._connection_pools:
            return {}
        params: dict[str, Any] = super().get_connection_params()
        if params.get("prepare_threshold") is None:  # Django's cursors prepare nothing anyway
            params["prepare_threshold"] = _PREPARED
        return params

    def prepared_cursor(self, *, is_text: bool = False) -> Any:
        """Return a cursor whose statements stay prepared: for the few that are asked all the time.

        Errors are Django's, wrappers and logs of statements see what is executed.
        """
        self.ensure_connection()
        with self.wrap_database_errors:
            cursor = PreparedCursor(self.connection)
            cursor.is_text = is_text
            return self._prepare_cursor(cursor)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that is alive. Raises what the pool raises when there is none."""
        connection = super().get_new_connection(conn_params)
        while self.pool and not is_alive(connection):
            connection.close()
            self.pool.putconn(connection)  # which makes another one in its place
            connection = super().get_new_connection(conn_params)
        return connection


def is_alive(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether an idle connection can be used.

    A server that ends says so, or closes the socket: there is something to read. Only then is the
    server asked, for it may have told something else.
    """
    readable = select.poll()
    readable.register(connection.fileno(), select.POLLIN)
    if not readable.poll(0):
        return True
    try:
        ConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True
