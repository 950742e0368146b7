"""The admin's sidebar: what a person may open, grouped by what it is about."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

from chat.models import Conversation, Turn
from knowledge.admin.access import has_role, staff
from knowledge.admin.proposal_lists import waiting_for
from knowledge.attention import MINE, Wanted, nodes_in_need
from knowledge.choices import FeedRunStatus, NodeStatus
from knowledge.models import (
    EvaluationRun,
    Feed,
    GoldenQuestion,
    IndexGeneration,
    IngestJob,
    Kind,
    KindMigration,
    Node,
    NodeQuality,
    Proposal,
    Relation,
    RelationSuggestion,
    Release,
    RetrievalProfile,
    RetrievalTuning,
    Source,
    Space,
)
from memory.models import Episode
from project.accounts.choices import Role
from project.accounts.models import ApiKey, User
from project.events.models import Event, Webhook
from project.inference.models import ModelEndpoint, UsageRecord

MOST = 99


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar; whatever the person may not see is left out."""
    groups = [
        {
            "title": "",
            "items": [
                _link(_("Dashboard"), "dashboard", "admin:index"),
                _link(_("Open chat"), "forum", "chat-home"),
                _link(_("API docs"), "api", "api-docs"),
            ],
        },
        {
            "title": _("Knowledge"),
            "items": [
                _model(request, Node, "article", badge=_in_review, tone="warning"),
                _model(request, Proposal, "call_split", badge=_waiting(request), tone="warning"),
                _attention(request),
                _model(request, Relation, "hub"),
                _model(request, RelationSuggestion, "add_link", badge=_suggested, tone="info"),
                _model(request, Release, "inventory_2"),
                _model(request, Space, "workspaces"),
                _model(request, Kind, "category"),
                _model(request, KindMigration, "schema"),
                _model(request, Source, "upload_file"),
                _model(request, Feed, "rss_feed", badge=_suspicious, tone="warning"),
                _model(request, IngestJob, "sync", badge=_failed_jobs, tone="danger"),
                _workbench(request),
                _model(request, IndexGeneration, "manage_search"),
                _model(request, GoldenQuestion, "target"),
                _model(request, EvaluationRun, "labs"),
                _model(request, RetrievalProfile, "tune"),
                _model(request, RetrievalTuning, "model_training"),
            ],
        },
        {
            "title": _("Conversations"),
            "items": [_model(request, Conversation, "chat"), _model(request, Turn, "reply_all")],
        },
        {"title": _("Memory"), "items": [_model(request, Episode, "history_edu")]},
        {
            "title": _("Models"),
            "items": [
                _model(request, ModelEndpoint, "smart_toy"),
                _model(request, UsageRecord, "payments"),
            ],
        },
        {
            "title": _("People"),
            "items": [
                _model(request, User, "person"),
                _named(request, "auth.group", "group"),
                _model(request, ApiKey, "key"),
            ],
        },
        {
            "title": _("Operations"),
            "items": [
                _model(request, Webhook, "webhook", badge=_switched_off, tone="danger"),
                _model(request, Event, "outbox", badge=_given_up, tone="danger"),
                _named(request, "django_celery_beat.periodictask", "schedule"),
                _named(request, "axes.accessattempt", "lock_person"),
                _named(request, "axes.accesslog", "login"),
            ],
        },
    ]
    for group in groups:
        group["items"] = [item for item in group["items"] if item]
    return [group for group in groups if group["items"]]


def _link(title: str, icon: str, *names: str) -> dict[str, Any] | None:
    """Return a link to the first of the named addresses that exists."""
    for name in names:
        try:
            item = {"title": title, "icon": icon, "link": reverse(name)}
            # The theme takes a link for the page that is open when the path begins so; "/" always.
            return item if name == "admin:index" else {**item, "active": False}
        except NoReverseMatch:
            continue
    return None


def _named(request: HttpRequest, label: str, icon: str) -> dict[str, Any] | None:
    """Return a link to the list of a model of another package."""
    known = {model._meta.label_lower: model for model in admin.site._registry}
    return _model(request, known[label], icon) if label in known else None


def _model(
    request: HttpRequest,
    model: type[models.Model],
    icon: str,
    *,
    badge: Any = None,
    tone: str = "",
) -> dict[str, Any] | None:
    """Return a link to the list of a model, or nothing when the person may not see it."""
    model_admin = admin.site._registry.get(model)
    if model_admin is None or not model_admin.has_module_permission(request):
        return None
    if not model_admin.has_view_permission(request):
        return None
    opts = model._meta
    name = str(opts.verbose_name_plural)
    item: dict[str, Any] = {
        "title": name[:1].upper() + name[1:],
        "icon": icon,
        "link": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
    }
    count = badge(model_admin.get_queryset(request)) if badge is not None else 0
    if count:
        item |= {
            "badge": str(count) if count <= MOST else f"{MOST}+",
            "badge_variant": tone,
        }
    return item


def _workbench(request: HttpRequest) -> dict[str, Any] | None:
    """Return a link to the search workbench, for whoever edits a space."""
    may_open = has_role(request, Role.EDITOR)
    return _link(_("Search workbench"), "science", "admin-workbench") if may_open else None


def _attention(request: HttpRequest) -> dict[str, Any] | None:
    """Return a link to what needs attention, with the number of the person's own nodes in it."""
    item = _model(request, NodeQuality, "notification_important")
    if item is None:
        return None
    assert isinstance(request.user, User)
    count = nodes_in_need(request.user, Wanted(owner=MINE), most=MOST + 1)
    badge = str(count) if count <= MOST else f"{MOST}+"
    shown = {"badge": badge, "badge_variant": "warning"} if count else {}
    return {**item, "title": _("Needs attention"), **shown}


def _counted(rows: Any) -> int:
    """Count, but not further than a badge can say."""
    return int(rows.order_by().values("pk")[: MOST + 1].count())


def _in_review(rows: Any) -> int:
    return _counted(rows.filter(status=NodeStatus.IN_REVIEW))


def _waiting(request: HttpRequest) -> Callable[[Any], int]:
    """Return what counts the proposals that wait for the person's review."""
    return lambda rows: _counted(waiting_for(rows, staff(request)))


def _suggested(rows: Any) -> int:
    return _counted(rows.undecided())


def _suspicious(rows: Any) -> int:
    return _counted(rows.filter(runs__status=FeedRunStatus.SUSPICIOUS))


def _failed_jobs(rows: Any) -> int:
    return _counted(rows.dead())


def _switched_off(rows: Any) -> int:
    return _counted(rows.switched_off())


def _given_up(rows: Any) -> int:
    return _counted(rows.given_up())
