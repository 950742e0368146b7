"""How questions are answered: versions of the prompt, setups, and experiments between them."""

import uuid
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from chat.choices import ExperimentStatus, ExperimentSubject
from chat.models.conversations import Turn
from knowledge.models import Space
from project.inference.choices import Tier
from project.inference.models import ModelEndpoint

_TEMPERATURE = [MinValueValidator(0.0), MaxValueValidator(2.0)]
MOST_RULES = 8000


class Authored(models.Model):
    """Somebody made it; it stays when they go."""

    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("by"),
    )

    class Meta:
        abstract = True


class PromptVersion(Authored):
    """A text for the part of the prompt that may be changed. A row never changes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(_("version"), unique=True, editable=False)
    rules = models.TextField(
        _("rules"),
        max_length=MOST_RULES,
        help_text=_(
            "What comes before the rules that keep data apart from orders: those are added to"
            " every version."
        ),
    )
    note = models.CharField(_("what changed, and why"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("prompt version")
        verbose_name_plural = _("prompt versions")
        ordering = ["-number"]

    def __str__(self) -> str:
        return gettext("Prompt %(number)s") % {"number": self.number}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store a new version. Raises RuntimeError for one that is stored."""
        if not self._state.adding:
            message = "A version of the prompt never changes."
            raise RuntimeError(message)
        super().save(*args, **kwargs)

    @property
    def name(self) -> str:
        """What turns keep of the version that answered them."""
        return f"prompt-{self.number}"


class Overrides(models.Model):
    """What may be chosen about answering; whatever is empty is left as it is."""

    tier = models.CharField(
        _("tier"),
        max_length=10,
        choices=Tier.choices,
        blank=True,
        help_text=_("Empty: each question by its complexity."),
    )
    endpoint = models.ForeignKey(
        ModelEndpoint,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"purpose": "chat"},
        verbose_name=_("model endpoint"),
        help_text=_("Asked first, whatever its tier."),
    )
    prompt = models.ForeignKey(
        PromptVersion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("prompt"),
        help_text=_("Empty: the one that comes with Acervo."),
    )
    temperature = models.FloatField(
        _("temperature"), null=True, blank=True, validators=_TEMPERATURE
    )

    class Meta:
        abstract = True


class AnswerSetup(Authored, Overrides):
    """How questions to a space are answered from a moment on: the newest row of a space holds.

    Rows never change; going back is a new row like the former.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("space"),
        help_text=_("Empty: every space without a setup of its own."),
    )
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("answer setup")
        verbose_name_plural = _("answer setups")
        ordering = ["-created_at", "id"]
        indexes = [models.Index(fields=["space", "-created_at"], name="setup_newest")]

    def __str__(self) -> str:
        return str(self.space) if self.space is not None else gettext("All spaces")


class Experiment(Authored):
    """A comparison of ways to answer, each given to a share of the people who ask."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120, unique=True)
    subject = models.CharField(
        _("what is compared"),
        max_length=10,
        choices=ExperimentSubject.choices,
        default=ExperimentSubject.PROMPT,
    )
    space = models.ForeignKey(
        Space,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("space"),
        help_text=_("Empty: every space without a running experiment of its own."),
    )
    note = models.TextField(_("what is hoped for"), blank=True)
    is_adaptive = models.BooleanField(
        _("adapt the shares"),
        default=False,
        help_text=_("Give more people the arm that seems better, while the experiment runs."),
    )
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=ExperimentStatus.choices,
        default=ExperimentStatus.DRAFT,
        editable=False,
    )
    winner = models.ForeignKey(
        "ExperimentArm",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("winner"),
    )
    results = models.JSONField(
        default=list, editable=False, help_text=_("As they were at its end.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)

    class Meta:
        verbose_name = _("experiment")
        verbose_name_plural = _("experiments")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["space", "subject"],
                condition=models.Q(status="running"),
                nulls_distinct=False,
                name="one_running_experiment_a_space_and_subject",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ExperimentArm(Overrides):
    """One of the ways that an experiment compares. The first one is what the others are held to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    experiment = models.ForeignKey(
        Experiment, models.CASCADE, related_name="arms", verbose_name=_("experiment")
    )
    position = models.PositiveSmallIntegerField(_("place"), default=0)
    name = models.CharField(_("name"), max_length=60)
    weight = models.PositiveSmallIntegerField(
        _("share"),
        default=100,
        help_text=_("Of the people who ask, in proportion to the other arms; 0 is nobody."),
    )

    class Meta:
        verbose_name = _("arm")
        verbose_name_plural = _("arms")
        ordering = ["experiment", "position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "name"], name="one_arm_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class ArmTurn(models.Model):
    """That a turn was answered by an arm of an experiment. It goes with the turn."""

    turn = models.ForeignKey(Turn, models.CASCADE, related_name="arms", verbose_name=_("turn"))
    experiment = models.ForeignKey(
        Experiment, models.CASCADE, related_name="turns", verbose_name=_("experiment")
    )
    arm = models.ForeignKey(
        ExperimentArm, models.CASCADE, related_name="turns", verbose_name=_("arm")
    )

    class Meta:
        verbose_name = _("turn of an experiment")
        verbose_name_plural = _("turns of experiments")
        constraints = [
            models.UniqueConstraint(fields=["turn", "experiment"], name="one_arm_a_turn")
        ]

    def __str__(self) -> str:
        return f"{self.turn_id}: {self.arm_id}"
