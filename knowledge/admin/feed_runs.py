"""Runs of feeds: what each found, and the decision on those that are suspicious."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.jobs import progress_cell
from knowledge.choices import FeedAction, FeedRunStatus
from knowledge.models import FeedChange, FeedRun, Node
from project.accounts.choices import Role
from project.http.admin_base import badge, display, posted_only, refusals_as_messages, tone_of

PAGE = 50  # changes
RUN_TONES = {
    FeedRunStatus.RUNNING: "info",
    FeedRunStatus.COMPLETED: "success",
    FeedRunStatus.SUSPICIOUS: "warning",
    FeedRunStatus.DISCARDED: "muted",
    FeedRunStatus.FAILED: "danger",
    FeedRunStatus.CANCELLED: "muted",
}
ACTIONS = {  # a symbol beside the colour: not everybody sees the colour
    FeedAction.ADDED: ("+", "success"),
    FeedAction.CHANGED: ("~", "info"),
    FeedAction.GONE: ("−", "warning"),
    FeedAction.FAULT: ("✕", "danger"),
}


def run_counts(run: FeedRun) -> SafeString:
    """Return what a run found, in symbols with their words."""
    counts = {
        FeedAction.ADDED: run.added,
        FeedAction.CHANGED: run.changed,
        FeedAction.GONE: run.gone,
        FeedAction.FAULT: run.faults,
    }
    rows = [
        (ACTIONS[action][1], action.label, ACTIONS[action][0], count)
        for action, count in counts.items()
        if count
    ]
    line = '<span class="ac-badge ac-{}" title="{}">{} {}</span> '
    same = _("%(count)s unchanged") % {"count": run.unchanged}
    return format_html("{}<small>{}</small>", format_html_join("", line, rows), same)


@admin.register(FeedRun)
class FeedRunAdmin(SpaceScopedAdmin):
    """Runs are written by their workers: here they are read and decided on."""

    list_display = ("summary", "status_badge", "found", "started_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("feed__space", "started_by")
    list_filter = (("status", ChoicesDropdownFilter), ("feed", RelatedDropdownFilter))
    search_fields = ("feed__name",)
    ordering = ("-created_at", "id")
    change_form_template = "admin/knowledge/feedrun/run.html"

    @display(description=gettext_lazy("feed"), ordering="feed__name")
    def summary(self, run: FeedRun) -> SafeString:
        """Show the feed with its space below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', run.feed, run.feed.space
        )

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, run: FeedRun) -> SafeString:
        """Show where it stands."""
        return badge(run.get_status_display(), tone_of(RUN_TONES, run.status))

    @display(description=gettext_lazy("found"))
    def found(self, run: FeedRun) -> SafeString:
        """Show what it found."""
        return run_counts(run)

    def space_of(self, obj: Any) -> Any:
        """Return the id of the space that the run's feed belongs to."""
        return obj.feed.space_id

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: a feed is run from its page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a run is written by its worker."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: it says how its nodes came to be. The runs of a feed go with it."""
        return bool(getattr(request, "resolver_match", None)) and (
            request.resolver_match is not None
            and request.resolver_match.url_name == "knowledge_feed_delete"
        )

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show what the run found of each item."""
        return {} if obj is None else run_context(obj, request)

    def get_urls(self) -> list[URLPattern]:
        """Add the decisions."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>"
        return [
            path(f"{base}/confirm/", wrap(self.confirm_view), name="knowledge_feedrun_confirm"),
            path(f"{base}/discard/", wrap(self.discard_view), name="knowledge_feedrun_discard"),
            *super().get_urls(),
        ]

    def confirm_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the run do what it found."""
        text = _("Confirmed: what was found is being applied.")
        return self._decide(request, object_id, services.feed_run_confirm, text)

    def discard_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Drop what the run found."""
        return self._decide(request, object_id, services.feed_run_discard, _("Discarded."))

    def _decide(
        self, request: HttpRequest, object_id: str, service: Any, text: str
    ) -> HttpResponse:
        refused = posted_only(request)
        if refused is not None:
            return refused
        run = self.get_object(request, unquote(object_id))
        if run is None or not self.has_view_permission(request, run):
            raise Http404(_("There is no such run, or it is not yours to see."))
        with refusals_as_messages(request):
            service(acting_user=staff(request), run=run)
            messages.success(request, text)
        return self.redirect_to(run.pk)


def run_context(run: FeedRun, request: HttpRequest) -> dict[str, Any]:
    """Return everything that the page of a run shows."""
    chosen = request.GET.get("show", "")
    changes = run.changes.select_related("item", "source", "job").order_by("pk")
    if chosen in FeedAction.values:
        changes = changes.filter(action=chosen)
    else:
        chosen = ""
    page = Paginator(changes, PAGE).get_page(request.GET.get("page"))
    kept = run.changes.filter(action=FeedAction.GONE, applied_at=None).count()
    is_last = not run.feed.runs.filter(created_at__gt=run.created_at).exists()
    ended = run.status == FeedRunStatus.COMPLETED
    return {
        "run": run,
        "title": _("Run of a feed"),
        "subtitle": f"{run.feed} · {run.feed.space}",
        "badge": badge(run.get_status_display(), tone_of(RUN_TONES, run.status)),
        "progress": progress_cell(run.job) if run.job is not None else "",
        "cards": _cards(run),
        "filters": _filters(run, chosen),
        "chosen": chosen,
        "page": page,
        "rows": _rows(list(page.object_list)),
        "kept": kept if ended and is_last else 0,
        "may_decide": has_role(request, Role.CURATOR, run.feed.space_id),
        "show_history": False,
    }


def _cards(run: FeedRun) -> list[tuple[str, int]]:
    return [
        (_("Known before"), run.known),
        (_("Added"), run.added),
        (_("Changed"), run.changed),
        (_("Gone"), run.gone),
        (_("Unchanged"), run.unchanged),
        (_("Unreadable"), run.faults),
    ]


def _filters(run: FeedRun, chosen: str) -> list[dict[str, Any]]:
    counts = dict(_counts(run))
    rows = [{"value": "", "name": _("All"), "count": sum(counts.values()), "is_on": not chosen}]
    rows += [
        {"value": each.value, "name": each.label, "count": counts[each], "is_on": chosen == each}
        for each in FeedAction
        if counts.get(each)
    ]
    return rows


def _counts(run: FeedRun) -> Any:

    rows = run.changes.order_by().values_list("action")
    return rows.annotate(count=Count("pk"))


def _rows(changes: list[FeedChange]) -> list[dict[str, Any]]:
    """Return the changes of a page with their nodes and links."""
    ids = {pk for each in changes for pk in each.item.nodes[:3]}
    nodes = Node.objects.filter(pk__in=ids).only("pk", "title", "status").in_bulk()
    rows = []
    for each in changes:
        symbol, tone = ACTIONS[FeedAction(each.action)]
        rows.append(
            {
                "change": each,
                "symbol": symbol,
                "tone": tone,
                "nodes": [
                    (reverse("admin:knowledge_node_change", args=[pk]), nodes[pk])
                    for pk in each.item.nodes[:3]
                    if pk in nodes
                ],
                "more": max(0, len(each.item.nodes) - 3),
                "job": progress_cell(each.job) if each.job is not None else "",
                "source": reverse("admin:knowledge_source_change", args=[each.source_id])
                if each.source_id
                else "",
            }
        )
    return rows
