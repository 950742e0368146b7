"""Celery tasks of chat: an id in, one call out."""

import uuid

from celery import shared_task

from chat import summaries


@shared_task
def conversation_summarise(answer_id: str) -> None:
    """Sum up the branch that ends with an answer, if enough was said since the last time."""
    summaries.summary_write(uuid.UUID(answer_id))
