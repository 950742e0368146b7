"""Models behind a URL, and a row for every call made to any model."""

import uuid
from decimal import Decimal
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from project.inference import sealing
from project.inference.budget_models import (
    BudgetNotice,
    SpaceBudget,
    SpaceSpending,
    SpendingHold,
)
from project.inference.choices import Backend, CallKind, CallPurpose, Outcome, Purpose, Tier
from project.inference.querysets import ModelEndpointQuerySet, UsageRecordQuerySet
from project.inference.vector_models import EmbeddedText, ForgottenSubject, WaitingText

__all__ = [
    "BudgetNotice",
    "EmbeddedText",
    "ForgottenSubject",
    "ModelEndpoint",
    "SpaceBudget",
    "SpaceSpending",
    "SpendingHold",
    "UsageRecord",
    "WaitingText",
    "purpose_words",
]

_SECONDS = [MinValueValidator(0.1), MaxValueValidator(3600)]
_MILLION = Decimal(1_000_000)


class ModelEndpoint(models.Model):
    """A language or embedding model that Acervo may call.

    Set up by staff only: the address is called as it stands, also inside the own network.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=100, unique=True)
    purpose = models.CharField(
        _("purpose"), max_length=10, choices=Purpose.choices, default=Purpose.CHAT
    )
    backend = models.CharField(
        _("backend"), max_length=10, choices=Backend.choices, default=Backend.OPENAI
    )
    base_url = models.CharField(
        _("base URL"),
        max_length=500,
        blank=True,
        help_text=_("Up to and with the version, such as https://api.example.org/v1."),
    )
    model_name = models.CharField(_("model"), max_length=200, blank=True)
    api_key_sealed = models.TextField(blank=True, default="", editable=False)
    tier = models.CharField(
        _("tier"),
        max_length=10,
        choices=Tier.choices,
        default=Tier.MODERATE,
        help_text=_("Which questions it is meant for; other tiers fall back on it."),
    )
    weight = models.PositiveSmallIntegerField(
        _("weight"),
        default=100,
        help_text=_("Its share of the calls among endpoints of one tier; 0 is a stand-by."),
    )
    input_price = models.DecimalField(
        _("price per million input tokens"),
        max_digits=12,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
    )
    output_price = models.DecimalField(
        _("price per million output tokens"),
        max_digits=12,
        decimal_places=6,
        default=Decimal(0),
        validators=[MinValueValidator(Decimal(0))],
    )
    max_concurrency = models.PositiveSmallIntegerField(
        _("calls at once"), default=0, help_text=_("Over all processes; 0 is no limit.")
    )
    requests_per_minute = models.PositiveIntegerField(
        _("calls a minute"), default=0, help_text=_("Over all processes; 0 is no limit.")
    )
    connect_timeout = models.FloatField(_("seconds to connect"), default=5.0, validators=_SECONDS)
    first_token_timeout = models.FloatField(
        _("seconds to the first token"), default=30.0, validators=_SECONDS
    )
    idle_timeout = models.FloatField(_("seconds between tokens"), default=20.0, validators=_SECONDS)
    total_timeout = models.FloatField(_("seconds in all"), default=180.0, validators=_SECONDS)
    languages = ArrayField(
        models.CharField(max_length=12),
        default=list,
        blank=True,
        verbose_name=_("languages"),
        help_text=_("Codes of the languages it reads well, such as en, pt; empty means every one."),
    )
    dimensions = models.PositiveSmallIntegerField(
        _("dimensions"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(4000)],
        help_text=_("Length of the vectors of an embedding model."),
    )
    query_prefix = models.CharField(
        _("query prefix"),
        max_length=100,
        blank=True,
        help_text=_("What the model wants before a question, such as “query: ”."),
    )
    document_prefix = models.CharField(
        _("document prefix"),
        max_length=100,
        blank=True,
        help_text=_("What the model wants before a passage, such as “passage: ”."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = ModelEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("model endpoint")
        verbose_name_plural = _("model endpoints")
        ordering = ["purpose", "name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse combinations that cannot work, each at its field."""
        errors: dict[str, str] = {}
        if self.purpose == Purpose.CHAT and self.backend != Backend.OPENAI:
            errors["backend"] = str(_("A language model needs an OpenAI-compatible server."))
        if self.purpose == Purpose.RERANK and self.backend in {Backend.BUILTIN, Backend.HASHING}:
            errors["backend"] = str(_("A reranking model needs a server, or fastembed."))
        if self.backend in {Backend.OPENAI, Backend.FASTEMBED} and not self.model_name.strip():
            errors["model_name"] = str(_("Name the model to ask for."))
        if self.backend == Backend.OPENAI:
            problem = _address_problem(self.base_url)
            if problem:
                errors["base_url"] = problem
        wants_dimensions = self.backend in {Backend.OPENAI, Backend.FASTEMBED}
        if self.purpose == Purpose.EMBEDDING and wants_dimensions and not self.dimensions:
            errors["dimensions"] = str(_("Say how long the vectors of this model are."))
        if self.total_timeout < self.first_token_timeout:
            errors["total_timeout"] = str(_("It must not be shorter than the first token's time."))
        if errors:
            raise ValidationError(errors)

    @property
    def api_key(self) -> str:
        """The key in clear, for calls only; never shown. Raises `sealing.SealBroken`."""
        return sealing.unseal(self.api_key_sealed)

    @property
    def has_api_key(self) -> bool:
        """Whether a key is stored."""
        return bool(self.api_key_sealed)

    def set_api_key(self, secret: str) -> None:
        """Store a key sealed; "" removes it. Not saved yet."""
        self.api_key_sealed = sealing.seal(secret.strip())

    def cost_of(self, prompt_tokens: int, completion_tokens: int) -> Decimal:
        """Return the price of a call, in the currency of the prices."""
        total = self.input_price * prompt_tokens + self.output_price * completion_tokens
        return (total / _MILLION).quantize(Decimal("0.00000001"))


class UsageRecord(models.Model):
    """One call of one model. Read-only: rows are the account of what was spent."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(
        ModelEndpoint,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="usage",
        verbose_name=_("endpoint"),
        help_text=_("Empty for models that run inside Acervo."),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=CallKind.choices)
    model = models.CharField(_("model"), max_length=200)
    purpose = models.CharField(_("purpose"), max_length=32)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("user"),
    )
    # Ids of rows in apps above this one: no foreign keys, and the account outlives them.
    space_id = models.UUIDField(_("space"), null=True, blank=True)
    turn_id = models.UUIDField(_("turn"), null=True, blank=True)
    trace_id = models.CharField(_("trace"), max_length=64, blank=True)
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), default=0)
    is_estimated = models.BooleanField(
        _("estimated"), default=False, help_text=_("Whether Acervo counted the tokens itself.")
    )
    latency_ms = models.PositiveIntegerField(_("latency (ms)"), default=0)
    first_token_ms = models.PositiveIntegerField(_("first token (ms)"), null=True, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=16, decimal_places=8, default=Decimal(0))
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome.choices)
    error = models.CharField(_("error"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("time"), auto_now_add=True)

    objects = UsageRecordQuerySet.as_manager()

    class Meta:
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        ordering = ["-created_at", "id"]
        indexes = [
            # the admin's list and the dashboard's last hours
            models.Index(fields=["-created_at", "id"], name="usage_newest"),
            # what one turn used
            models.Index(
                fields=["turn_id"], name="usage_turn", condition=models.Q(turn_id__isnull=False)
            ),
            # what one user spent lately
            models.Index(fields=["user", "-created_at"], name="usage_user"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.get_outcome_display()}"

    @property
    def purpose_words(self) -> str:
        """What the call was made for, for people."""
        return purpose_words(self.purpose)


def purpose_words(purpose: str) -> str:
    """Return the words for a purpose of calls; an unknown one is its own name."""
    known = purpose in CallPurpose.values
    return str(CallPurpose(purpose).label) if known else purpose


def _address_problem(address: str) -> str | None:
    """Return what is wrong with a base URL, in words, or None."""
    try:
        parts = urlsplit(address.strip())
        host, _port = parts.hostname, parts.port
    except ValueError:
        return str(_("This is not a valid address."))
    if parts.scheme not in {"http", "https"} or not host:
        return str(_("The address must start with http:// or https:// and name a host."))
    if parts.username or parts.password:
        return str(_("Give the key in its own field, not inside the address."))
    if parts.query or parts.fragment:
        return str(_("The address must end with its path, without ? or #."))
    return None
