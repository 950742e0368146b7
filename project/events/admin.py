"""Events: what happened, who has heard of it, and sending it again."""

import json
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter

from project.events.models import Event
from project.events.registry import subscribers_of
from project.events.services import events_resend
from project.events.webhooks.admin import WebhookAdmin
from project.events.webhooks.delivery_admin import WebhookDeliveryAdmin
from project.http.admin_base import ReadOnlyAdmin, badge, display

__all__ = ["EventAdmin", "WebhookAdmin", "WebhookDeliveryAdmin"]


class StateFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """How far an event has come."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the states."""
        return [("unsettled", _("Waiting")), ("given_up", _("Given up")), ("settled", _("Settled"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the events in the chosen state."""
        match self.value():
            case "unsettled":
                return queryset.unsettled()
            case "given_up":
                return queryset.given_up()
            case "settled":
                return queryset.exclude(settled_at=None)
        return queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Read-only: an event tells what was written with it; only its delivery can be repeated."""

    list_display = ("position", "type", "state", "attempts", "subject_id", "created_at")
    list_display_links = ("position", "type")
    list_filter = (StateFilter,)
    search_fields = ("type", "subject_id__exact", "trace_id")
    search_help_text = gettext_lazy("Type, id of what it is about, or trace id")
    ordering = ("-position",)
    actions = ("events_again",)
    fields = (
        "position", "type", "state", "subscribers", "readable", "subject_id", "space_id",
        "trace_id", "created_at", "settled_at", "attempts", "relay_at", "failed_at", "error",
    )  # fmt: skip

    @display(description=gettext_lazy("state"))
    def state(self, event: Event) -> SafeString:
        """Show how far its delivery is."""
        if event.settled_at is not None:
            return badge(_("Settled"), "success")
        if event.failed_at is not None:
            return badge(_("Given up"), "danger")
        return badge(_("Waiting"), "warning")

    @display(description=gettext_lazy("subscribers"))
    def subscribers(self, event: Event) -> str | SafeString:
        """Show who wants it, and who has applied it."""
        done = dict(event.receipts.values_list("consumer", "created_at"))
        wanted = {each.name for each in subscribers_of(event.type)} | set(done)
        rows = [
            (
                name,
                badge(_("Applied"), "success") if name in done else badge(_("Not yet"), "warning"),
            )
            for name in sorted(wanted)
        ]
        if not rows:
            return _("Nobody listens to this type.")
        line = "<li>{} {}</li>"
        return format_html('<ul class="ac-plain">{}</ul>', format_html_join("", line, rows))

    @display(description=gettext_lazy("payload"))
    def readable(self, event: Event) -> SafeString:
        """Show the payload with one pair a line."""
        text = json.dumps(event.payload, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html('<pre class="ac-pre">{}</pre>', text)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Return whether the person may change events, which here means sending them again."""
        return request.user.has_perm("events.change_event")

    @admin.action(description=gettext_lazy("Send again"), permissions=["resend"])
    def events_again(self, request: HttpRequest, rows: Any) -> None:
        """Let the relay send the chosen events again; settled ones stay settled."""
        count = events_resend(rows)
        text = ngettext("%(count)s event is sent again.", "%(count)s events are sent again.", count)
        messages.success(request, text % {"count": count})
