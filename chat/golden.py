"""Golden questions that answers could become, for those who edit what the answers cite."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from chat.models import Turn
from knowledge.models import GoldenQuestion, Node, Space
from project.accounts.models import User


@dataclass(frozen=True, slots=True)
class GoldenOffer:
    """An answer of which a golden question can be made, or `known`: the one that there is."""

    known: uuid.UUID | None = None


def golden_offers(user: User, turns: Iterable[Turn]) -> dict[uuid.UUID, GoldenOffer]:
    """Return what `user` is offered, by turn: nothing where they edit none of the cited nodes.

    The turns have their citations fetched along.
    """
    cited = {
        turn.pk: {each.node_id for each in turn.citations.all() if each.node_id}
        for turn in turns
        if turn.answer_id is not None
    }
    nodes = set().union(*cited.values()) if cited else set()
    if not nodes or not Space.objects.editable_by(user).exists():
        return {}
    mine = set(Node.objects.editable_by(user).filter(pk__in=nodes).values_list("pk", flat=True))
    asked = {turn.pk: turn.question_id for turn in turns if cited.get(turn.pk, set()) & mine}
    known = dict(
        GoldenQuestion.objects.visible_to(user)
        .filter(message_id__in=asked.values())
        .values_list("message_id", "pk")
    )
    return {turn: GoldenOffer(known.get(question)) for turn, question in asked.items()}
