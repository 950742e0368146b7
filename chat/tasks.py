"""Celery tasks of chat: an id in, one call out."""

import uuid
from dataclasses import asdict

from celery import shared_task

from chat import budget_notices, cold, summaries
from chat.attaching import reading
from chat.experiments import adapting
from chat.history import revisions
from project.celery import send_after_commit


@shared_task
def conversation_summarise(answer_id: str) -> None:
    """Sum up the branch that ends with an answer, if enough was said since the last time."""
    summaries.summary_write(uuid.UUID(answer_id))


@shared_task
def attachment_read(attachment_id: str) -> None:
    """Read a file that was attached to a conversation."""
    reading.attachment_read(uuid.UUID(attachment_id))


@shared_task
def attachments_recover() -> int:
    """Ask again for files that wait to be read for long; return how many."""
    waiting = reading.attachments_waiting()
    for each in waiting:
        send_after_commit(attachment_read, str(each))
    return len(waiting)


@shared_task
def budget_mails_send() -> int:
    """Send the mails about budgets that are due."""
    return budget_notices.mails_send()


@shared_task
def conversation_changes_fold() -> None:
    """Count the noted changes of conversations into their revisions."""
    revisions.changes_fold()


@shared_task
def conversations_cool() -> dict[str, int]:
    """Put the content of conversations away that nobody has touched for long."""
    return asdict(cold.conversations_cool())


@shared_task
def experiments_adapt() -> int:
    """Share people out anew in experiments that ask for it."""
    return adapting.experiments_adapt()
