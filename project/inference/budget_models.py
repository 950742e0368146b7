"""What a space may spend on models in a month, and what it has spent."""

import uuid
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class SpaceBudget(models.Model):
    """The most that a space may spend in a calendar month (UTC), in tokens and in money.

    Without a space it is of questions over all spaces. Set by staff with Django's permission.
    """

    # The id of a row in an app above this one, as in usage records.
    space_id = models.UUIDField(_("space"), null=True, blank=True)
    tokens_per_month = models.PositiveBigIntegerField(
        _("tokens a month"),
        null=True,
        blank=True,
        help_text=_("Of language models, in and out. Empty: any number."),
    )
    cost_per_month = models.DecimalField(
        _("money a month"),
        max_digits=14,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text=_("In the currency of the endpoints' prices, for models of all kinds."),
    )
    used_up_at = models.DateTimeField(
        _("used up last"),
        null=True,
        editable=False,
        help_text=_("When a call was last refused because of it."),
    )
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("budget of a space")
        verbose_name_plural = _("budgets of spaces")
        constraints = [
            models.UniqueConstraint(
                fields=["space_id"], nulls_distinct=False, name="one_budget_a_space"
            )
        ]

    def __str__(self) -> str:
        return str(self.space_id or _("Questions over all spaces"))

    def clean(self) -> None:
        """Refuse a budget that limits nothing."""
        if self.tokens_per_month is None and self.cost_per_month is None:
            raise ValidationError(_("Limit tokens, money, or both."))


class SpaceSpending(models.Model):
    """What a space has spent in a month: the sum of its usage records, counted along with them."""

    space_id = models.UUIDField(null=True)
    month = models.DateField(help_text=_("Its first day."))
    tokens = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=20, decimal_places=8, default=Decimal(0))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["space_id", "month"], nulls_distinct=False, name="one_spending_a_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.space_id} {self.month}"


class BudgetNotice(models.Model):
    """That a month has used so much of a budget; whoever looks after it is told once."""

    space_id = models.UUIDField(null=True)
    month = models.DateField(help_text=_("Its first day."))
    percent = models.PositiveSmallIntegerField()
    mailed = ArrayField(models.CharField(max_length=40), default=list)  # ids of people
    mail_due = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["space_id", "month", "percent"],
                nulls_distinct=False,
                name="one_budget_notice",
            )
        ]

    def __str__(self) -> str:
        return f"{self.space_id} {self.month}: {self.percent} %"


class SpendingHold(models.Model):
    """What a call that is being made may spend at most; what a dead process held runs out."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space_id = models.UUIDField(null=True, db_index=True)
    tokens = models.BigIntegerField()
    cost = models.DecimalField(max_digits=16, decimal_places=8)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.space_id}: {self.tokens}"
