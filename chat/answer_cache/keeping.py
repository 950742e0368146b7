"""Keeping an answer, and letting it go."""

from __future__ import annotations

import datetime
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from chat import metrics
from chat.answer_cache.keys import seconds_of
from chat.choices import CacheOutcome, TurnRoute, TurnStatus
from chat.models import CachedAnswer, CachedSource, Turn
from knowledge.models import Node
from project.accounts.models import User
from project.database.rows import rows_add
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

MOST_KEPT = 5000  # of a scope
ONLY_EXACT = {"unsupported"}
"""Flags of answers that only the very same question is given: with its marks it is as true there
as it was, while likeness of meaning would spread what nobody could find in the sources."""

_Same = tuple[str, str, str]
"""Scope, key and variant: what is asked with the same replaces what was kept."""
log = structlog.get_logger(__name__)


@transaction.atomic(savepoint=False)
def answers_keep(turns: Iterable[Turn]) -> None:
    """Keep the answers of completed turns for others, if whole, cited, and still true.

    One that was a kept answer itself notes that it was given. Asking the same again replaces what
    was kept. Expects `answer`, `question` and `conversation` with the user, and citations. With an
    embedding model that is away nothing is kept.
    """
    given: Counter[str] = Counter()
    worthy: dict[_Same, Turn] = {}
    for turn in turns:
        noted = turn.trace.get("cache") or {}
        if "entry" in noted:
            given[noted["entry"]] += 1
        if noted.get("keep") is not None and _is_whole(turn):
            worthy[_same(noted["keep"])] = turn
    if not given and not worthy:
        return
    made = {turn.pk: _sources(turn) for turn in worthy.values()}
    standing = {
        same: turn for same, turn in worthy.items() if _stand(made[turn.pk], turn.conversation.user)
    }
    vectors, key = _vectors([*standing.values()])
    replaced = _lock([*given], standing if vectors else ())
    _note_given(given)
    if vectors:
        CachedAnswer.objects.filter(pk__in=replaced).delete()
        kept = [
            _entry(turn, vector, key)
            for turn, vector in zip(standing.values(), vectors, strict=True)
        ]
        CachedAnswer.objects.bulk_create(kept)
        rows_add([row for each in kept for row in _source_rows(each, made[each.turn_id])])
        for scope in sorted({each.scope for each in kept}):
            _shed(scope)


def _same(wanted: dict[str, Any]) -> _Same:
    return wanted["scope"], wanted["key"], wanted["variant"]


def _vectors(turns: Sequence[Turn]) -> tuple[list[Any], str]:
    """Return the vectors of questions and the model's key; nothing where no model answers."""
    if not turns:
        return [], ""
    model = default_model()
    try:
        questions = [turn.question.content for turn in turns]
        return list(embed_texts(model, questions, purpose="query")), model.key
    except EmbeddingUnavailable as error:
        log.warning("answer_not_kept", reason=error.reason)
        return [], ""


def _lock(given: Collection[str], same: Collection[_Same]) -> list[uuid.UUID]:
    """Lock what was given and what is to be replaced, in one order; return the latter."""
    wanted = Q(pk__in=given)
    for scope, key, variant in same:
        wanted |= Q(scope=scope, key=key, variant=variant)
    rows = CachedAnswer.objects.filter(wanted).order_by("pk").select_for_update()
    known = rows.values_list("pk", "scope", "key", "variant")
    return [pk for pk, *triple in known if tuple(triple) in same]


def _note_given(given: Counter[str]) -> None:
    for times in sorted(set(given.values())):
        entries = [entry for entry, count in given.items() if count == times]
        rows = CachedAnswer.objects.filter(pk__in=entries)
        rows.update(hits=F("hits") + times, last_hit_at=timezone.now())


def _entry(turn: Turn, vector: Any, model_key: str) -> CachedAnswer:
    wanted = turn.trace["cache"]["keep"]
    return CachedAnswer(
        turn=turn,
        question=wanted["question"],
        scope=wanted["scope"],
        spaces=[uuid.UUID(each) for each in wanted["spaces"]],
        key=wanted["key"],
        revision=wanted["revision"],
        variant=wanted["variant"],
        model_key="" if turn.trace.get("flags") else model_key,  # none is like it then
        vector=vector,
        expires_at=_end(turn, wanted),
    )


def _source_rows(
    kept: CachedAnswer, sources: dict[tuple[uuid.UUID, int], bool]
) -> list[CachedSource]:
    return [
        CachedSource(answer=kept, node_id=node, version=version, is_cited=is_cited)
        for (node, version), is_cited in sources.items()
    ]


def answers_forget(node_id: uuid.UUID, versions: Sequence[int]) -> None:
    """Delete what was made from erased versions of a node, in the caller's transaction."""
    made = CachedSource.objects.filter(node_id=node_id, version__in=versions)
    CachedAnswer.objects.filter(pk__in=made.values("answer")).delete()


def answer_refuse(turn: Turn) -> None:
    """Delete the kept answer that a turn was given, or gave, because somebody found it bad."""
    entry = (turn.trace.get("cache") or {}).get("entry")
    gone = CachedAnswer.objects.filter(Q(turn=turn) | Q(pk=entry) if entry else Q(turn=turn))
    if gone.delete()[0] and turn.cache in {CacheOutcome.EXACT, CacheOutcome.SEMANTIC}:
        metrics.answer_cache.labels("wrong", turn.cache).inc()


def answers_ended() -> Any:
    """Return the kept answers whose time is over, or whose sources are no longer what they were."""
    standing = Node.objects.filter(pk=OuterRef("node_id"), version=OuterRef("version"))
    fallen = CachedSource.objects.filter(~Exists(standing), answer=OuterRef("pk"))
    return CachedAnswer.objects.filter(Q(expires_at__lt=timezone.now()) | Exists(fallen))


def _is_whole(turn: Turn) -> bool:
    return (
        turn.status == TurnStatus.COMPLETED
        and turn.route == TurnRoute.AI
        and turn.cache == CacheOutcome.MISS
        and turn.answer_id is not None
        and not turn.is_partial
        and set(turn.trace.get("flags") or ()) <= ONLY_EXACT
        and not turn.trace.get("degraded")
        and not turn.trace.get("notice")
    )


def _sources(turn: Turn) -> dict[tuple[uuid.UUID, int], bool]:
    """Return the versions that an answer was made from, and whether it cites them."""
    cited = {(each.cited_id, each.version) for each in turn.citations.all()}
    sent = {(uuid.UUID(each["node"]), each["version"]) for each in turn.trace["passages"]}
    return {pair: pair in cited for pair in sorted(sent | cited, key=str)}


def _stand(sources: Iterable[tuple[uuid.UUID, int]], user: User) -> bool:
    pairs = set(sources)
    rows = Node.objects.searchable_by(user).filter(pk__in=[node for node, _version in pairs])
    return bool(pairs) and pairs <= set(rows.values_list("pk", "version"))


def _end(turn: Turn, wanted: dict[str, Any]) -> datetime.datetime:
    end = timezone.now() + datetime.timedelta(seconds=seconds_of(turn.question.content))
    until = datetime.datetime.fromisoformat(wanted["until"]) if wanted["until"] else end
    return min(end, until)


def _shed(scope: str) -> None:
    """Keep no more of a scope than are compared."""
    rows = CachedAnswer.objects.filter(scope=scope).order_by("-created_at", "pk")
    if too_many := list(rows.values_list("pk", flat=True)[MOST_KEPT : MOST_KEPT + 100]):
        CachedAnswer.objects.filter(pk__in=too_many).delete()
