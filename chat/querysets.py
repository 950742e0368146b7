"""Reads of chat: a conversation is its owner's alone."""

from typing import Any, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from chat.choices import TurnStatus
from project.accounts.models import User

Reader = User | AnonymousUser
HISTORY_LIMIT = 60


def remember_related(row: models.Model, **related: list[Any]) -> None:
    """Note what hangs on a row that was just written, as if it had been prefetched."""
    row.__dict__["_prefetched_objects_cache"] = related


class ConversationQuerySet(models.QuerySet):
    """Chainable reads of conversations."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the conversations of `user`."""
        return self.filter(user=user) if user.is_authenticated and user.is_active else self.none()


class ConversationScopedQuerySet(models.QuerySet):
    """Reads of rows that hang on a conversation."""

    def visible_to(self, user: Reader) -> Self:
        """Keep the rows of the conversations of `user`."""
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
        known = {each.pk: each for each in newest}
        branch: list[Any] = []
        parent = known.get(message.parent_id)
        while parent is not None:
            branch.append(parent)
            parent = known.get(parent.parent_id)
        return branch[::-1]


class TurnQuerySet(ConversationScopedQuerySet):
    """Chainable reads of turns."""

    def with_answers(self) -> Self:
        """Fetch along what a turn is shown with."""
        return self.select_related("answer").prefetch_related("citations")

    def claimable(self) -> Self:
        """Keep the turns that an agent may take: the first queued of a conversation in which no
        other runs, and those whose agent let its lease run out.
        """
        siblings = self.model._default_manager.filter(
            conversation=OuterRef("conversation")
        ).exclude(pk=OuterRef("pk"))
        running = siblings.filter(status=TurnStatus.RUNNING)
        earlier = siblings.filter(status=TurnStatus.QUEUED).filter(
            Q(created_at__lt=OuterRef("created_at"))
            | Q(created_at=OuterRef("created_at"), pk__lt=OuterRef("pk"))
        )
        return self.filter(
            Q(Q(status=TurnStatus.QUEUED), ~Exists(running), ~Exists(earlier))
            | Q(status=TurnStatus.RUNNING, lease_until__lt=Now())
        )
