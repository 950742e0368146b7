"""Reads of chat: a conversation is its owner's alone."""

import uuid
from collections.abc import Iterable
from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from knowledge.models import Node, Space
from project.accounts.models import User

Reader = User | AnonymousUser
HISTORY_LIMIT = 60

# Written out: composed from Exists and OuterRef it takes longer to put together than to run.
CLAIMABLE = """
    (chat_turn.status = 'queued' AND chat_turn.message_class <> '' AND NOT EXISTS (
        SELECT FROM chat_turn AS sibling
        WHERE sibling.conversation_id = chat_turn.conversation_id
          AND (sibling.status = 'running'
               OR (sibling.status = 'queued'
                   AND (sibling.created_at, sibling.id) < (chat_turn.created_at, chat_turn.id)))))
    OR (chat_turn.status = 'running' AND chat_turn.lease_until < statement_timestamp())
"""


def remember_related(row: models.Model, **related: list[Any]) -> None:
    """Note what hangs on a row that was just written, as if it had been prefetched."""
    row.__dict__["_prefetched_objects_cache"] = related


def branch_to(last: uuid.UUID | None, messages: Iterable[Any]) -> list[Any]:
    """Return those of some messages that lead to the one with this id, it included, oldest first.

    As far as they go: each has a `pk` and a `parent_id`.
    """
    known = {each.pk: each for each in messages}
    branch = []
    message = known.get(last)
    while message is not None:
        branch.append(message)
        message = known.get(message.parent_id)
    return branch[::-1]


class ConversationQuerySet(models.QuerySet):
    """Chainable reads of conversations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the conversations of `user`; a guest's, while their space is open to guests."""
        if isinstance(user, User) and user.is_guest:
            if user.pk is None or not user.is_active:
                return self.none()
            return self.filter(user=user, space__in=Space.objects.visible_to(user))
        return self.filter(user=user) if user.is_authenticated and user.is_active else self.none()


class ConversationScopedQuerySet(models.QuerySet):
    """Reads of rows that hang on a conversation."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the rows of the conversations of `user`; a guest's as those are."""
        if isinstance(user, User) and user.is_guest:
            if user.pk is None or not user.is_active:
                return self.none()
            spaces = Space.objects.visible_to(user)
            return self.filter(conversation__user=user, conversation__space__in=spaces)
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(conversation__user=user)


class MessageQuerySet(ConversationScopedQuerySet):
    """Chainable reads of messages."""

    def with_turns(self) -> Self:
        """Fetch along what a message is shown with."""
        return self.select_related("answered_by").prefetch_related(
            "answered_by__citations", "turns"
        )

    def branch_before(self, message: Any) -> list[Any]:
        """Return the messages that lead to `message`, oldest first, as far as the newest 60 go."""
        rows = self.filter(conversation_id=message.conversation_id).order_by("-created_at")
        newest: list[Any] = list(rows[:HISTORY_LIMIT])
        return branch_to(message.parent_id, newest)


class TurnQuerySet(ConversationScopedQuerySet):
    """Chainable reads of turns."""

    def with_answers(self) -> Self:
        """Fetch along what a turn is shown with."""
        return self.select_related("answer").prefetch_related("citations")

    def claimable(self) -> Self:
        """Keep the turns that an agent may take: the first queued of a conversation in which no
        other runs, once it is dispatched, and those whose agent let its lease run out.
        """
        return self.filter(RawSQL(CLAIMABLE, [], output_field=models.BooleanField()))  # noqa: S611 - constant


class KnowledgeGapQuerySet(models.QuerySet):
    """Chainable reads of knowledge gaps."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the gaps that `user` may close: of a space that they edit.

        Of a question that named no space, those who edit one of the spaces that were searched.
        """
        editable = Space.objects.editable_by(user)
        ids = list(editable.values_list("pk", flat=True))
        return self.filter(models.Q(space__in=editable) | models.Q(space=None, spaces__overlap=ids))


class ShareQuerySet(models.QuerySet):
    """Chainable reads of shared conversations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep those for somebody signed in who may read the space that they are shared with."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        readable = Space.objects.visible_to(user)
        rows = self.filter(space__in=readable, conversation__user__is_active=True)
        return rows.select_related("conversation__user", "space")


class CachedAnswerQuerySet(models.QuerySet):
    """Chainable reads of cached answers."""

    def holding_for(self, user: Reader) -> Self:
        """Keep those that have time left, and whose every source stands as it was.

        And may be found by `user`: an answer ends with the transaction that changes what it was
        made from, or who may read it, without a word from anybody.
        """
        standing = Node.objects.searchable_by(user).filter(
            pk=models.OuterRef("node_id"), version=models.OuterRef("version")
        )
        sources: Any = self.model._meta.get_field("sources").related_model
        fallen = sources.objects.filter(~models.Exists(standing), answer=models.OuterRef("pk"))
        return self.filter(~models.Exists(fallen), expires_at__gt=Now())
