"""Relations that nobody made yet: what speaks for them, and what people said of it."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Greatest, Least
from django.utils.translation import gettext_lazy as _

from knowledge.choices import SuggestionStatus
from knowledge.models.nodes import Node, Relation, kind_validator
from knowledge.models.spaces import Space
from knowledge.querysets import Reader, SpaceScopedQuerySet


class RelationSuggestionQuerySet(SpaceScopedQuerySet):
    """Chainable reads of suggested relations."""

    def visible_to(self, user: Reader) -> "RelationSuggestionQuerySet":
        """Keep those of spaces that `user` edits, both of whose nodes `user` may open."""
        nodes = Node.objects.visible_to(user)
        return self.filter(
            space__in=Space.objects.editable_by(user), source__in=nodes, target__in=nodes
        )

    def undecided(self) -> "RelationSuggestionQuerySet":
        """Keep those that nobody confirmed or refused, and that nobody related meanwhile."""
        same = Q(source=OuterRef("source"), target=OuterRef("target"))
        turned = Q(source=OuterRef("target"), target=OuterRef("source"))
        related = Relation.objects.filter(same | turned)
        return self.filter(~Exists(related), status=SuggestionStatus.OPEN)


class RelationSuggestion(models.Model):
    """That two nodes may be related: one row a pair, whichever way round.

    Undecided rows follow the evidence and go with it. Decided ones stay, so that what was refused
    is not suggested again. They quote no text: passages are named by their places.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space,
        models.CASCADE,
        related_name="+",
        db_index=False,
        verbose_name=_("space"),
        help_text=_("That of the source, whose editors decide."),
    )
    source = models.ForeignKey(
        Node, models.CASCADE, related_name="suggestions_out", verbose_name=_("source node")
    )
    target = models.ForeignKey(
        Node, models.CASCADE, related_name="suggestions_in", verbose_name=_("target node")
    )
    kind = models.CharField(
        _("kind"), max_length=40, default="related_to", validators=[kind_validator]
    )
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=SuggestionStatus.choices,
        default=SuggestionStatus.OPEN,
    )
    score = models.FloatField(_("score"), help_text=_("From 0 to 1."))
    ways = ArrayField(
        models.CharField(max_length=10), default=list, help_text=_("The kinds of its evidence.")
    )
    evidence = models.JSONField(
        _("evidence"), default=list, help_text=_("A list of way, strength and details.")
    )
    relation = models.ForeignKey(
        Relation,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("relation"),
        help_text=_("What confirming it made."),
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = RelationSuggestionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suggested relation")
        verbose_name_plural = _("suggested relations")
        ordering = ["-score", "id"]
        constraints = [
            models.UniqueConstraint(
                Least("source", "target"),
                Greatest("source", "target"),
                name="one_suggestion_a_pair",
            ),
            models.CheckConstraint(
                condition=~Q(source=F("target")), name="suggestion_joins_two_nodes"
            ),
            models.CheckConstraint(
                condition=Q(score__gte=0.0, score__lte=1.0), name="suggestion_score_0_to_1"
            ),
        ]
        indexes = [
            models.Index(fields=["space", "status", "-score"], name="suggestion_by_score")  # lists
        ]

    def __str__(self) -> str:
        return f"{self.source} → {self.kind} → {self.target}"


class RelatingState(models.Model):
    """When suggestions for a node were last looked for, and whether they are due again."""

    node = models.OneToOneField(Node, models.CASCADE, primary_key=True, related_name="relating")
    due_at = models.DateTimeField(null=True, help_text=_("Since when; empty while nothing is due."))
    done_at = models.DateTimeField(null=True)
    crowding = models.FloatField(
        null=True, help_text=_("The mean likeness of the nodes that are nearest to it.")
    )

    class Meta:
        verbose_name = _("search for suggestions")
        verbose_name_plural = _("searches for suggestions")
        indexes = [models.Index(fields=["due_at"], condition=~Q(due_at=None), name="relating_due")]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.due_at}"


class DistinctPair(models.Model):
    """That somebody said of two nodes that they are no duplicates of each other."""

    low = models.ForeignKey(
        Node, models.CASCADE, related_name="+", db_index=False, verbose_name=_("node")
    )
    high = models.ForeignKey(Node, models.CASCADE, related_name="+", verbose_name=_("node"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("pair that is no duplicate")
        verbose_name_plural = _("pairs that are no duplicates")
        constraints = [
            models.UniqueConstraint(fields=["low", "high"], name="one_verdict_a_pair"),
            models.CheckConstraint(condition=Q(low__lt=F("high")), name="verdict_pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.low_id} ≠ {self.high_id}"

    @classmethod
    def ends(cls, one: Any, other: Any) -> dict[str, Any]:
        """Return the fields of the pair of two node ids."""
        low, high = sorted((one, other))
        return {"low_id": low, "high_id": high}
