"""Making golden questions of what people ask."""

from chat.models import Turn
from chat.services._common import absent
from knowledge.services import Asked, golden_from_message
from project.accounts.models import User


def golden_make(*, acting_user: User, turn: Turn) -> Asked:
    """Make a golden question of a turn's question and the nodes that its answer cites.

    The question is the one that was searched for: a follow-up with the topic that it leans on. A
    second call returns what the first made. Raises NotFound for a turn that the user may not see,
    or whose cited nodes they do not edit, and Invalid.
    """
    is_mine = turn.conversation.user_id == acting_user.pk
    if not is_mine and not acting_user.has_perm("chat.view_turn"):
        raise absent()
    cited = turn.citations.order_by("index").exclude(node=None).values_list("node_id", flat=True)
    return golden_from_message(
        acting_user=acting_user,
        message_id=turn.question_id,
        question=str(turn.trace.get("query") or turn.question.content),
        cited=list(dict.fromkeys(cited)),
    )
