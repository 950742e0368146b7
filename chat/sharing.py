"""What others see of a conversation that was shared with a space.

A link lives as long as both may read the space: whoever shared it, and whoever opens it. An answer
may have been made from spaces that its reader may not open, so that each is shown only to those
who may open every text that it was made from; later answers had it before them, and go with it.
"""

import uuid
from dataclasses import dataclass, field

from django.utils.safestring import SafeString, mark_safe

from chat.choices import MessageRole
from chat.cold import warmed
from chat.models import Citation, Conversation, Message, Share, Turn
from chat.rendering import citation_urls, render_answer, verdicts_of
from chat.threads import path_of, turns_with_answers
from knowledge.models import Node, Space
from project.accounts.models import User


@dataclass(frozen=True, slots=True)
class SharedItem:
    """A question, or an answer; `is_withheld` when this reader may not see it."""

    message: Message
    is_answer: bool
    html: SafeString = field(default=mark_safe(""))
    citations: list[Citation] = field(default_factory=list)
    is_withheld: bool = False


def share_opened(user: User, pk: uuid.UUID) -> Share | None:
    """Return a share that `user` may open now; None for any other."""
    share = Share.objects.visible_to(user).filter(pk=pk).first()
    if share is None:
        return None
    sharer = share.conversation.user
    is_readable = Space.objects.visible_to(sharer).filter(pk=share.space_id).exists()
    return share if is_readable else None


def shared_path(conversation: Conversation, leaf: uuid.UUID) -> list[uuid.UUID]:
    """Return the messages from the first to `leaf`."""
    path = path_of(conversation, leaf=leaf)
    return path[: path.index(leaf) + 1] if leaf in path else []


def shared_items(share: Share, user: User) -> list[SharedItem]:
    """Return what `user` sees of a share, oldest first."""
    conversation = share.conversation
    warmed(conversation)
    path = shared_path(conversation, share.leaf_id)
    messages = conversation.messages.in_bulk(path)
    turns = {
        turn.answer_id: turn for turn in turns_with_answers(conversation).filter(answer__in=path)
    }
    made_from = {pk: _nodes_of(turn) for pk, turn in turns.items()}
    wanted = set().union(*made_from.values()) if made_from else set()
    rows = Node.objects.visible_to(user).filter(pk__in=wanted)
    readable = {str(pk) for pk in rows.values_list("pk", flat=True)}
    items, is_withheld = [], False
    for message in (messages[pk] for pk in path):
        if message.role == MessageRole.USER:
            items.append(SharedItem(message, is_answer=False))
            continue
        sources = made_from.get(message.pk)
        is_withheld = is_withheld or sources is None or not sources <= readable
        if is_withheld:
            items.append(SharedItem(message, is_answer=True, is_withheld=True))
        else:
            items.append(_answer(message, turns.get(message.pk)))
    return items


def _nodes_of(turn: Turn) -> set[str]:
    """Return the ids of all nodes that an answer was made from, cited or not."""
    passages = turn.trace.get("passages", []) if isinstance(turn.trace, dict) else []
    sent = {str(each.get("node")) for each in passages if isinstance(each, dict)}
    return sent | {str(each.cited_id) for each in turn.citations.all()}


def _answer(message: Message, turn: Turn | None) -> SharedItem:
    urls = citation_urls(turn) if turn is not None else []
    return SharedItem(
        message,
        is_answer=True,
        html=mark_safe(  # noqa: S308 - it sanitises
            render_answer(message.content, urls, verdicts_of(turn))
        ),
        citations=list(turn.citations.all()) if turn is not None else [],
    )
