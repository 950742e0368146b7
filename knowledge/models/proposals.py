"""Proposals: branches of knowledge with their changes, reviews and comments."""

import uuid

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from knowledge.choices import ChangeAction, ProposalOrigin, ProposalStatus, Verdict
from knowledge.models.spaces import Space
from knowledge.querysets import ProposalQuerySet

RELATION_ACTIONS = (ChangeAction.RELATE, ChangeAction.UNRELATE, ChangeAction.RELATION_EDIT)


class Proposal(models.Model):
    """A branch of a space: changes of many nodes and relations, reviewed and merged as one."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="proposals", verbose_name=_("space")
    )
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True, help_text=_("Markdown."))
    status = models.CharField(
        _("status"), max_length=20, choices=ProposalStatus.choices, default=ProposalStatus.DRAFT
    )
    origin = models.CharField(
        _("filed by"),
        max_length=15,
        choices=ProposalOrigin.choices,
        default=ProposalOrigin.MANUAL,
        editable=False,
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="proposals",
        verbose_name=_("author"),
    )
    revision = models.PositiveIntegerField(
        _("revision"),
        default=1,
        editable=False,
        help_text=_("Every change of the branch raises it: approvals are given for one revision."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)
    submitted_at = models.DateTimeField(_("submitted"), null=True, editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, editable=False)
    merged_at = models.DateTimeField(_("merged"), null=True, editable=False)
    merged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("merged by"),
    )

    objects = ProposalQuerySet.as_manager()

    class Meta:
        verbose_name = _("proposal")
        verbose_name_plural = _("proposals")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="proposal_newest"),  # the list
            models.Index(fields=["space", "status"], name="proposal_by_status"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_decided(self) -> bool:
        """Whether the proposal is merged or rejected."""
        return self.status in {ProposalStatus.MERGED, ProposalStatus.REJECTED}


class ProposalChange(models.Model):
    """What a proposal does to one node, or to one relation.

    `fields` holds only what the branch changes: fields of the node, ready for JSON, or `weight`,
    `metadata` and `status` of the relation. A node that is created has its `node_id` beforehand.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    proposal = models.ForeignKey(
        Proposal, models.CASCADE, related_name="changes", verbose_name=_("proposal")
    )
    action = models.CharField(_("action"), max_length=15, choices=ChangeAction.choices)
    node_id = models.UUIDField(_("node"), null=True, blank=True)  # it may be gone, or not yet there
    relation_id = models.UUIDField(_("relation"), null=True, blank=True)
    source_id = models.UUIDField(_("source node"), null=True, blank=True)
    target_id = models.UUIDField(_("target node"), null=True, blank=True)
    relation_kind = models.CharField(_("kind of relation"), max_length=40, blank=True)
    fields = models.JSONField(
        _("changed fields"), default=dict, blank=True, encoder=DjangoJSONEncoder
    )
    base_version = models.PositiveIntegerField(
        _("base version"),
        null=True,
        blank=True,
        help_text=_("Of the node or relation: what the branch changes, and merges from."),
    )
    began_from = models.PositiveIntegerField(
        null=True,
        editable=False,
        help_text=_("The version at which the branch left: the second parent of the merge."),
    )
    base_facts = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text=_("What no version records, as it stood at the base: the status, for example."),
    )
    based_at = models.DateTimeField(_("based on the state of"), default=timezone.now)
    version = models.PositiveIntegerField(
        _("version of the change"),
        default=1,
        editable=False,
        help_text=_("Every write raises it: of two people who write at once, the second is told."),
    )
    resolutions = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text=_("How its conflicts were settled when the proposal was merged or rebased."),
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("changed by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["proposal", "node_id"], name="one_change_a_node_and_proposal"
            ),
            models.UniqueConstraint(
                fields=["proposal", "source_id", "target_id", "relation_kind"],
                name="one_change_a_relation_and_proposal",
            ),
            models.CheckConstraint(
                condition=models.Q(node_id__isnull=False, source_id=None, target_id=None)
                | models.Q(node_id=None, source_id__isnull=False, target_id__isnull=False),
                name="change_is_of_a_node_or_a_relation",
            ),
        ]
        indexes = [
            models.Index(fields=["node_id"], name="change_by_node"),  # which branches change it
        ]

    def __str__(self) -> str:
        about = self.fields.get("title") or self.node_id or self.relation_kind
        return f"{self.get_action_display()}: {about}"

    @property
    def is_of_relation(self) -> bool:
        """Whether the change is of a relation."""
        return self.action in RELATION_ACTIONS


class ProposalReviewer(models.Model):
    """Somebody who was asked to review a proposal."""

    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="reviewers")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("reviewer")
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked"), auto_now_add=True)

    class Meta:
        verbose_name = _("reviewer")
        verbose_name_plural = _("reviewers")
        ordering = ["asked_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["proposal", "user"], name="one_reviewer_a_proposal")
        ]

    def __str__(self) -> str:
        return str(self.user)


class ProposalReview(models.Model):
    """A verdict on one revision of a proposal; a later change of the branch makes it stale."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="reviews")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("reviewer"),
    )
    verdict = models.CharField(_("verdict"), max_length=20, choices=Verdict.choices)
    comment = models.TextField(_("comment"), blank=True)
    revision = models.PositiveIntegerField(_("revision"))
    created_at = models.DateTimeField(_("given"), auto_now_add=True)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ["-created_at", "id"]
        indexes = [models.Index(fields=["proposal", "revision"], name="review_by_revision")]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_verdict_display()}"


class ProposalComment(models.Model):
    """A comment on a proposal, on one of its changes, or on a line of the text that it proposes."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="comments")
    change = models.ForeignKey(
        ProposalChange,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="comments",
        verbose_name=_("change"),
    )
    field = models.CharField(_("field"), max_length=40, blank=True)
    line = models.PositiveIntegerField(
        _("line"), null=True, blank=True, help_text=_("Of the proposed text, from 1.")
    )
    change_version = models.PositiveIntegerField(
        null=True, editable=False, help_text=_("Of the change, when the comment was made.")
    )
    parent = models.ForeignKey(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="replies",
        verbose_name=_("reply to"),
    )
    body = models.TextField(_("comment"), help_text=_("Markdown."))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("author"),
    )
    created_at = models.DateTimeField(_("written"), auto_now_add=True)
    resolved_at = models.DateTimeField(_("resolved"), null=True, editable=False)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.body[:80]
