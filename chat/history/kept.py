"""What was read of a conversation, kept while nothing of it changes.

The key has the conversation's revision, which grows in the transaction of every change, so that
nothing old is ever given: entries are only not asked for any more. Who may read is asked anew
each time, with the conversation itself. What depends on other things than the conversation (who
may open a cited text, what may be asked next) is not kept.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils.translation import get_language

from chat.history.revisions import revision_of
from chat.models import Conversation
from project.aio import release_connections
from project.cache import Computed, LayeredCache

SECONDS = 600.0
"""How long a page is kept: also how long an erased text may lie in Redis, where nobody finds it."""
FORM = 1
"""To be raised when what is kept changes its form, or texts are rendered in another way."""

cache = LayeredCache("history", most_entries=500, most_bytes=16 * 2**20)


def kept(conversation: Conversation, what: list[Any], read: Callable[[], Any]) -> Any:
    """Return what `read` returns, or returned since the conversation has changed last.

    It has to be plain JSON, and depend on the conversation, `what` and the language alone.
    """
    if connection.in_atomic_block:  # which may see what others never will
        cache.bypassed()
        return read()
    found: list[Any] = []
    asked = [FORM, str(conversation.pk), revision_of(conversation), get_language(), what]

    def compute() -> Computed:
        found.append(read())
        return Computed(zlib.compress(json.dumps(found[0]).encode(), 1), SECONDS)

    key = hashlib.sha256(json.dumps(asked, default=str).encode()).digest()
    value, _level = cache.answer(key, compute, before_waiting=release_connections)
    return found[0] if value is None else json.loads(zlib.decompress(value))
