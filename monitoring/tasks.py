"""Celery tasks of monitoring."""

from celery import shared_task

from monitoring import expiry


@shared_task
def rows_expire() -> dict[str, int]:
    """Delete rows that have served."""
    return expiry.rows_expire()
