"""Questions whose answers are known, and how well search finds those."""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from knowledge.choices import GoldenOrigin, Outcome, SearchMode
from knowledge.models.leased import LeasedRun
from knowledge.models.nodes import Node
from knowledge.models.spaces import Space
from knowledge.querysets import EvaluationRunQuerySet, GoldenQuestionQuerySet

QUESTION_LIMIT = 2000
GRADES = [(1, _("Helps")), (2, _("Answers in part")), (3, _("Answers"))]


class GoldenQuestion(models.Model):
    """A question of which is known which nodes answer it; evaluations ask it again and again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="golden_questions", verbose_name=_("space")
    )
    question = models.TextField(_("question"), max_length=QUESTION_LIMIT)
    question_key = models.CharField(
        max_length=64,
        editable=False,
        help_text=_("SHA-256 of the words: asked twice, a question would count twice."),
    )
    language = models.CharField(
        _("language"), max_length=10, blank=True, help_text=_("Empty: found by its words.")
    )
    notes = models.TextField(_("notes"), blank=True)
    tags = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, verbose_name=_("tags")
    )
    is_active = models.BooleanField(
        _("active"), default=True, help_text=_("Evaluations ask active questions only.")
    )
    origin = models.CharField(
        _("comes from"),
        max_length=10,
        choices=GoldenOrigin.choices,
        default=GoldenOrigin.ADMIN,
        editable=False,
    )
    message_id = models.UUIDField(
        null=True,
        editable=False,
        unique=True,
        help_text=_("The chat message it was asked in, which may be gone."),
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("made by"),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = GoldenQuestionQuerySet.as_manager()

    class Meta:
        verbose_name = _("golden question")
        verbose_name_plural = _("golden questions")
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["space", "question_key"], name="one_golden_question_a_space"
            )
        ]
        indexes = [models.Index(fields=["-created_at", "id"], name="golden_newest")]  # the list

    def __str__(self) -> str:
        return self.question[:120]


class GoldenTarget(models.Model):
    """A node that answers a golden question. A node that is deleted stays known, as lost."""

    question = models.ForeignKey(
        GoldenQuestion, models.CASCADE, related_name="targets", verbose_name=_("question")
    )
    node = models.ForeignKey(
        Node,
        models.SET_NULL,
        null=True,
        related_name="golden_targets",
        verbose_name=_("node"),
    )
    node_key = models.UUIDField(editable=False, help_text=_("The id of the node, for good."))
    title = models.CharField(_("title"), max_length=300, editable=False)
    grade = models.PositiveSmallIntegerField(
        _("grade"),
        choices=GRADES,
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(3)],
    )

    class Meta:
        verbose_name = _("node that answers")
        verbose_name_plural = _("nodes that answer")
        ordering = ["-grade", "title", "id"]
        constraints = [
            models.UniqueConstraint(fields=["question", "node_key"], name="one_target_a_node")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_lost(self) -> bool:
        """Whether the node has been deleted."""
        return self.node_id is None


class EvaluationRun(LeasedRun):
    """One asking of all golden questions of a space, of one state or of two.

    `before` in results and metrics is the state that was asked for: the current one, that of a
    moment or of a release. With a proposal, `after` is the same as if it were merged; with
    `other_generation_id`, as that index generation finds it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    space = models.ForeignKey(
        Space, models.CASCADE, related_name="evaluations", verbose_name=_("space")
    )
    mode = models.CharField(
        _("mode"), max_length=10, choices=SearchMode.choices, default=SearchMode.HYBRID
    )
    k = models.PositiveSmallIntegerField(
        _("results that count"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    proposal_id = models.UUIDField(_("proposal"), null=True, blank=True)
    proposal_revision = models.PositiveIntegerField(_("proposal's revision"), null=True)
    release = models.CharField(_("release"), max_length=200, blank=True)
    as_of = models.DateTimeField(_("as of"), null=True, blank=True)
    other_generation_id = models.UUIDField(
        _("index generation compared"), null=True, editable=False, help_text=_("It may be gone.")
    )
    questions = models.PositiveIntegerField(_("questions"), default=0)
    measured = models.PositiveIntegerField(_("questions asked so far"), default=0)
    questions_key = models.CharField(
        max_length=64,
        editable=False,
        help_text=_("SHA-256 of the questions and their targets: others make another run."),
    )
    metrics = models.JSONField(_("metrics"), default=dict)
    degraded = ArrayField(
        models.CharField(max_length=40),
        default=list,
        help_text=_("What could not take part in the search of some question."),
        verbose_name=_("without"),
    )
    index_revision = models.BigIntegerField(_("index revision"), default=0)
    embedding_model = models.CharField(_("embedding model"), max_length=200, blank=True)
    generation_id = models.UUIDField(
        _("index generation"), null=True, editable=False, help_text=_("It may be gone.")
    )
    profile_id = models.UUIDField(_("retrieval profile"), null=True, editable=False)
    profile_version = models.PositiveIntegerField(_("version of the profile"), default=0)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text=_("Without a question asked since.")
    )
    waits = models.PositiveSmallIntegerField(
        default=0, help_text=_("For a model that was away, or vectors that were still being made.")
    )

    objects = EvaluationRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        ordering = ["-created_at", "id"]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="evaluation_newest"),  # the list
            models.Index(fields=["proposal_id", "-created_at"], name="evaluation_of_proposal"),
            models.Index(  # the sweep for lost leases
                fields=["created_at"],
                condition=models.Q(status__in=["queued", "running"]),
                name="evaluation_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.space}: {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def is_comparison(self) -> bool:
        """Whether each question is asked of two states."""
        return self.proposal_id is not None or self.other_generation_id is not None

    @property
    def progress(self) -> float:
        """How much of it is done, 0 to 1."""
        return self.measured / self.questions if self.questions else float(self.has_ended)


class EvaluationResult(models.Model):
    """What search found for one question of a run; not measured yet while `measured_at` is empty.

    `targets` is a list of node, title and grade; `before` and `after` are lists, best first, of
    node, title, version, rank and score. They are copies: questions and nodes go on changing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(EvaluationRun, models.CASCADE, related_name="results", db_index=False)
    position = models.PositiveIntegerField()
    question = models.ForeignKey(GoldenQuestion, models.SET_NULL, null=True, related_name="results")
    text = models.TextField(_("question"))
    language = models.CharField(max_length=10, blank=True)
    targets = models.JSONField(default=list)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    recall_before = models.FloatField(null=True)
    reciprocal_rank_before = models.FloatField(null=True)
    ndcg_before = models.FloatField(null=True)
    recall_after = models.FloatField(null=True)
    reciprocal_rank_after = models.FloatField(null=True)
    ndcg_after = models.FloatField(null=True)
    legs = models.JSONField(
        default=dict,
        help_text=_("Recall, reciprocal rank and nDCG of each leg alone, by its name."),
    )
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    degraded = ArrayField(models.CharField(max_length=40), default=list)
    measured_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("result of an evaluation")
        verbose_name_plural = _("results of evaluations")
        ordering = ["run", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run", "position"], name="one_result_a_question")
        ]

    def __str__(self) -> str:
        return self.text[:120]

    def ranked_targets(self) -> list[dict[str, Any]]:
        """Return the targets with `rank_before` and `rank_after`, None: not among those kept."""
        ranks = [
            {each["node"]: each["rank"] for each in found or ()}
            for found in (self.before, self.after)
        ]
        return [
            {
                **target,
                "rank_before": ranks[0].get(target["node"]),
                "rank_after": ranks[1].get(target["node"]),
            }
            for target in self.targets
        ]
