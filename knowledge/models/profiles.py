"""How search weighs what it finds: profiles, which of them holds when, how new ones are learned."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.choices import ProfileOrigin
from knowledge.models.evaluation import EvaluationRun
from knowledge.models.leased import LeasedRun
from knowledge.models.spaces import Space
from knowledge.querysets import (
    ProfileActivationQuerySet,
    RetrievalProfileQuerySet,
    RetrievalTuningQuerySet,
)


class RetrievalProfile(models.Model):
    """All knobs of a search in one version. Rows never change: another setting is another row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(_("version"), unique=True, editable=False)
    knobs = models.JSONField(
        _("knobs"),
        default=dict,
        help_text=_("By name. One that came later than the row has its built-in value."),
    )
    note = models.TextField(_("note"), blank=True)
    origin = models.CharField(
        _("comes from"), max_length=10, choices=ProfileOrigin.choices, editable=False
    )
    based_on = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        editable=False,
        related_name="followers",
        verbose_name=_("made from"),
    )
    figures = models.JSONField(
        _("figures"),
        default=dict,
        editable=False,
        help_text=_("What a tuned profile was measured to be, on questions it was not tuned on."),
    )
    evaluation = models.ForeignKey(
        EvaluationRun,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("backed by"),
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )
    author_name = models.CharField(
        max_length=150,
        blank=True,
        editable=False,
        help_text=_("The user name at that time: it outlives the account."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = RetrievalProfileQuerySet.as_manager()

    class Meta:
        verbose_name = _("retrieval profile")
        verbose_name_plural = _("retrieval profiles")
        ordering = ["-version"]
        indexes = [models.Index(fields=["-created_at", "id"], name="profile_newest")]  # the list

    def __str__(self) -> str:
        name = str(_("Version %(number)s") % {"number": self.version})
        return f"{name}: {self.note[:80]}" if self.note else name


class ProfileActivation(models.Model):
    """That a profile began to hold, for the installation or for one space; kept for good.

    The current row of a space goes before that of the installation; without a profile, the space
    follows the installation again.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space,
        models.CASCADE,
        null=True,
        related_name="profile_activations",
        verbose_name=_("space"),
        help_text=_("Empty: the installation."),
    )
    profile = models.ForeignKey(
        RetrievalProfile,
        models.PROTECT,
        null=True,
        related_name="activations",
        verbose_name=_("retrieval profile"),
    )
    previous = models.ForeignKey(
        RetrievalProfile,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("before"),
    )
    is_current = models.BooleanField(_("holds now"), default=True)
    is_rollback = models.BooleanField(_("rolled back"), default=False)
    reason = models.TextField(_("reason"), blank=True)
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("activated by"),
    )
    author_name = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(_("activated"), auto_now_add=True)

    objects = ProfileActivationQuerySet.as_manager()

    class Meta:
        verbose_name = _("activation of a profile")
        verbose_name_plural = _("activations of profiles")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["space"],
                condition=models.Q(is_current=True),
                nulls_distinct=False,
                name="one_current_profile_a_space",  # the lookup of every search
            )
        ]

    def __str__(self) -> str:
        return f"{self.space or '*'}: {self.profile_id}"


class RetrievalTuning(LeasedRun):
    """The learning of a profile from the golden questions of a space.

    `figures` says what was measured, `outcome` in words what came of it; without `profile`, nothing
    better was found.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="tunings", verbose_name=_("space")
    )
    options = models.JSONField(_("options"), default=dict)
    questions = models.PositiveIntegerField(_("questions"), default=0)
    done = models.FloatField(_("done"), default=0.0, help_text=_("From 0 to 1."))
    figures = models.JSONField(_("figures"), default=dict)
    outcome = models.TextField(_("outcome"), blank=True)
    degraded = ArrayField(models.CharField(max_length=40), default=list, verbose_name=_("without"))
    profile = models.ForeignKey(
        RetrievalProfile,
        models.SET_NULL,
        null=True,
        related_name="tunings",
        verbose_name=_("retrieval profile"),
    )
    compared_to = models.ForeignKey(
        RetrievalProfile,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("compared to"),
    )

    objects = RetrievalTuningQuerySet.as_manager()

    class Meta:
        verbose_name = _("tuning of retrieval")
        verbose_name_plural = _("tunings of retrieval")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="tuning_newest"),  # the list
            models.Index(  # the sweep for lost leases
                fields=["created_at"],
                condition=models.Q(status__in=["queued", "running"]),
                name="tuning_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.space}: {self.created_at:%Y-%m-%d %H:%M}"
