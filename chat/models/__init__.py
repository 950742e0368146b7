"""The tables of chat."""

from chat.models.answers import CachedAnswer, CachedSource
from chat.models.conversations import Citation, Conversation, Feedback, Message, Turn

__all__ = [
    "CachedAnswer",
    "CachedSource",
    "Citation",
    "Conversation",
    "Feedback",
    "Message",
    "Turn",
]
