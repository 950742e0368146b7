"""Spaces: the unit of access."""

import uuid

from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.choices import Visibility
from knowledge.querysets import SpaceQuerySet
from project.accounts.choices import Role


class Space(models.Model):
    """A body of knowledge with its own readers; every node, source and episode belongs to one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=80, unique=True)
    description = models.TextField(_("description"), blank=True)
    visibility = models.CharField(
        _("visibility"), max_length=12, choices=Visibility.choices, default=Visibility.MEMBERS
    )
    allows_guests = models.BooleanField(
        _("questions without signing in"),
        default=False,
        help_text=_("Visitors may ask a public space as guests, within limits of their own."),
    )
    language = models.CharField(
        _("language"), max_length=10, default="en", help_text=_("Of texts that do not name theirs.")
    )
    suggested_questions = models.JSONField(
        _("suggested questions"),
        default=list,
        blank=True,
        help_text=_("Shown in an empty chat: a list of questions, or lists by language."),
    )
    is_default = models.BooleanField(
        _("default"), default=False, help_text=_("Where writes go that name no space.")
    )
    required_approvals = models.PositiveSmallIntegerField(
        _("required approvals"),
        default=1,
        validators=[MaxValueValidator(20)],
        help_text=_("How many curators must approve a proposal before it can be merged."),
    )
    allows_self_approval = models.BooleanField(
        _("authors may approve their own proposals"), default=True
    )
    requires_no_regression = models.BooleanField(
        _("merging must not lose golden questions"),
        default=False,
        help_text=_("Recall and mean reciprocal rank must not be worse after the merge."),
    )
    gate_k = models.PositiveSmallIntegerField(
        _("results that count for golden questions"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    past_vectors_days = models.PositiveIntegerField(
        _("days that vectors of past versions are kept"),
        null=True,
        blank=True,
        default=365,
        help_text=_("Empty: for ever. The words of past versions can always be searched."),
    )
    index_revision = models.BigIntegerField(
        default=0, editable=False, help_text=_("Counts every change of what search can find.")
    )
    average_tokens = models.FloatField(
        null=True, editable=False, help_text=_("Mean passage length that keyword weights assume.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = SpaceQuerySet.as_manager()

    class Meta:
        verbose_name = _("space")
        verbose_name_plural = _("spaces")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=models.Q(is_default=True), name="one_default_space"
            ),
            models.CheckConstraint(
                condition=models.Q(allows_guests=False) | models.Q(visibility=Visibility.PUBLIC),
                name="guests_in_public_spaces",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SpaceRole(models.Model):
    """The role that the members of a group have in a space."""

    space = models.ForeignKey(Space, models.CASCADE, related_name="roles", verbose_name=_("space"))
    group = models.ForeignKey(
        Group, models.CASCADE, related_name="space_roles", verbose_name=_("group")
    )
    role = models.PositiveSmallIntegerField(_("role"), choices=Role.choices, default=Role.READER)

    class Meta:
        verbose_name = _("group's role")
        verbose_name_plural = _("groups' roles")
        constraints = [
            models.UniqueConstraint(fields=["space", "group"], name="one_role_a_group_and_space")
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.get_role_display()}"
