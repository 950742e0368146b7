"""Celery tasks of knowledge: an id in, one call out; outcomes are written on the rows."""

import uuid

from celery import shared_task

from knowledge import indexing


@shared_task(queue="embed")
def node_index(node_id: str) -> None:
    """Bring the index of a published node up to its version."""
    indexing.index_node(uuid.UUID(node_id))
