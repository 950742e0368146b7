"""Feeds: places outside from which sources come again and again, and what each look there found."""

import uuid
from datetime import timedelta

from django.conf import settings as django_settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.choices import FeedAction, FeedRunStatus
from knowledge.models.sources import IngestJob, Source
from knowledge.models.spaces import Space
from knowledge.querysets import FeedQuerySet, FeedRunQuerySet
from project.inference import sealing

GONE_AFTER = 3  # runs
LEAST_SHARE = 50  # percent


class Feed(models.Model):
    """A place outside that a connector reads, on a schedule or when somebody says so."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(Space, models.CASCADE, related_name="feeds", verbose_name=_("space"))
    name = models.CharField(_("name"), max_length=120)
    connector = models.CharField(_("connector"), max_length=40)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    secret_sealed = models.TextField(blank=True, default="", editable=False)
    secret_variable = models.CharField(
        _("variable of the secret"),
        max_length=100,
        blank=True,
        help_text=_("An environment variable of the workers that begins with ACERVO_FEED_SECRET_."),
    )
    interval_minutes = models.PositiveIntegerField(
        _("minutes between runs"),
        default=1440,
        validators=[MaxValueValidator(525_600)],
        help_text=_("0: only when somebody says so."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=True)
    language = models.CharField(
        _("language"), max_length=10, blank=True, help_text=_("Empty: found by itself.")
    )
    tags = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, verbose_name=_("tags")
    )
    gone_after = models.PositiveSmallIntegerField(
        _("archive after"),
        null=True,
        blank=True,
        default=GONE_AFTER,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_(
            "Runs in a row that must miss an item before its nodes are archived. "
            "Empty: never without a person who says so."
        ),
    )
    least_share = models.PositiveSmallIntegerField(
        _("least share"),
        default=LEAST_SHARE,
        validators=[MaxValueValidator(100)],
        help_text=_(
            "Percent of the known items that a run must find again. One that finds fewer, or "
            "nothing, changes nothing until a person confirms it."
        ),
    )
    owner = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="feeds",
        verbose_name=_("owner"),
        help_text=_("Runs have the rights of this person."),
    )
    cursor = models.JSONField(default=dict, blank=True, editable=False)
    next_sync_at = models.DateTimeField(_("next run"), null=True, blank=True)
    last_synced_at = models.DateTimeField(_("last run"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = FeedQuerySet.as_manager()

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["space", "name"], name="one_feed_a_name_and_space")
        ]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="feed_newest"),  # the list
            models.Index(  # the schedule
                fields=["next_sync_at"],
                condition=models.Q(is_enabled=True, next_sync_at__isnull=False),
                name="feed_due",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_secret(self) -> bool:
        """Whether a secret is stored."""
        return bool(self.secret_sealed)

    def set_secret(self, secret: str) -> None:
        """Store a secret sealed; "" removes it. Not saved yet."""
        self.secret_sealed = sealing.seal(secret.strip())

    @property
    def interval(self) -> timedelta | None:
        """The time between two runs; None for a feed without a schedule."""
        return timedelta(minutes=self.interval_minutes) if self.interval_minutes else None


class FeedItem(models.Model):
    """One thing of a feed under its lasting key: a page, a file, a message."""

    feed = models.ForeignKey(Feed, models.CASCADE, related_name="items")
    key = models.CharField(_("key"), max_length=500)
    title = models.CharField(_("title"), max_length=300, blank=True)
    url = models.CharField(_("address"), max_length=2000, blank=True)
    etag = models.CharField(max_length=300, blank=True)
    modified = models.DateTimeField(_("modified"), null=True, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    memo = models.JSONField(default=dict, blank=True)
    source = models.ForeignKey(
        Source, models.SET_NULL, null=True, related_name="feed_items", verbose_name=_("source")
    )
    nodes = ArrayField(models.UUIDField(), default=list, blank=True, verbose_name=_("nodes"))
    seen_run = models.UUIDField(null=True, editable=False)
    seen_at = models.DateTimeField(_("seen"), null=True, blank=True)
    missing_runs = models.PositiveSmallIntegerField(_("runs that missed it"), default=0)
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)

    class Meta:
        verbose_name = _("item of a feed")
        verbose_name_plural = _("items of feeds")
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["feed", "key"], name="one_item_a_key_and_feed")
        ]
        indexes = [
            models.Index(fields=["feed", "seen_run"], name="feed_item_by_run"),  # what a run missed
            GinIndex(fields=["nodes"], name="feed_item_by_node"),  # who else stands on a node
        ]

    def __str__(self) -> str:
        return self.title or self.key


class FeedRun(models.Model):
    """One look at a feed: what it found, beside what was known."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    feed = models.ForeignKey(Feed, models.CASCADE, related_name="runs", verbose_name=_("feed"))
    job = models.ForeignKey(
        IngestJob, models.SET_NULL, null=True, related_name="feed_runs", verbose_name=_("job")
    )
    status = models.CharField(
        _("status"), max_length=12, choices=FeedRunStatus.choices, default=FeedRunStatus.RUNNING
    )
    known = models.PositiveIntegerField(_("known before"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    gone = models.PositiveIntegerField(_("gone"), default=0)
    faults = models.PositiveIntegerField(_("unreadable"), default=0)
    is_listed = models.BooleanField(default=False, editable=False)
    is_confirmed = models.BooleanField(_("confirmed"), default=False)
    cursor = models.JSONField(default=dict, blank=True, editable=False)
    message = models.TextField(_("message"), blank=True)
    decided_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    started_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("started by"),
        help_text=_("Empty: the schedule."),
    )
    created_at = models.DateTimeField(_("started"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = FeedRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run of a feed")
        verbose_name_plural = _("runs of feeds")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["feed"],
                condition=models.Q(status=FeedRunStatus.RUNNING),
                name="one_run_of_a_feed_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["feed", "-created_at"], name="feed_run_newest")]

    def __str__(self) -> str:
        return f"{self.feed}: {self.get_status_display()}"

    @property
    def is_waiting(self) -> bool:
        """Whether a person is to decide what becomes of it."""
        return self.status == FeedRunStatus.SUSPICIOUS


class FeedChange(models.Model):
    """What a run found of one item; `facts` are what the item gets once it is applied."""

    run = models.ForeignKey(FeedRun, models.CASCADE, related_name="changes")
    item = models.ForeignKey(FeedItem, models.CASCADE, related_name="changes")
    action = models.CharField(_("what"), max_length=10, choices=FeedAction.choices)
    source = models.ForeignKey(
        Source, models.SET_NULL, null=True, related_name="+", verbose_name=_("source")
    )
    job = models.ForeignKey(
        IngestJob, models.SET_NULL, null=True, related_name="+", verbose_name=_("job")
    )
    facts = models.JSONField(default=dict, blank=True)
    message = models.TextField(_("message"), blank=True)
    applied_at = models.DateTimeField(_("applied"), null=True, blank=True)

    class Meta:
        verbose_name = _("change of a feed")
        verbose_name_plural = _("changes of feeds")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "item"], name="one_change_an_item_and_run")
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.item}"
