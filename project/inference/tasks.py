"""Celery tasks of the inference app."""

from celery import shared_task

from project.inference import vector_cache


@shared_task
def vectors_sweep() -> int:
    """Keep the cache of vectors within its bounds."""
    return vector_cache.vectors_sweep()
