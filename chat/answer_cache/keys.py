"""Which questions have an answer that anybody could be given, and what that depends on."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from chat.answer_cache.guards import normalised, sense_of
from chat.attaching.finding import has_attachments
from chat.choices import TurnRoute
from chat.prompts import PROMPT_VERSION
from chat.rewriting import leans
from chat.types import Recollection, TurnRequest
from knowledge.retrieval import search_state

MOST_CHARS = 500
FAQ_WORDS = 20
FAQ_SECONDS = 7 * 86_400
OTHER_SECONDS = 86_400
_ASKING = re.compile(
    r"\s*(?:what|which|who|whom|whose|when|where|why|how|is|are|am|was|were|do|does|did|can|could"
    r"|may|might|must|shall|should|will|would|has|have|had|tell me|show me|explain|list|o que|que"
    r"|qual|quais|quem|quando|onde|aonde|por ?que|como|quant[oa]s?|posso|pode|podemos|podem|devo"
    r"|deve|existe|existem|ha|há|tem|me diga|mostre|explique|liste)\b",
    re.IGNORECASE,
)
_ABOUT_TALKS = re.compile(
    r"\b(?:ask(?:ed|ing)?|said|sa(?:y|id)|told|tell(?:ing)? you|talk\w*|discuss\w*|mention\w*"
    r"|remember|recall|earlier|before|previous\w*|last time|already|pergunt\w*|fal(?:ei|amos|ou)"
    r"|disse|contei|convers\w*|mencion\w*|lembra\w*|antes|anterior\w*|[uú]ltima vez)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Key:
    """Digests of what an answer depends on: the spaces that were searched, the question and how it
    is answered (`exact`), the second without the question (`variant`), the state of the spaces.
    """

    scope: str
    spaces: tuple[uuid.UUID, ...]
    exact: str
    variant: str
    revision: str
    changes_at: datetime.datetime | None


def stands_alone(request: TurnRequest) -> bool:
    """Whether the answer to a question holds for everybody who may read the same, and for a while.

    Not of a question that leans on others, asks another state, or speaks of today.
    """
    return (
        request.route == TurnRoute.AI
        and settings.ACERVO_ANSWER_CACHE
        and request.state is None
        and request.proposal_id is None
        and len(request.question) <= MOST_CHARS
        and not leans(request.question)
        and not sense_of(request.question).relative
    )


def only_asks(text: str) -> bool:
    """Whether a text says nothing of its author: every sentence of it asks."""
    sentences = [each.strip() for each in _SENTENCE.split(text) if each.strip()]
    return all(each.endswith("?") or _ASKING.match(each) for each in sentences)


def telling(question: str, memories: Sequence[Recollection]) -> list[Recollection]:
    """Return the memories that an answer may need.

    What was only asked before tells nothing, unless the question is about what was said, or leans
    on it.
    """
    if leans(question) or _ABOUT_TALKS.search(question):
        return list(memories)
    return [each for each in memories if not only_asks(each.content)]


def key_of(request: TurnRequest) -> Key | None:
    """Return the key of a question at this moment; None for one that has an answer of its own."""
    if not stands_alone(request) or has_attachments(request.session):
        return None
    wanted = (request.space_id,) if request.space_id is not None else None
    state = search_state(request.user, wanted)
    if not state.spaces:
        return None
    # Guests have a scope of their own: nobody who is not known decides what members are given.
    guests = ["guests"] if request.user.is_guest else []
    scope = _digest([*guests, *(str(pk) for pk in state.ids)])
    plan = request.plan
    variant = _digest(
        [
            request.language,
            request.tier,
            plan.lineup or request.model,
            plan.prompt or PROMPT_VERSION,
            "" if plan.temperature is None else f"{plan.temperature:g}",
        ]
    )
    return Key(
        scope=scope,
        spaces=state.ids,
        exact=_digest([normalised(request.question), variant]),
        variant=variant,
        revision=_digest([str(revision) for _pk, revision in state.spaces]),
        changes_at=state.boundary,
    )


def seconds_of(question: str) -> int:
    """Return for how long an answer is kept: a week for what people ask again and again.

    That is a short question without numbers.
    """
    sense = sense_of(question)
    is_usual = not sense.digits and not sense.claim.values and len(question.split()) <= FAQ_WORDS
    return FAQ_SECONDS if is_usual else OTHER_SECONDS


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
