"""Asking for the preview of a proposal, once for many changes that come together."""

import uuid

import structlog
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError

from knowledge import tasks

log = structlog.get_logger(__name__)

PAUSE = 2
"""Seconds in which further changes ask for nothing: the task that waits will see them."""


def preview_request(proposal_id: uuid.UUID) -> None:
    """Have a preview brought up to date soon after the running transaction has committed.

    A broker that is away fails nothing: a sweep asks again.
    """

    def send() -> None:
        if not cache.add(f"knowledge.preview:{proposal_id}", 1, timeout=PAUSE):
            return
        try:
            tasks.proposal_prepare.apply_async((str(proposal_id),), countdown=PAUSE, retry=False)
        except (OperationalError, OSError) as error:
            log.warning("preview_not_asked", error=type(error).__name__)

    transaction.on_commit(send)
