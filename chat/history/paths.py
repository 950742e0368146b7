"""A page of one path through the tree of messages, read in one statement."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import connection

from chat.history.rows import TURN_JSON
from chat.models import Conversation

_PAGE = f"""
WITH RECURSIVE
down AS (  -- from the message asked for to the newest below it
    SELECT CASE WHEN %(before)s::uuid IS NOT NULL THEN (
        SELECT parent_id FROM chat_message
        WHERE conversation_id = %(conversation)s AND id = %(before)s
    ) ELSE coalesce((
        SELECT id FROM chat_message WHERE conversation_id = %(conversation)s AND id = %(leaf)s
    ), (
        SELECT id FROM chat_message WHERE conversation_id = %(conversation)s
        ORDER BY created_at DESC, id DESC LIMIT 1
    )) END AS id, 0 AS depth
  UNION ALL
    SELECT child.id, down.depth + 1 FROM down JOIN LATERAL (
        SELECT id FROM chat_message WHERE parent_id = down.id
        ORDER BY created_at DESC, id DESC LIMIT 1
    ) AS child ON %(before)s::uuid IS NULL
),
path AS (  -- and from there upwards, one more than a page
    SELECT message.id, message.parent_id, message.role, 1 AS place FROM chat_message AS message
    WHERE id = (SELECT id FROM down ORDER BY depth DESC LIMIT 1)
  UNION ALL
    SELECT message.id, message.parent_id, message.role, path.place + 1
    FROM path JOIN chat_message AS message ON message.id = path.parent_id
    WHERE path.place <= %(page)s
),
shown AS MATERIALIZED (SELECT * FROM path WHERE place <= %(page)s),
top AS (SELECT * FROM shown ORDER BY place DESC LIMIT 1),
tree AS (  -- what stands beside the messages of the page, and below the last one
    SELECT message.id, message.parent_id, message.role, message.created_at
    FROM chat_message AS message JOIN shown ON message.parent_id = shown.id
  UNION ALL
    SELECT message.id, message.parent_id, message.role, message.created_at
    FROM chat_message AS message JOIN top ON message.parent_id = top.parent_id
  UNION ALL
    SELECT message.id, message.parent_id, message.role, message.created_at
    FROM chat_message AS message
    WHERE message.conversation_id = %(conversation)s AND message.parent_id IS NULL
      AND (SELECT parent_id IS NULL FROM top)
),
following AS (SELECT role FROM chat_message WHERE id = %(before)s),
asked AS (  -- questions that no answer follows, and the last one
    SELECT id FROM (
        SELECT id, role, place, coalesce(
            lag(role) OVER (ORDER BY place), (SELECT role FROM following), 'user'
        ) AS follower FROM shown
    ) AS placed WHERE role = 'user' AND (
        follower = 'user' OR place = (SELECT min(place) FROM shown WHERE role = 'user')
    )
),
turns AS MATERIALIZED (
    SELECT turn.* FROM chat_turn AS turn WHERE id IN (
        SELECT id FROM chat_turn WHERE answer_id IN (SELECT id FROM shown)
      UNION
        SELECT id FROM chat_turn WHERE question_id IN (SELECT id FROM asked)
    )
),
needed AS (
    SELECT id FROM shown UNION SELECT question_id FROM turns
    UNION SELECT answer_id FROM turns WHERE answer_id IS NOT NULL
)
SELECT json_build_object(
    'is_cold', (SELECT cold_since IS NOT NULL FROM chat_conversation
                WHERE id = %(conversation)s),
    'path', (SELECT json_agg(id ORDER BY place DESC) FROM shown),
    'follower', (SELECT role FROM following),
    'has_more', EXISTS (SELECT FROM path WHERE place > %(page)s),
    'tree', (SELECT json_agg(json_build_array(id, parent_id, role) ORDER BY created_at, id)
             FROM tree),
    'messages', (SELECT json_agg(message) FROM chat_message AS message
                 WHERE id IN (SELECT id FROM needed)),
    'turns', (SELECT json_agg({TURN_JSON} ORDER BY turn.created_at, turn.id) FROM turns AS turn),
    'citations', (SELECT json_agg(citation ORDER BY citation.index) FROM chat_citation AS citation
                  WHERE turn_id IN (SELECT id FROM turns)),
    'opinions', (SELECT json_object_agg(message_id, value) FROM chat_feedback
                 WHERE user_id = %(user)s AND message_id IN (SELECT id FROM needed))
)::text
"""  # noqa: S608 - of constants


def page_read(
    conversation: Conversation,
    *,
    user_id: int | uuid.UUID,
    leaf: uuid.UUID | None,
    before: uuid.UUID | None,
    page: int,
) -> dict[str, Any]:
    """Return what the newest `page` messages of a path are shown with, as JSON.

    The path is the newest one, or the newest through `leaf`, or what leads to `before`.
    `path`: ids, oldest first; `follower`: the role of `before`; `tree`: `[id, parent, role]` of
    these and of what stands beside them, oldest first; `messages`, `turns` and `citations`: rows;
    `opinions`: 1 or -1 by message.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PAGE,
            {
                "conversation": conversation.pk,
                "user": user_id,
                "leaf": leaf,
                "before": before,
                "page": page,
            },
        )
        (text,) = cursor.fetchone()
    found: dict[str, Any] = json.loads(text)
    for name in ("path", "tree", "messages", "turns", "citations"):
        found[name] = found[name] or []
    found["opinions"] = found["opinions"] or {}
    return found
