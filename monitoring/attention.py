"""What somebody should look at, for the admin's first page."""

import datetime
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Count, F, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.guard_admin import NEARLY, share_used
from knowledge.attention import Wanted, nodes_in_need
from knowledge.choices import NodeStatus
from knowledge.models import IngestJob, Node, NodeQuality, RelationSuggestion, Space
from knowledge.quality import Severity
from project.accounts.models import User
from project.events.models import Event, Webhook
from project.inference import breaker
from project.inference.models import ModelEndpoint, SpaceBudget

MOST_COUNTED = 1000


def rows_of(request: HttpRequest, model: Any) -> Any:
    """Return the rows of a model that the person may see in the admin; None for none at all."""
    model_admin = admin.site._registry[model]
    if not model_admin.has_view_permission(request):
        return None
    return model_admin.get_queryset(request)


def list_url(model: Any, query: str = "") -> str:
    opts = model._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist") + query


def attention_of(request: HttpRequest, processes: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return what somebody should look at, worst first."""
    items: list[dict[str, Any]] = []

    def add(tone: str, icon: str, text: str, url: str) -> None:
        items.append({"tone": tone, "icon": icon, "text": text, "url": url})

    for row in processes["rows"] if processes else []:
        if not row["count"]:
            text = _("No process of the kind “%(name)s” is alive.") % {"name": row["name"]}
            add("danger", "dangerous", text, reverse("admin:index") + "#processes")
    if rows_of(request, ModelEndpoint) is not None:
        for endpoint in ModelEndpoint.objects.active()[:20]:
            state = breaker.for_endpoint(endpoint).state().state
            if state != "closed":
                text = _("The breaker of “%(name)s” is open: it failed too often.")
                url = reverse("admin:inference_modelendpoint_change", args=[endpoint.pk])
                add("danger", "power_off", text % {"name": endpoint.name}, url)
    _attention_jobs(request, add)
    _attention_nodes(request, add)
    _attention_quality(request, add)
    _attention_suggestions(request, add)
    _attention_budgets(request, add)
    events = rows_of(request, Event)
    given_up = events.given_up().count() if events is not None else 0
    if given_up:
        text = ngettext("%(n)s event was given up.", "%(n)s events were given up.", given_up)
        add("danger", "outbox", text % {"n": given_up}, list_url(Event, "?state=given_up"))
    webhooks = rows_of(request, Webhook)
    off = webhooks.switched_off().count() if webhooks is not None else 0
    if off:
        text = ngettext(
            "%(n)s webhook was switched off: its receiver failed.",
            "%(n)s webhooks were switched off: their receivers failed.",
            off,
        )
        add("danger", "webhook", text % {"n": off}, list_url(Webhook, "?state=switched_off"))
    return sorted(items, key=lambda each: each["tone"] != "danger")


def _attention_budgets(request: HttpRequest, add: Callable[[str, str, str, str], None]) -> None:
    """Name the spaces whose month has used up its budget, or nearly."""
    budgets = rows_of(request, SpaceBudget)
    shares = {each: share_used(each) for each in budgets[:100]} if budgets is not None else {}
    near = {budget: share for budget, share in shares.items() if share >= NEARLY}
    names = dict(
        Space.objects.filter(pk__in=[each.space_id for each in near if each.space_id])
        .values_list("pk", "name")
    )  # fmt: skip
    for budget, share in sorted(near.items(), key=lambda item: -item[1]):
        text = _("The budget of “%(space)s” is used up: questions are answered from passages.")
        if share < 1:
            text = _("%(percent)s %% of the budget of “%(space)s” are used.")
        name = names.get(budget.space_id) or _("Questions over all spaces")
        tone = "danger" if share >= 1 else "warning"
        words = text % {"space": name, "percent": int(share * 100)}
        add(tone, "savings", words, list_url(SpaceBudget))


def _attention_jobs(request: HttpRequest, add: Callable[[str, str, str, str], None]) -> None:
    jobs = rows_of(request, IngestJob)
    failed = jobs.order_by().dead().count() if jobs is not None else 0
    if failed:
        text = ngettext("%(n)s job failed.", "%(n)s jobs failed.", failed)
        add(
            "danger",
            "sync_problem",
            text % {"n": failed},
            list_url(IngestJob, "?dead=open"),
        )


def _attention_nodes(request: HttpRequest, add: Callable[[str, str, str, str], None]) -> None:
    nodes = rows_of(request, Node)
    if nodes is None:
        return
    now = timezone.now()
    patience = now - datetime.timedelta(minutes=5)
    live = Q(status=NodeStatus.PUBLISHED)
    counts = nodes.order_by().aggregate(
        review=Count("pk", filter=Q(review_due__lte=now.date()) & ~Q(status=NodeStatus.ARCHIVED)),
        waiting=Count("pk", filter=Q(status=NodeStatus.IN_REVIEW)),
        expired=Count("pk", filter=live & Q(valid_until__lte=now)),
        behind=Count(
            "pk",
            filter=live
            & Q(updated_at__lt=patience)
            & (Q(indexed_version=None) | ~Q(indexed_version=F("version"))),
        ),
    )
    n = counts["behind"]
    if n:
        text = ngettext(
            "%(n)s published node is not in the index yet.",
            "%(n)s published nodes are not in the index yet.",
            n,
        )
        add("warning", "manage_search", text % {"n": n}, list_url(Node, "?attention=behind"))
    n = counts["review"]
    if n:
        text = ngettext("%(n)s review is overdue.", "%(n)s reviews are overdue.", n)
        add("warning", "event_busy", text % {"n": n}, list_url(Node, "?attention=review"))
    n = counts["waiting"]
    if n:
        text = ngettext("%(n)s node waits for a reviewer.", "%(n)s nodes wait for a reviewer.", n)
        add("info", "rate_review", text % {"n": n}, list_url(Node, "?status__exact=in_review"))
    n = counts["expired"]
    if n:
        text = ngettext(
            "%(n)s published node is past its validity.",
            "%(n)s published nodes are past their validity.",
            n,
        )
        add("info", "hourglass_disabled", text % {"n": n}, list_url(Node, "?attention=expired"))


def _attention_quality(request: HttpRequest, add: Callable[[str, str, str, str], None]) -> None:
    if rows_of(request, NodeQuality) is None:
        return
    assert isinstance(request.user, User)
    errors = nodes_in_need(request.user, Wanted(severity=Severity.ERROR), most=MOST_COUNTED)
    if errors:
        text = ngettext(
            "The checks found errors in %(n)s node.",
            "The checks found errors in %(n)s nodes.",
            errors,
        )
        shown = f"{errors}+" if errors == MOST_COUNTED else str(errors)
        url = list_url(NodeQuality, f"?severity={Severity.ERROR}")
        add("warning", "rule", text % {"n": shown}, url)


def _attention_suggestions(request: HttpRequest, add: Callable[[str, str, str, str], None]) -> None:
    rows = rows_of(request, RelationSuggestion)
    if rows is None:
        return
    count = rows.undecided().order_by().values("pk")[:MOST_COUNTED].count()
    if count:
        text = ngettext(
            "%(n)s suggested relation waits for a decision.",
            "%(n)s suggested relations wait for a decision.",
            count,
        )
        shown = f"{count}+" if count == MOST_COUNTED else str(count)
        add("info", "add_link", text % {"n": shown}, list_url(RelationSuggestion))
