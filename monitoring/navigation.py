"""The admin's sidebar: what a person may open, grouped by what it is about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from chat.choices import ExperimentStatus, GapStatus
from chat.guard_admin import used_up
from chat.models import (
    AnswerSetup,
    CachedAnswer,
    ConfidenceThreshold,
    Conversation,
    Experiment,
    Handoff,
    KnowledgeGap,
    PromptVersion,
    SpaceWord,
    Turn,
)
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
from project.inference.models import ModelEndpoint, SpaceBudget, UsageRecord

MOST = 99  # what a badge counts to
FRESH = 15  # seconds that the numbers of a person are kept
Counter = Callable[[Any, HttpRequest], int]
"""Counts among the rows that a person may see in the admin."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is no list of rows; without `role`, for everybody, else from that role on."""

    title: str | Promise
    icon: str
    address: str
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The list of a model (of another package: its label), with what `count` finds as a badge."""

    model: type[models.Model] | str
    icon: str
    count: Counter | None = None
    tone: str = ""
    title: str | Promise = ""  # instead of the model's own name


def _counted(rows: Any) -> int:
    """Count, but not further than a badge can say."""
    return int(rows.order_by().values("pk")[: MOST + 1].count())


def _in_review(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.filter(status=NodeStatus.IN_REVIEW))


def _waiting(rows: Any, request: HttpRequest) -> int:
    return _counted(waiting_for(rows, staff(request)))


def _used_up(rows: Any, _request: HttpRequest) -> int:
    return used_up(rows)


def _own_in_need(_rows: Any, request: HttpRequest) -> int:
    return nodes_in_need(staff(request), Wanted(owner=MINE), most=MOST + 1)


def _suggested(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.undecided())


def _suspicious(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.filter(runs__status=FeedRunStatus.SUSPICIOUS))


def _failed_jobs(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.dead())


def _switched_off(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.switched_off())


def _open_gaps(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.filter(status=GapStatus.OPEN))


def _running(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.filter(status=ExperimentStatus.RUNNING))


def _waiting_people(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.waiting())


def _given_up(rows: Any, _request: HttpRequest) -> int:
    return _counted(rows.given_up())


GROUPS: tuple[tuple[str | Promise, tuple[Page | Rows, ...]], ...] = (
    (
        "",
        (
            Page(_("Dashboard"), "dashboard", "admin:index"),
            Page(_("Open chat"), "forum", "chat-home"),
            Page(_("API docs"), "api", "api-docs"),
        ),
    ),
    (
        _("Knowledge"),
        (
            Rows(Node, "article", _in_review, "warning"),
            Rows(Proposal, "call_split", _waiting, "warning"),
            Rows(
                NodeQuality,
                "notification_important",
                _own_in_need,
                "warning",
                title=_("Needs attention"),
            ),
            Rows(KnowledgeGap, "help_center", _open_gaps, "info"),
            Rows(Relation, "hub"),
            Rows(RelationSuggestion, "add_link", _suggested, "info"),
            Rows(Release, "inventory_2"),
            Rows(Space, "workspaces"),
            Rows(Kind, "category"),
            Rows(KindMigration, "schema"),
            Rows(Source, "upload_file"),
            Rows(Feed, "rss_feed", _suspicious, "warning"),
            Rows(IngestJob, "sync", _failed_jobs, "danger"),
            Page(_("Search workbench"), "science", "admin-workbench", Role.EDITOR),
            Rows(IndexGeneration, "manage_search"),
            Rows(GoldenQuestion, "target"),
            Rows(EvaluationRun, "labs"),
            Rows(RetrievalProfile, "tune"),
            Rows(RetrievalTuning, "model_training"),
        ),
    ),
    (
        _("Conversations"),
        (
            Rows(Handoff, "support_agent", _waiting_people, "warning", title=_("Inbox")),
            Rows(Conversation, "chat"),
            Rows(Turn, "reply_all"),
            Rows(CachedAnswer, "cached"),
            Rows(ConfidenceThreshold, "speed"),
            Rows(SpaceWord, "gpp_maybe"),
        ),
    ),
    (_("Memory"), (Rows(Episode, "history_edu"),)),
    (
        _("Models"),
        (
            Rows(ModelEndpoint, "smart_toy"),
            Rows(UsageRecord, "payments"),
            Rows(SpaceBudget, "savings", _used_up, "danger"),
            Rows(AnswerSetup, "settings_suggest"),
            Rows(PromptVersion, "description"),
            Rows(Experiment, "labs", _running, "info"),
        ),
    ),
    (_("People"), (Rows(User, "person"), Rows("auth.group", "group"), Rows(ApiKey, "key"))),
    (
        _("Operations"),
        (
            Rows(Webhook, "webhook", _switched_off, "danger"),
            Rows(Event, "outbox", _given_up, "danger"),
            Rows("django_celery_beat.periodictask", "schedule"),
            Rows("axes.accessattempt", "lock_person"),
            Rows("axes.accesslog", "login"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar; whatever the person may not see is left out.

    Counting takes as long as the rest of most pages: the numbers are those of a moment ago, until
    the person does something (`numbers_forget`).
    """
    kept = cache.get(_numbers_key(request))
    numbers: dict[str, int] = {} if kept is None else kept
    groups = []
    for title, entries in GROUPS:
        shown = [_shown(entry, request, numbers) for entry in entries]
        if items := [item for item in shown if item is not None]:
            groups.append({"title": str(title), "items": items})
    if kept is None:
        cache.set(_numbers_key(request), numbers, FRESH)
    return groups


def numbers_forget(request: HttpRequest) -> None:
    """Have the numbers of a person counted anew: what they did is to be seen at once."""
    cache.delete(_numbers_key(request))


def _numbers_key(request: HttpRequest) -> str:
    return f"sidebar:{request.user.pk}"


def _shown(
    entry: Page | Rows, request: HttpRequest, numbers: dict[str, int]
) -> dict[str, Any] | None:
    return _page(entry, request) if isinstance(entry, Page) else _rows(entry, request, numbers)


def _page(page: Page, request: HttpRequest) -> dict[str, Any] | None:
    """Return a link to a page, or nothing when it is not there or not for the person."""
    if page.role is not None and not has_role(request, page.role):
        return None
    try:
        item = {"title": str(page.title), "icon": page.icon, "link": reverse(page.address)}
    except NoReverseMatch:
        return None
    # The theme takes a link for the page that is open when the path begins so; "/" always.
    return item if page.address == "admin:index" else {**item, "active": False}


def _rows(rows: Rows, request: HttpRequest, numbers: dict[str, int]) -> dict[str, Any] | None:
    """Return a link to the list of a model, or nothing when the person may not see it.

    A number that is not yet in `numbers` is counted and added.
    """
    model = _model(rows.model)
    model_admin = admin.site._registry.get(model) if model is not None else None
    if model is None or model_admin is None or not model_admin.has_module_permission(request):
        return None
    if not model_admin.has_view_permission(request):
        return None
    opts = model._meta
    name = str(rows.title or opts.verbose_name_plural)
    item: dict[str, Any] = {
        "title": name[:1].upper() + name[1:],
        "icon": rows.icon,
        "link": reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist"),
    }
    if rows.count is not None and opts.label not in numbers:
        numbers[opts.label] = rows.count(model_admin.get_queryset(request), request)
    if count := numbers.get(opts.label, 0):
        badge = str(count) if count <= MOST else f"{MOST}+"
        item |= {"badge": badge, "badge_variant": rows.tone}
    return item


def _model(named: type[models.Model] | str) -> type[models.Model] | None:
    """Return a model of the admin, also by its label."""
    if not isinstance(named, str):
        return named
    known = {model._meta.label_lower: model for model in admin.site._registry}
    return known.get(named)
