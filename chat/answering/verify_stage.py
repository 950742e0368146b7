"""The last stage of an answer: what its sentences stand on, in a bounded time.

The rules are always asked; what the embedding model, and where it is wanted the language model,
would add is left out when they take too long, or when many answers end at once. A verdict never
holds an answer back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from chat import metrics
from chat.answering.checking import checked, compared, verification_of
from chat.answering.composing import Composer
from chat.answering.grounding import question_language
from chat.answering.judging import judged_by_model
from chat.choices import TurnRoute
from chat.types import Passage, TurnRequest
from knowledge.languages import detect_language
from project.aio import in_thread
from project.inference.types import UsageContext

SECONDS = 2.0
MODEL_SECONDS = 6.0
AT_ONCE = 2
"""Answers of a process whose meaning is compared: more would take the processor from searches."""
_comparing = asyncio.Semaphore(AT_ONCE)


async def verification(
    request: TurnRequest, composer: Composer, sent: Sequence[Passage], route: str
) -> dict[str, Any]:
    """Return what the sentences of a finished answer stand on, as its turn keeps it.

    `late` says that there was no time for all that was to be asked.
    """
    text, cited = composer.text, composer.cited_passages
    language = detect_language(text, default=question_language(request))
    late = False
    found = await in_thread(checked, text, cited, language, sent=sent)
    if _comparing.locked():
        late = any(each.is_in_doubt for each in found)
    else:
        try:
            async with _comparing, asyncio.timeout(SECONDS):
                found = await in_thread(compared, found, language)
        except TimeoutError:
            late = True
    if settings.ACERVO_VERIFY_BY_MODEL and route == TurnRoute.AI:
        usage = UsageContext(
            "verify", request.user.pk, request.space_id, request.turn_id, request.trace_id
        )
        try:
            async with asyncio.timeout(MODEL_SECONDS):
                found = await judged_by_model(found, cited, usage)
        except TimeoutError:
            late = True
    result = verification_of(found)
    if result["share"] is not None:
        metrics.supported_share.labels(route).observe(result["share"])
    if late:
        metrics.verifications_late.inc()
        result["late"] = True
    return result
