"""The statements of a question that is sent: the same ones all the time, so they stay prepared."""

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chat.choices import OPEN_HANDOFFS, WordAction
from chat.guarding import Word
from chat.models import Conversation, Message, Turn
from knowledge.retrieval import spaces_gate
from project.accounts.models import User
from project.database.prepared import prepared_rows
from project.database.reading import Reading
from project.database.rows import insert_into, stored

_SURROUNDINGS = """
SELECT
    (SELECT id FROM chat_message WHERE conversation_id = %s AND client_message_id = %s),
    (SELECT id FROM chat_message WHERE conversation_id = %s
        ORDER BY created_at DESC, id DESC LIMIT 1),
    EXISTS (SELECT FROM chat_message WHERE conversation_id = %s AND id = %s),
    EXISTS (SELECT FROM chat_handoff WHERE conversation_id = %s AND status = ANY(%s)),
    (SELECT max(allowance.messages_per_hour) FROM accounts_groupallowance AS allowance
        JOIN accounts_user_groups AS held ON held.group_id = allowance.group_id
        WHERE held.user_id = %s),
    (SELECT json_agg(json_build_array(phrase, folded, action, space.name)
            ORDER BY space.name, folded)
        FROM chat_spaceword AS word JOIN knowledge_space AS space ON space.id = word.space_id
        WHERE {watching})
"""
_STORE = """
WITH message AS ({message}), turn AS ({turn})
UPDATE chat_conversation SET updated_at = statement_timestamp(), archived_at = NULL,
    title = CASE WHEN title = '' THEN %s ELSE title END
WHERE id = %s RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What decides about a question of a locked conversation.

    `known` is the message that came with its client id before, `newest` the newest one;
    `has_parent` says whether the one that it names as its parent is there, `has_people` that people
    answer. `group_limit` is the most messages an hour that a group of the person allows, `words`
    what the message is held against.
    """

    known: uuid.UUID | None
    newest: uuid.UUID | None
    has_parent: bool
    has_people: bool
    group_limit: int | None
    words: Sequence[Word]


@functools.cache
def _conversations() -> Reading[Conversation]:
    return Reading(Conversation, "talk")


def conversation_lock(user: User, conversation_id: uuid.UUID) -> Conversation | None:
    """Lock the conversation for this transaction if it is the user's, as `visible_to` says it."""
    if user.pk is None or not user.is_active:
        return None
    reading = _conversations()
    sql = f"SELECT {reading.columns} FROM chat_conversation AS talk WHERE id = %s AND user_id = %s"  # noqa: S608 - our own columns
    parameters: list[Any] = [conversation_id, user.pk]
    if user.is_guest:
        spaces, permitting = spaces_gate(user)
        sql += f" AND space_id IN ({spaces})"
        parameters += permitting
    rows = prepared_rows(f"{sql} FOR UPDATE OF talk", parameters, is_text=True)
    if not rows:
        return None
    conversation = reading.row(rows[0])
    conversation.user = user
    return conversation


def surroundings_of(
    conversation: Conversation, client_message_id: str, parent: uuid.UUID | None
) -> Surroundings:
    """Return what decides about a question.

    Not read along with the lock: a statement that had to wait for it would tell of the time before.
    """
    pk, user = conversation.pk, conversation.user
    watching, values = "space.id = %s", tuple[Any, ...]([conversation.space_id])
    if conversation.space_id is None:
        spaces, values = spaces_gate(user)
        watching = f"space.id IN ({spaces})"
    people = [str(each) for each in OPEN_HANDOFFS]
    asked = [pk, client_message_id, pk, pk, parent, pk, people, user.pk, *values]
    [row] = prepared_rows(_SURROUNDINGS.format(watching=watching), asked)
    known, newest, has_parent, has_people, group_limit, listed = row
    words = [
        Word(phrase, folded, action == WordAction.REFUSE, name)
        for phrase, folded, action, name in listed or ()
    ]
    return Surroundings(known, newest, has_parent, has_people, group_limit, words)


@functools.cache
def _storing() -> str:
    message, turn = (insert_into(model).statement() for model in (Message, Turn))
    return _STORE.format(message=message, turn=turn)


def question_store(message: Message, turn: Turn, *, title: str) -> None:
    """Store a question with its turn, and bring its conversation to the front.

    `title` is that of a conversation that has none.
    """
    values = insert_into(Message).values(message) + insert_into(Turn).values(turn)
    prepared_rows(_storing(), [*values, title, message.conversation_id])
    stored(message)
    stored(turn)
