"""Answers that nobody keeps: the same pipeline as a turn's, read to its end, with no conversation.

For looking at what answers would say if a proposal were merged.
"""

import uuid
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync

from chat.answering.pipeline import answer_turn
from chat.choices import TurnRoute
from chat.experiments.planning import plan_of, with_lineup
from chat.types import (
    AnswerBlock,
    AnswerCitation,
    AnswerDelta,
    AnswerDraft,
    AnswerReset,
    TurnRequest,
)
from knowledge.models import Proposal
from project.accounts.models import User
from project.inference.routing import chat_endpoints
from project.tracing import current_trace_id


@dataclass(slots=True)
class OnceAnswer:
    """An answer as safe HTML, its citations, and how it came about."""

    draft: AnswerDraft = field(default_factory=AnswerDraft)
    blocks: dict[int, str] = field(default_factory=dict)

    @property
    def html(self) -> str:
        """The blocks in order."""
        return "\n".join(self.blocks[number] for number in sorted(self.blocks))

    @property
    def citations(self) -> list[AnswerCitation]:
        """What it cites, by number."""
        return self.draft.citations


def proposal_answer(proposal: Proposal, question: str, *, user: User, language: str) -> OnceAnswer:
    """Answer a question from the knowledge of a proposal's space as if it were merged.

    Nothing is stored but the usage of models. Call it outside a transaction: other threads read.
    """
    tier, plan = plan_of(user.pk, proposal.space_id)
    endpoints = chat_endpoints(tier, first=plan.endpoint_id)
    turn_id = uuid.uuid4()
    request = TurnRequest(
        turn_id=turn_id,
        user=user,
        space_id=proposal.space_id,
        session=str(turn_id),
        question=question,
        history=(),
        tier=tier,
        route=TurnRoute.AI if endpoints else TurnRoute.EXTRACTIVE,
        model=endpoints[0].model_name if endpoints else "",
        language=language,
        trace_id=current_trace_id(),
        proposal_id=proposal.pk,
        plan=with_lineup(plan, endpoints, tier),
    )
    return async_to_sync(_read)(request)


async def _read(request: TurnRequest) -> OnceAnswer:
    answer = OnceAnswer()
    async for event in answer_turn(request, answer.draft):
        if isinstance(event, AnswerDelta):
            answer.draft.text += event.text
        elif isinstance(event, AnswerBlock):
            answer.blocks[event.block] = event.html
        elif isinstance(event, AnswerCitation):
            answer.draft.citations.append(event)
        elif isinstance(event, AnswerReset):
            answer.draft.text = ""
            answer.draft.citations.clear()
            answer.blocks.clear()
    return answer
