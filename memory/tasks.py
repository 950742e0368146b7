"""Celery tasks of memory."""

from celery import shared_task

from memory import indexing


@shared_task
def episodes_embed_missing() -> int:
    """Embed the episodes that have no vector yet."""
    return indexing.episodes_embed()
