"""How good nodes are, and who was asked to look after them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.models.nodes import Node, kind_validator
from knowledge.models.spaces import Space
from knowledge.querysets import Reader, SpaceScopedQuerySet

MOST_DAYS = 3660


class NodeQualityQuerySet(SpaceScopedQuerySet):
    """Chainable reads of what the checks found."""

    def visible_to(self, user: Reader) -> "NodeQualityQuerySet":
        """Keep the rows of spaces that `user` may edit: findings name drafts."""
        return self.filter(space__in=Space.objects.editable_by(user))

    def stale(self) -> "NodeQualityQuerySet":
        """Keep the rows whose node, or whose surroundings, changed since it was checked."""
        return self.exclude(stale_at=None)


class NodeQuality(models.Model):
    """What the checks found of a node that is not archived, and the score that follows.

    Derived from nodes: can be deleted and made again at any time, but for who reviewed the node.
    """

    node = models.OneToOneField(
        Node,
        models.CASCADE,
        primary_key=True,
        related_name="quality",
        verbose_name=_("node"),
    )
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="+", db_index=False, verbose_name=_("space")
    )
    version = models.PositiveIntegerField(_("version"), null=True)
    score = models.PositiveSmallIntegerField(
        _("score"), null=True, help_text=_("From 0 to 100; empty before the first check.")
    )
    weight = models.FloatField(default=1.0, help_text=_("How much it counts in its space."))
    findings = models.JSONField(
        default=list, help_text=_("A list of code and details, worst first.")
    )
    codes = ArrayField(models.CharField(max_length=32), default=list)
    mentions = ArrayField(
        models.UUIDField(), default=list, help_text=_("The other nodes in the findings.")
    )
    text_hash = models.CharField(max_length=64, blank=True, help_text=_("Of the words alone."))
    bands = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text=_("MinHash signature: nodes that share a number may be near duplicates."),
    )
    checked_at = models.DateTimeField(_("checked"), null=True)
    stale_at = models.DateTimeField(
        null=True, help_text=_("Since when a check is due; empty while none is.")
    )
    reviewed_at = models.DateTimeField(_("reviewed"), null=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("reviewed by"),
    )

    objects = NodeQualityQuerySet.as_manager()

    class Meta:
        verbose_name = _("quality of a node")
        verbose_name_plural = _("quality of nodes")
        ordering = ["score", "node"]
        constraints = [
            models.CheckConstraint(
                condition=Q(score=None) | Q(score__lte=100), name="quality_score_0_to_100"
            )
        ]
        indexes = [
            models.Index(fields=["space", "score"], name="quality_by_space"),  # lists, space score
            models.Index(fields=["space", "text_hash"], name="quality_by_text"),  # duplicates
            GinIndex(fields=["bands"], name="quality_by_band"),  # near duplicates
            GinIndex(fields=["codes"], name="quality_by_code"),  # needs attention
            GinIndex(fields=["mentions"], name="quality_by_mention"),  # whom a change concerns
            models.Index(
                fields=["stale_at"], condition=~Q(stale_at=None), name="quality_stale"
            ),  # the refresh
            models.Index(fields=["checked_at"], name="quality_oldest_check"),  # the sweep
        ]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.score}"


class FindingSnooze(models.Model):
    """A finding that nobody wants to be shown until a day."""

    node = models.ForeignKey(
        Node,
        models.CASCADE,
        related_name="snoozes",
        db_index=False,  # the constraint's index begins with it
        verbose_name=_("node"),
    )
    code = models.CharField(_("finding"), max_length=32)
    until = models.DateField(_("until"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)

    class Meta:
        verbose_name = _("snoozed finding")
        verbose_name_plural = _("snoozed findings")
        constraints = [
            models.UniqueConstraint(fields=["node", "code"], name="one_snooze_a_node_and_code")
        ]

    def __str__(self) -> str:
        return f"{self.node_id} {self.code}: {self.until}"


class ReviewInterval(models.Model):
    """After how many days the nodes of a space, or of a kind in it, are to be read again."""

    space = models.ForeignKey(
        Space,
        models.CASCADE,
        related_name="review_intervals",
        db_index=False,  # the constraint's index begins with it
        verbose_name=_("space"),
    )
    kind = models.CharField(
        _("kind"),
        max_length=40,
        blank=True,
        validators=[kind_validator],
        help_text=_("Empty: every kind that is not named."),
    )
    days = models.PositiveSmallIntegerField(
        _("days"), validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)]
    )

    class Meta:
        verbose_name = _("review interval")
        verbose_name_plural = _("review intervals")
        ordering = ["space", "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["space", "kind"], name="one_review_interval_a_space_and_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind or '*'}: {self.days}"


class ReviewReminder(models.Model):
    """That the owner of a node was told of a review: once for each due date."""

    node = models.ForeignKey(
        Node,
        models.CASCADE,
        related_name="reminders",
        db_index=False,  # the constraint's index begins with it
        verbose_name=_("node"),
    )
    review_due = models.DateField(_("review due"))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("reminded"),
    )
    created_at = models.DateTimeField(_("reminded at"), default=timezone.now)
    mail_due = models.BooleanField(default=False, help_text=_("Whether an e-mail is to be sent."))
    mailed_at = models.DateTimeField(_("e-mail sent"), null=True)

    class Meta:
        verbose_name = _("review reminder")
        verbose_name_plural = _("review reminders")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["node", "review_due"], name="one_reminder_a_node_and_due_date"
            )
        ]
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(mail_due=True), name="reminder_to_mail"
            )  # the mails
        ]

    def __str__(self) -> str:
        return f"{self.node_id}: {self.review_due}"
