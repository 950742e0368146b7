"""The tables of chat."""

from chat.models.answers import CachedAnswer, CachedSource
from chat.models.attachments import Attachment, AttachmentPassage
from chat.models.confidence import ConfidenceThreshold
from chat.models.conversations import Citation, Conversation, Feedback, Message, Turn
from chat.models.experiments import (
    AnswerSetup,
    ArmTurn,
    Experiment,
    ExperimentArm,
    PromptVersion,
)
from chat.models.gaps import GapQuestion, KnowledgeGap
from chat.models.guarding import SpaceWord
from chat.models.handoffs import Handoff
from chat.models.history import ColdConversation, ConversationChange
from chat.models.shares import Share
from chat.models.summaries import ConversationSummary

__all__ = [
    "AnswerSetup",
    "ArmTurn",
    "Attachment",
    "AttachmentPassage",
    "CachedAnswer",
    "CachedSource",
    "Citation",
    "ColdConversation",
    "ConfidenceThreshold",
    "Conversation",
    "ConversationChange",
    "ConversationSummary",
    "Experiment",
    "ExperimentArm",
    "Feedback",
    "GapQuestion",
    "Handoff",
    "KnowledgeGap",
    "Message",
    "PromptVersion",
    "Share",
    "SpaceWord",
    "Turn",
]
