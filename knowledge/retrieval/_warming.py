"""Having the searches ready that are asked most, after what they find has changed."""

from __future__ import annotations

import time
import uuid

import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from knowledge.retrieval._asked import Asked
from knowledge.retrieval._cache import cache, tally
from knowledge.retrieval._scope import Reader
from knowledge.retrieval._search import passages_search, search
from project.accounts.models import User
from project.http.errors import ApiError

log = structlog.get_logger(__name__)

BUDGET = 5.0  # seconds a space
LOOKED_AT = 200  # searches, of all spaces


def searches_changed(space_id: uuid.UUID) -> None:
    """Tell all processes that answers of a space are not asked for any more."""
    cache.announce([str(space_id)])


def searches_warm(space_id: uuid.UUID) -> int:
    """Answer the searches that look in a space and are asked most; return how many.

    Each is asked for the user who asked it last, with the rights of this moment: what is kept of it
    is what that user would get now. Bounded in number and time.
    """
    began, done = time.monotonic(), 0
    for asked in tally.most_asked(LOOKED_AT):
        if done >= settings.ACERVO_SEARCH_WARM or time.monotonic() - began > BUDGET:
            break
        reader = _reader(asked) if space_id in asked.spaces else None
        if reader is None:
            continue
        try:
            with tally.silent():
                _ask(asked, reader)
        except ApiError as error:
            log.info("search_not_warmed", reason=error.code)
            continue
        done += 1
    return done


def _ask(asked: Asked, reader: Reader) -> None:
    if asked.kind == "passages":
        passages_search(asked.request, user=reader)
    else:
        search(asked.request, user=reader)


def _reader(asked: Asked) -> Reader | None:
    if asked.user_id is None:
        return AnonymousUser()
    return User.objects.filter(pk=asked.user_id, is_active=True).first()
