"""Reads of handoffs: open to the editors of the space in whose queue they stand."""

from typing import Any, Self

from django.db import models
from django.db.models import Case, IntegerField, OuterRef, Subquery, Value, When

from chat.choices import OPEN_HANDOFFS, HandoffStatus, MessageRole
from chat.querysets import Reader
from knowledge.querysets import rows_behind
from project.accounts.choices import Role


class HandoffQuerySet(models.QuerySet):
    """Chainable reads of handoffs."""

    def visible_to(self, user: Reader) -> Self:
        """Keep those that `user` may answer: of spaces where they are editor or more."""
        spaces = rows_behind(self.model, "space").with_role(user, Role.EDITOR)
        return self.filter(space__in=spaces)

    def asked_by(self, user: Reader) -> Self:
        """Keep those of the conversations of `user`."""
        if not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(conversation__user=user)

    def open(self) -> Self:
        """Keep those that are not over."""
        return self.filter(status__in=OPEN_HANDOFFS)

    def waiting(self) -> Self:
        """Keep those that nobody has taken."""
        return self.filter(status=HandoffStatus.WAITING)

    def queued(self) -> Self:
        """Put those who wait first, the longest first; then the others by their beginning."""
        place = Case(
            When(status=HandoffStatus.WAITING, then=Value(0)),
            When(status=HandoffStatus.ACTIVE, then=Value(1)),
            default=Value(2),
            output_field=IntegerField(),
        )
        return self.order_by(place, "requested_at", "id")

    def with_newest(self) -> Self:
        """Annotate `newest_role`, `newest_text` and `newest_at` of the conversation."""
        conversation: Any = self.model._meta.get_field("conversation").related_model
        messages = rows_behind(conversation, "messages")
        rows = messages.filter(conversation=OuterRef("conversation")).order_by("-created_at", "id")
        return self.annotate(
            newest_role=Subquery(rows.values("role")[:1]),
            newest_text=Subquery(rows.values("content")[:1]),
            newest_at=Subquery(rows.values("created_at")[:1]),
        )

    def unanswered(self) -> Self:
        """Keep those whose newest message is the person's; after `with_newest`."""
        return self.filter(newest_role=MessageRole.USER)
