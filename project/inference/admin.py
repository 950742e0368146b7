"""Model endpoints with their secrets and breakers, and the account of what was called."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    RangeDateFilter,
    RelatedDropdownFilter,
)
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldBooleanSwitchWidget

from project.accounts.models import User
from project.http.admin_base import (
    AcervoAdmin,
    ReadOnlyAdmin,
    RefusalForm,
    badge,
    display,
    plain_decimal,
    posted_only,
    tone_of,
)
from project.inference import breaker
from project.inference.choices import Outcome
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.services import endpoint_save
from project.inference.trials import endpoint_try

BREAKER_TONES = {"closed": "success", "half_open": "warning", "half-open": "warning",
                 "open": "danger"}  # fmt: skip
OUTCOME_TONES = {Outcome.OK: "success", Outcome.CANCELLED: "muted"}


class EndpointForm(RefusalForm):
    """An endpoint. Its key goes in and never comes out again."""

    new_api_key = forms.CharField(
        label=pgettext_lazy("label", "API key"),
        required=False,
        max_length=2000,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )
    clear_api_key = forms.BooleanField(
        label=gettext_lazy("Remove the stored key"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
    )

    class Meta:
        model = ModelEndpoint
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_api_key" in self.fields:
            has_key = self.instance.has_api_key
            self.fields["new_api_key"].help_text = (
                _("A key is set. Leave this empty to keep it, or type the one that replaces it.")
                if has_key
                else _("No key is set. It is stored encrypted and never shown again.")
            )
            self.fields["clear_api_key"].disabled = not has_key

    def clean(self) -> dict[str, Any]:
        """Refuse to set and to remove a key at once."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if data.get("new_api_key") and data.get("clear_api_key"):
            self.add_error("clear_api_key", _("Either replace the key or remove it."))
        return data

    def api_key(self) -> str | None:
        """Return the new key, "" to remove it, None to keep the stored one."""
        if self.cleaned_data.get("clear_api_key"):
            return ""
        return self.cleaned_data.get("new_api_key") or None


@admin.register(ModelEndpoint)
class ModelEndpointAdmin(AcervoAdmin):
    """Language and embedding models, with the state of their circuit breakers."""

    form = EndpointForm
    list_display = ("summary", "purpose", "backend", "tier", "weight", "key_state",
                    "breaker_state", "is_active")  # fmt: skip
    list_display_links = ("summary",)
    list_filter = (("purpose", ChoicesDropdownFilter), ("backend", ChoicesDropdownFilter),
                   "is_active")  # fmt: skip
    search_fields = ("name", "model_name", "base_url")
    change_form_outer_before_template = "admin/inference/modelendpoint/state_bar.html"
    fieldsets = (
        (None, {"fields": (("name", "is_active"), ("purpose", "backend"))}),
        (
            gettext_lazy("Where it is"),
            {"fields": ("base_url", "model_name", "new_api_key", "clear_api_key")},
        ),
        (gettext_lazy("When it is chosen"), {"fields": (("tier", "weight"), "languages")}),
        (
            gettext_lazy("Prices and limits"),
            {
                "fields": (
                    ("input_price", "output_price"),
                    ("max_concurrency", "requests_per_minute"),
                    ("connect_timeout", "first_token_timeout"),
                    ("idle_timeout", "total_timeout"),
                )
            },
        ),
        (
            gettext_lazy("Embedding models only"),
            {"fields": ("dimensions", ("query_prefix", "document_prefix"))},
        ),
    )

    @display(description=gettext_lazy("endpoint"), ordering="name")
    def summary(self, endpoint: ModelEndpoint) -> SafeString:
        """Show the name with the model below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>',
            endpoint.name,
            endpoint.model_name or endpoint.get_backend_display(),
        )

    @display(description=gettext_lazy("key"))
    def key_state(self, endpoint: ModelEndpoint) -> SafeString:
        """Show whether a key is stored, never which."""
        is_set = endpoint.has_api_key
        return badge(_("Set") if is_set else _("None"), "success" if is_set else "plain")

    @display(description=gettext_lazy("breaker"))
    def breaker_state(self, endpoint: ModelEndpoint) -> SafeString:
        """Show the state of the breaker."""
        return _breaker_badge(endpoint)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the endpoint to the service."""
        endpoint_save(acting_user=_person(request), endpoint=obj, api_key=form.api_key())

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Add the breaker and the last calls."""
        if obj is None:
            return {}
        return {
            "endpoint": obj,
            "breaker": breaker.for_endpoint(obj).state(),
            "breaker_badge": _breaker_badge(obj),
            "last_calls": obj.usage.order_by("-created_at")[:5],
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the test call and the reset of the breaker."""
        wrap, name = self.admin_site.admin_view, "inference_modelendpoint"
        return [
            path("<path:object_id>/try/", wrap(self.try_view), name=f"{name}_try"),
            path("<path:object_id>/reset/", wrap(self.reset_view), name=f"{name}_reset"),
            *super().get_urls(),
        ]

    def try_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a real small call of the endpoint and tell how it went."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        endpoint = self._opened(request, object_id)
        trial = endpoint_try(endpoint, user_id=_person(request).pk)
        if trial.is_ok:
            text = _("It answered in %(ms)s ms: %(said)s") % {
                "ms": trial.latency_ms,
                "said": trial.text or "–",
            }
            messages.success(request, text)
        else:
            text = _("The call failed after %(ms)s ms: %(why)s") % {
                "ms": trial.latency_ms,
                "why": trial.text,
            }
            messages.error(request, text)
        return self.redirect_to(endpoint.pk)

    def reset_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close the breaker of the endpoint."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        endpoint = self._opened(request, object_id)
        breaker.for_endpoint(endpoint).reset()
        messages.success(request, _("The breaker is closed: calls go through again."))
        return self.redirect_to(endpoint.pk)

    def _opened(self, request: HttpRequest, object_id: str) -> ModelEndpoint:
        endpoint = self.get_object(request, unquote(object_id))
        if endpoint is None or not self.has_change_permission(request, endpoint):
            raise Http404(_("There is no such endpoint."))
        assert isinstance(endpoint, ModelEndpoint)
        return endpoint


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """Read-only: the rows are the account of what was spent."""

    list_display = ("created_at", "purpose_shown", "model", "outcome_badge", "tokens", "latency",
                    "cost_words", "user")  # fmt: skip
    list_select_related = ("user", "endpoint")
    list_filter = (
        ("created_at", RangeDateFilter),
        ("kind", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        ("endpoint", RelatedDropdownFilter),
    )
    list_before_template = "admin/inference/usagerecord/totals.html"
    search_fields = ("model", "purpose", "trace_id", "turn_id__exact", "user__username")
    ordering = ("-created_at", "id")

    @display(description=gettext_lazy("purpose"), ordering="purpose")
    def purpose_shown(self, row: UsageRecord) -> str:
        """Show what the call was made for."""
        return row.purpose_words

    @display(description=gettext_lazy("outcome"), ordering="outcome")
    def outcome_badge(self, row: UsageRecord) -> SafeString:
        """Show how the call ended."""
        tone = tone_of(OUTCOME_TONES, row.outcome)
        return badge(row.get_outcome_display(), "danger" if tone == "default" else tone)

    @display(description=gettext_lazy("tokens in / out"))
    def tokens(self, row: UsageRecord) -> str:
        """Show the tokens; those that Acervo counted itself with a tilde."""
        mark = "~" if row.is_estimated else ""
        return f"{mark}{row.prompt_tokens} / {row.completion_tokens}"

    @display(description=gettext_lazy("latency"), ordering="latency_ms")
    def latency(self, row: UsageRecord) -> str:
        """Show the milliseconds, to the first token and in all."""
        first = f"{row.first_token_ms} / " if row.first_token_ms is not None else ""
        return f"{first}{row.latency_ms} ms"

    @display(description=gettext_lazy("cost"), ordering="cost")
    def cost_words(self, row: UsageRecord) -> str:
        """Show the cost without needless zeros."""
        return plain_decimal(row.cost)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Add the sums over the rows that the filters leave."""
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            context["totals"] = context["cl"].queryset.order_by().totals()
        return response


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _breaker_badge(endpoint: ModelEndpoint) -> SafeString:
    seen = breaker.for_endpoint(endpoint).state()
    names = {"closed": _("Closed"), "open": _("Open")}
    return badge(names.get(seen.state, _("Half open")), BREAKER_TONES.get(seen.state, "warning"))
