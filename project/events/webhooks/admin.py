"""Webhooks in the admin: each person's own; superusers see all, and no secret of them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from project.accounts.models import User
from project.events.models import Webhook
from project.events.webhooks import services
from project.events.webhooks.registry import offers, spaces_of
from project.http.admin_base import (
    AcervoAdmin,
    RefusalForm,
    badge,
    display,
    posted_only,
    reflect,
    refusals_as_messages,
)
from project.http.errors import ApiError

SHOWN = 10  # deliveries on the page of a webhook
FIELDS = ("name", "url", "types", "spaces", "is_enabled")
_ONCE = "_acervo_webhook_secret"


def person(request: HttpRequest) -> User:
    """Return the signed-in person; the admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


class WebhookForm(RefusalForm):
    """A webhook; its secret is made by the server."""

    owner: User | None = None
    types = forms.MultipleChoiceField(
        label=gettext_lazy("Events"), widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    spaces = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Spaces"),
        required=False,
        coerce=lambda value: value,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("None: every space that the owner may read."),
    )

    class Meta:
        model = Webhook
        fields = FIELDS
        widgets = {"url": UnfoldAdminTextInputWidget(attrs={"placeholder": "https://"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        types: Any = self.fields.get("types")
        if types is not None:
            types.choices = [(o.type, f"{o.description} ({o.type})") for o in offers()]
        spaces: Any = self.fields.get("spaces")
        if spaces is not None:
            spaces.choices = self._space_choices()

    def _space_choices(self) -> list[tuple[str, str]]:
        owner = self.instance.owner if self.instance.owner_id else self.owner
        return [(str(pk), name) for pk, name in spaces_of(owner)] if owner else []


class StateFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """Whether a webhook sends."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [
            ("sends", _("Sends")),
            ("failing", _("Fails now")),
            ("switched_off", _("Switched off: the receiver failed")),
            ("off", _("Switched off by hand")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the webhooks in the chosen state."""
        match self.value():
            case "sends":
                return queryset.filter(is_enabled=True)
            case "failing":
                return queryset.filter(is_enabled=True, failures__gt=0)
            case "switched_off":
                return queryset.switched_off()
            case "off":
                return queryset.filter(is_enabled=False, disabled_reason="owner")
        return queryset


@admin.register(Webhook)
class WebhookAdmin(AcervoAdmin):
    """Addresses that are told of events."""

    empty_words = gettext_lazy(
        "A webhook tells another program what happens here: name its address, and what it "
        "is to hear of."
    )
    form = WebhookForm
    list_display = ("summary", "state", "type_count", "last_success_at", "owner", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("owner",)
    list_filter = (StateFilter,)
    search_fields = ("name", "url")
    ordering = ("-created_at", "id")
    fields = FIELDS
    change_form_outer_before_template = "admin/events/webhook/bar.html"
    change_form_outer_after_template = "admin/events/webhook/deliveries.html"
    list_before_template = "admin/events/webhook/list_bar.html"

    class Media:
        js = [Script("acervo/admin/copy.js", type="module")]
        css = {"all": ["acervo/admin/webhooks.css"]}

    @display(description=gettext_lazy("webhook"), ordering="name")
    def summary(self, webhook: Webhook) -> SafeString:
        """Show the name with the address below it."""
        line = '<span class="ac-two"><b>{}</b><small>{}</small></span>'
        return format_html(line, webhook.name, webhook.url)

    @display(description=gettext_lazy("state"))
    def state(self, webhook: Webhook) -> SafeString:
        """Show whether it sends, and whether that works."""
        return state_badge(webhook)

    @display(description=gettext_lazy("events"))
    def type_count(self, webhook: Webhook) -> int:
        """Show how many types it asks for."""
        return len(webhook.types)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the person's own webhooks; all for superusers."""
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)

    def _is_staff(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may have webhooks: every member of staff."""
        return self._is_staff(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether it is the person's."""
        return self._is_staff(request) and self._is_theirs(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may make one."""
        return self._is_staff(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether it is the person's."""
        return self._is_staff(request) and self._is_theirs(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether it is the person's."""
        return self._is_staff(request) and self._is_theirs(request, obj)

    def _is_theirs(self, request: HttpRequest, obj: Any) -> bool:
        if not isinstance(obj, Webhook) or obj.owner_id is None:
            return True
        return person(request).is_superuser or obj.owner_id == request.user.pk

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Return the form with the spaces of the person who makes it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"owner": person(request)})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the webhook to the service; a new one's secret is shown by the next page."""
        fields = {name: form.cleaned_data[name] for name in FIELDS}
        user = person(request)
        if change:
            stored = Webhook.objects.get(pk=obj.pk)
            reflect(obj, services.webhook_update(acting_user=user, webhook=stored, **fields))
            return
        made = services.webhook_create(acting_user=user, **fields)
        reflect(obj, made.webhook)
        setattr(request, _ONCE, made.secret)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a webhook through its service."""
        services.webhook_delete(acting_user=person(request), webhook=obj)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show its state and its last deliveries; a new one is followed by its secret."""
        if obj is None:
            return {"show_save_and_add_another": False, "show_save_and_continue": False}
        return {
            "state": state_badge(obj),
            "is_mine": obj.owner_id == request.user.pk,
            "deliveries": list(obj.deliveries.order_by("-created_at", "id")[:SHOWN]),
            "waiting": obj.deliveries.filter(status="waiting").count(),
            "failed": obj.deliveries.filter(status="failed").count(),
        }

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Show the secret: in this answer only, which no cache keeps."""
        return self._secret_page(request, obj, getattr(request, _ONCE))

    def _secret_page(self, request: HttpRequest, webhook: Webhook, secret: str) -> HttpResponse:
        context = self.page_context(
            request, title=_("The secret of the webhook"), webhook=webhook, secret=secret
        )
        response = TemplateResponse(request, "admin/events/webhook/secret.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def get_urls(self) -> list[URLPattern]:
        """Add the buttons of a webhook."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>"
        return [
            path(f"{base}/test/", wrap(self.test_view), name="events_webhook_test"),
            path(f"{base}/rotate/", wrap(self.rotate_view), name="events_webhook_rotate"),
            path(f"{base}/replay/", wrap(self.replay_view), name="events_webhook_replay"),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send an event to try it."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        webhook = self._webhook(request, object_id)
        with refusals_as_messages(request):
            services.webhook_test(acting_user=person(request), webhook=webhook)
            messages.success(request, _("An event is on its way: look at its delivery below."))
        return self.redirect_to(webhook.pk)

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a new secret, and show it once."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        webhook = self._webhook(request, object_id)
        try:
            made = services.webhook_rotate(acting_user=person(request), webhook=webhook)
        except ApiError as error:
            messages.error(request, error.message)
            return self.redirect_to(webhook.pk)
        self.log_change(request, webhook, _("New secret."))
        return self._secret_page(request, made.webhook, made.secret)

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send everything that failed once more."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        webhook = self._webhook(request, object_id)
        with refusals_as_messages(request):
            n = services.deliveries_replay(acting_user=person(request), webhook=webhook)
            text = ngettext("%(n)s delivery is sent again.", "%(n)s deliveries are sent again.", n)
            messages.success(request, text % {"n": n})
        return self.redirect_to(webhook.pk)

    def _webhook(self, request: HttpRequest, object_id: str) -> Webhook:
        webhook: Webhook | None = self.get_object(request, unquote(object_id))
        if webhook is None or not self.has_change_permission(request, webhook):
            raise Http404(_("There is no such webhook, or it is not yours to see."))
        return webhook


def state_badge(webhook: Webhook) -> SafeString:
    """Return whether a webhook sends, and whether that works."""
    if not webhook.is_enabled:
        tone = "default" if webhook.disabled_reason == "owner" else "danger"
        return badge(webhook.get_disabled_reason_display(), tone)
    if webhook.failures:
        text = ngettext(
            "Fails: %(n)s try in a row", "Fails: %(n)s tries in a row", webhook.failures
        )
        return badge(text % {"n": webhook.failures}, "warning")
    return badge(_("Sends"), "success")
