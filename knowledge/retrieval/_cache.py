"""Searches that were answered before, for whoever may read the same spaces now.

The key of an answer holds all that it depends on: the kind and every field of the request, the
spaces that the user may read at this moment (asked of the database each time), the revision of each
of them (`knowledge.revisions`), and the program that answers. So a right that was given or taken, a
publish, an erase, another profile or generation need nobody to be told: another key is asked for.

An answer is kept only if spaces and revisions were the same after it was found as before, if all
legs took part in it, and no longer than until a node begins or ceases to be valid. Searches of
another state, with `explain`, or inside a transaction are never kept.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection
from django.utils import timezone

from knowledge.retrieval._asked import Asked, Tally
from knowledge.retrieval._gate import spaces_gate
from knowledge.retrieval._scope import Reader
from knowledge.types import SearchRequest
from project.aio import release_connections
from project.cache import Computed, LayeredCache
from project.database.prepared import prepared_rows

T = TypeVar("T")

NOT_KEPT = ("as_of", "release", "proposal", "generation", "profile", "explain", "conditions")
"""Fields of requests whose answers are not kept."""

_REQUEST_FIELDS = tuple(each.name for each in fields(SearchRequest) if each.name != "spaces")
"""What is asked; of the spaces, the permitted ones count."""

cache = LayeredCache("search", most_entries=2000, most_bytes=32 * 2**20)
tally = Tally(cache)
cache.riders.append(tally)

_STATE = """
SELECT id, index_revision + (
    SELECT count(*) FROM knowledge_spacechange AS change WHERE change.space_id = space.id
), {boundary} FROM knowledge_space AS space WHERE id IN ({gate}){among} ORDER BY id
"""
_BOUNDARY = """least(
    (SELECT min(valid_from) FROM knowledge_node AS node
     WHERE node.space_id = space.id AND node.valid_from > %s),
    (SELECT min(valid_until) FROM knowledge_node AS node
     WHERE node.space_id = space.id AND node.valid_until > %s))"""


@dataclass(frozen=True, slots=True)
class SearchState:
    """The spaces that a request may look in, with their revisions; when time changes them next."""

    spaces: tuple[tuple[uuid.UUID, int], ...]
    boundary: datetime.datetime | None = None

    @property
    def ids(self) -> tuple[uuid.UUID, ...]:
        return tuple(pk for pk, _revision in self.spaces)


def answered(
    kind: str,
    request: SearchRequest,
    user: Reader,
    *,
    find: Callable[[SearchRequest], T],
    is_whole: Callable[[T], bool],
    dump: Callable[[T], bytes],
    load: Callable[[bytes], T],
) -> T:
    """Return the answer to a request, found by `find` if it is not kept.

    `is_whole` says whether an answer may be given again; `dump` and `load` write and read it.
    """
    if not applies(request):
        cache.bypassed()
        return find(request)
    at = timezone.now()
    before = _state(request, user)
    if not before.spaces:
        return find(request)
    found: list[T] = []

    def compute() -> Computed:
        answer = find(replace(request, spaces=before.ids))
        found.append(answer)
        if not is_whole(answer):
            return Computed(None, 0)
        after = _state(request, user, since=at)
        if after.spaces != before.spaces:
            return Computed(None, 0)  # something changed meanwhile: which of both it is, is unknown
        seconds = float(settings.ACERVO_SEARCH_CACHE_SECONDS)
        if after.boundary is not None:
            seconds = min(seconds, (after.boundary - timezone.now()).total_seconds())
        return Computed(dump(answer) if seconds > 0 else None, seconds)

    asked = [kind, _request_key(request), [str(pk) for pk in before.ids]]
    state = [_program(), *asked, [revision for _pk, revision in before.spaces]]
    tally.note(_digest(asked).hex(), Asked(kind, request, user.pk, before.ids))
    tags = [str(pk) for pk in before.ids]
    value, _level = cache.answer(
        _digest(state), compute, tags=tags, before_waiting=release_connections
    )
    tally.flush_if_due()
    return found[0] if value is None else load(value)


def search_state(user: Reader, spaces: Sequence[uuid.UUID] | None) -> SearchState:
    """Return what the answers to a user's searches of some spaces, or of all, depend on now."""
    wanted = None if spaces is None else tuple(spaces)
    return _state(SearchRequest("", spaces=wanted), user, since=timezone.now())


def applies(request: SearchRequest) -> bool:
    """Return whether the answer to a request may be kept at all."""
    return (
        settings.ACERVO_SEARCH_CACHE_SECONDS > 0
        and not connection.in_atomic_block  # which may see what others never will
        and not any(getattr(request, name) for name in NOT_KEPT)
    )


def _state(
    request: SearchRequest, user: Reader, *, since: datetime.datetime | None = None
) -> SearchState:
    """Return what the answer to a request depends on; with `since`, until when it does."""
    gate, permitting = spaces_gate(user)
    statement = _STATE.format(
        boundary="NULL" if since is None else _BOUNDARY,
        gate=gate,
        among="" if request.spaces is None else " AND id = ANY(%s)",
    )
    parameters: list[Any] = [] if since is None else [since, since]
    parameters += permitting
    if request.spaces is not None:
        parameters.append(list(request.spaces))
    rows = prepared_rows(statement, parameters)
    ends = [end for _pk, _revision, end in rows if end is not None]
    return SearchState(
        tuple((pk, revision) for pk, revision, _end in rows), min(ends, default=None)
    )


def _request_key(request: SearchRequest) -> dict[str, object]:
    values = ((name, getattr(request, name)) for name in _REQUEST_FIELDS)
    return {name: value for name, value in values if value is not None}


def _digest(parts: object) -> bytes:
    written = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).digest()


@functools.cache
def _program() -> str:
    """Return a digest of the code of knowledge: another release may answer differently."""
    digest = hashlib.sha256()
    folder = Path(__file__).resolve().parent.parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
