"""Celery tasks of chat: an id in, one call out."""

import uuid

from celery import shared_task

from chat import summaries
from chat.attaching import reading
from chat.experiments import adapting


@shared_task
def conversation_summarise(answer_id: str) -> None:
    """Sum up the branch that ends with an answer, if enough was said since the last time."""
    summaries.summary_write(uuid.UUID(answer_id))


@shared_task
def attachment_read(attachment_id: str) -> None:
    """Read a file that was attached to a conversation."""
    reading.attachment_read(uuid.UUID(attachment_id))


@shared_task
def experiments_adapt() -> int:
    """Share people out anew in experiments that ask for it."""
    return adapting.experiments_adapt()
