"""The database's clock: the one that all workers and web processes share."""

import datetime

from django.db import connection


def database_now() -> datetime.datetime:
    """Return the time of the database: leases are given and judged by it, not by any machine's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime.datetime = cursor.fetchone()[0]
    return moment
