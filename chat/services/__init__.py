"""The writes of chat. Each checks, changes and announces in one transaction."""

from chat.services._common import Absent
from chat.services.attachments import attachment_add, attachment_remove
from chat.services.conversations import (
    conversation_create,
    conversation_delete,
    conversation_update,
    feedback_give,
)
from chat.services.gaps import gap_decide, gap_draft
from chat.services.golden import golden_make
from chat.services.handoff_answers import answer_golden, answer_propose, handoff_answer
from chat.services.handoffs import (
    Requested,
    handoff_assign,
    handoff_close,
    handoff_release,
    handoff_request,
    handoff_requeue,
)
from chat.services.messages import message_regenerate, turn_stop
from chat.services.sending import NEWEST, Newest, Sent, message_send
from chat.services.shares import share_delete, share_put

__all__ = [
    "NEWEST",
    "Absent",
    "Newest",
    "Requested",
    "Sent",
    "answer_golden",
    "answer_propose",
    "attachment_add",
    "attachment_remove",
    "conversation_create",
    "conversation_delete",
    "conversation_update",
    "feedback_give",
    "gap_decide",
    "gap_draft",
    "golden_make",
    "handoff_answer",
    "handoff_assign",
    "handoff_close",
    "handoff_release",
    "handoff_request",
    "handoff_requeue",
    "message_regenerate",
    "message_send",
    "share_delete",
    "share_put",
    "turn_stop",
]
