"""Conversations: messages, turns, what they cite, what people thought of them."""

import uuid
from decimal import Decimal
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from chat.choices import (
    CacheOutcome,
    DispatchRoute,
    FeedbackReason,
    MessageClass,
    MessageRole,
    TurnRoute,
    TurnStatus,
)
from chat.querysets import ConversationQuerySet, MessageQuerySet, TurnQuerySet
from chat.searching import Words
from chat.states import state_of
from knowledge.models import Node, Release, Space


class Conversation(models.Model):
    """A tree of messages between a person and Acervo."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="conversations",
        verbose_name=_("user"),
    )
    space = models.ForeignKey(
        Space,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="conversations",
        verbose_name=_("space"),
        help_text=_("Empty: all spaces that the user may read."),
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    model_tier = models.CharField(_("model tier"), max_length=12, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("last message"), auto_now_add=True)
    pinned_at = models.DateTimeField(_("pinned"), null=True, blank=True)
    archived_at = models.DateTimeField(
        _("archived"), null=True, blank=True, help_text=_("A new question brings it back.")
    )
    # What was noted as `ConversationChange` and counted in.
    revision = models.BigIntegerField(default=0, editable=False)
    # When its content went to cold storage, and when it was last brought back.
    cold_since = models.DateTimeField(null=True, editable=False)
    warmed_at = models.DateTimeField(null=True, editable=False)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-updated_at", "id"]
        indexes = [models.Index(fields=["user", "-updated_at", "id"], name="conversation_newest")]

    def __str__(self) -> str:
        return self.title or str(self.pk)

    def get_absolute_url(self) -> str:
        """Return the address of the chat page with this conversation open."""
        return reverse("conversation-page", args=[self.pk])


class Message(models.Model):
    """One message; regenerating and editing make siblings under the same parent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", verbose_name=_("conversation")
    )
    parent = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )
    role = models.CharField(_("role"), max_length=10, choices=MessageRole.choices)
    content = models.TextField(_("content"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("author"),
        help_text=_("The operator who wrote an answer; empty for answers of models."),
    )
    author_name = models.CharField(
        max_length=150, blank=True, editable=False, help_text=_("It outlives the account.")
    )
    client_message_id = models.CharField(  # noqa: DJ001 - null: unique a conversation where given
        _("client message id"), max_length=100, null=True, blank=True
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "client_message_id"], name="one_message_a_client_id"
            )
        ]
        indexes = [
            models.Index(fields=["conversation", "-created_at", "id"], name="message_newest"),
            GinIndex(Words("content"), name="message_words"),
        ]

    def __str__(self) -> str:
        return self.content[:80]


class Turn(models.Model):
    """One answering of one user message. While it has no class, no agent may take it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="turns", verbose_name=_("conversation")
    )
    question = models.ForeignKey(
        Message, models.CASCADE, related_name="turns", verbose_name=_("question")
    )
    answer = models.OneToOneField(
        Message,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="answered_by",
        verbose_name=_("answer"),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=TurnStatus.choices, default=TurnStatus.QUEUED
    )
    route = models.CharField(_("route"), max_length=12, choices=TurnRoute.choices, blank=True)
    message_class = models.CharField(
        _("class of the message"), max_length=12, choices=MessageClass.choices, blank=True
    )
    dispatched_to = models.CharField(
        _("sent to"), max_length=8, choices=DispatchRoute.choices, blank=True
    )
    cache = models.CharField(
        _("cache"), max_length=10, choices=CacheOutcome.choices, default=CacheOutcome.NONE
    )
    model = models.CharField(_("model"), max_length=200, blank=True)
    prompt_version = models.CharField(_("prompt version"), max_length=40, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    lease_owner = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    last_seq = models.PositiveIntegerField(default=0)
    is_partial = models.BooleanField(
        _("incomplete answer"), default=False, help_text=_("The model broke off in mid-answer.")
    )
    error_code = models.CharField(_("error code"), max_length=60, blank=True)
    error_message = models.TextField(_("error"), blank=True)
    timings = models.JSONField(_("timings in milliseconds"), default=dict, blank=True)
    trace = models.JSONField(
        _("trace"), default=dict, blank=True, help_text=_("What was recalled, retrieved and sent.")
    )
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), default=0)
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=6, default=Decimal(0))
    trace_id = models.CharField(_("trace id"), max_length=64, blank=True)
    as_of = models.DateTimeField(
        _("as of"),
        null=True,
        blank=True,
        help_text=_("The moment whose knowledge was asked; empty for that of today."),
    )
    release = models.ForeignKey(
        Release,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("release"),
        help_text=_("The release whose knowledge was asked."),
    )
    release_name = models.CharField(
        max_length=120, blank=True, editable=False, help_text=_("It outlives the release.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = TurnQuerySet.as_manager()

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"],
                condition=models.Q(status="running"),
                name="one_running_turn_a_conversation",
            )
        ]
        indexes = [
            models.Index(  # the sweep for lost leases and unclaimed turns
                fields=["status", "created_at"],
                condition=models.Q(status__in=["queued", "running"]),
                name="turn_unfinished",
            ),
            models.Index(fields=["-created_at", "id"], name="turn_newest"),
            models.Index(fields=["conversation", "created_at"], name="turn_by_conversation"),
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()}: {self.question}"


class Citation(models.Model):
    """The passage an answer stands on: a span of one version of a node, kept for good."""

    turn = models.ForeignKey(Turn, models.CASCADE, related_name="citations", verbose_name=_("turn"))
    index = models.PositiveSmallIntegerField(_("number"))
    node = models.ForeignKey(
        Node, models.SET_NULL, null=True, related_name="citations", verbose_name=_("node")
    )
    cited_id = models.UUIDField(
        editable=False, db_index=True, help_text=_("The node's id: it stays when the node goes.")
    )
    version = models.PositiveIntegerField(_("version"))
    chunk_id = models.UUIDField(_("passage"))
    title = models.CharField(_("title"), max_length=300)
    snippet = models.TextField(_("snippet"))
    start = models.PositiveIntegerField(_("start"))
    end = models.PositiveIntegerField(_("end"))
    page = models.PositiveIntegerField(_("page"), null=True, blank=True)
    place = models.CharField(
        _("place"),
        max_length=500,
        blank=True,
        help_text=_("Where in its source: a sheet, a slide, a message, a file of an archive."),
    )

    class Meta:
        verbose_name = _("citation")
        verbose_name_plural = _("citations")
        ordering = ["turn", "index"]
        constraints = [
            models.UniqueConstraint(fields=["turn", "index"], name="one_citation_a_number")
        ]

    def __str__(self) -> str:
        return f"[{self.index}] {self.title} v{self.version}"

    @property
    def state_query(self) -> str:
        """The parameters that ask pages of knowledge for the state that the turn asked."""
        state = state_of(self.turn)
        return urlencode(state.query) if state is not None else ""


class Feedback(models.Model):
    """What a person thought of an answer."""

    message = models.ForeignKey(
        Message, models.CASCADE, related_name="feedback", verbose_name=_("message")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    value = models.SmallIntegerField(_("value"), choices=[(1, _("Good")), (-1, _("Bad"))])
    reasons = ArrayField(
        models.CharField(max_length=20, choices=FeedbackReason.choices),
        verbose_name=_("chosen reasons"),
        default=list,
        blank=True,
    )
    reason = models.TextField(_("reason"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("feedback")
        verbose_name_plural = _("feedback")
        constraints = [
            models.UniqueConstraint(fields=["message", "user"], name="one_feedback_a_person")
        ]

    def __str__(self) -> str:
        return f"{self.get_value_display()}: {self.message_id}"
