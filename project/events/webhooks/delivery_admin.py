"""Deliveries in the admin: what was told, each try, and sending it again."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from project.events.choices import DeliveryStatus
from project.events.models import WebhookDelivery
from project.events.webhooks import services
from project.events.webhooks.admin import person
from project.events.webhooks.sending import body_of
from project.http.admin_base import (
    ReadOnlyAdmin,
    badge,
    display,
    each_done,
    posted_only,
    refusals_as_messages,
    tone_of,
)

TONES = {
    DeliveryStatus.WAITING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.FAILED: "danger",
    DeliveryStatus.WITHHELD: "default",
}


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Deliveries are written with their events; here they are looked at and sent again."""

    empty_words = gettext_lazy(
        "Every message to a webhook is kept here, with each try and what was answered."
    )
    list_display = ("summary", "state", "attempts", "answer", "next_try", "happened_at")
    list_display_links = ("summary",)
    list_select_related = ("webhook",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("webhook", RelatedDropdownFilter),
    )
    search_fields = ("type", "id__exact", "subject_id__exact", "trace_id")
    search_help_text = gettext_lazy("Type, id, id of what it is about, or trace id")
    ordering = ("-created_at", "id")
    actions = ("deliveries_again",)
    change_form_template = "admin/events/webhookdelivery/one.html"

    @display(description=gettext_lazy("answer"), ordering="last_status")
    def answer(self, row: WebhookDelivery) -> str | SafeString:
        """Show what the last try came to."""
        if not row.last_error:
            return str(row.last_status or "–")
        return format_html(
            '<span class="ac-two">{}<small class="ac-error-text">{}</small></span>',
            row.last_status or "–",
            row.last_error[:120],
        )

    @display(description=gettext_lazy("delivery"), ordering="type")
    def summary(self, row: WebhookDelivery) -> SafeString:
        """Show the type with the webhook below it."""
        line = '<span class="ac-two"><b>{}</b><small>{}</small></span>'
        return format_html(line, row.type, row.webhook)

    @display(description=gettext_lazy("status"), ordering="status")
    def state(self, row: WebhookDelivery) -> SafeString:
        """Show how far it has come."""
        return badge(row.get_status_display(), tone_of(TONES, row.status))

    @display(description=gettext_lazy("next try"), ordering="next_attempt_at")
    def next_try(self, row: WebhookDelivery) -> Any:
        """Show when it is tried again."""
        return row.next_attempt_at if row.status == DeliveryStatus.WAITING else None

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the deliveries of the person's own webhooks; all for superusers."""
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may have webhooks: every member of staff."""
        return bool(request.user.is_active and getattr(request.user, "is_staff", False))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the delivery is of a webhook of theirs."""
        if not self.has_module_permission(request):
            return False
        theirs = not isinstance(obj, WebhookDelivery) or obj.webhook.owner_id == request.user.pk
        return theirs or person(request).is_superuser

    @admin.action(description=gettext_lazy("Send again"), permissions=["view"])
    def deliveries_again(self, request: HttpRequest, rows: Any) -> None:
        """Send the chosen deliveries once more."""
        user = person(request)
        each_done(
            request, rows, lambda row: services.delivery_replay(acting_user=user, delivery=row)
        )

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show the message and each try."""
        if obj is None:
            return {}
        return {
            "row": obj,
            "badge": self.state(obj),
            "tries": [{**each, "at": parse_datetime(each["at"])} for each in obj.history],
            "body": body_of(obj).decode(),
            "title": obj.type,
            "subtitle": str(obj.webhook),
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the button that sends again."""
        again = path(
            "<path:object_id>/replay/",
            self.admin_site.admin_view(self.replay_view),
            name="events_webhookdelivery_replay",
        )
        return [again, *super().get_urls()]

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send one delivery once more."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row: WebhookDelivery | None = self.get_object(request, unquote(object_id))
        if row is None or not self.has_view_permission(request, row):
            raise Http404(_("There is no such delivery, or it is not yours to see."))
        with refusals_as_messages(request):
            services.delivery_replay(acting_user=person(request), delivery=row)
            messages.success(request, _("It is sent again."))
        return self.redirect_to(row.pk)
