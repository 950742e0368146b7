"""What needs attention: findings by kind, each row with the direct way to put it right."""

import datetime
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, staff
from knowledge.admin.quality_pairs import pair_done
from knowledge.admin.quality_shown import shown
from knowledge.admin.versions import comparison_of
from knowledge.attention import (
    MINE,
    NOBODY,
    OWNERS,
    REVIEWS,
    Wanted,
    counts_of,
    findings_of,
    nodes_in_need,
    rows_with,
)
from knowledge.models import DistinctPair, Node, NodeQuality, Space
from knowledge.quality import CATALOGUE, Severity, finding_restored, space_scores, tone_of_score
from knowledge.quality.refreshing import care_check, node_check
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import each_done
from project.http.ids import uuid_or_none

FEW, PAGE, MOST = 5, 25, 99
SNOOZE_DAYS = 30
SHOWN = 2  # findings of one kind in one row
MOST_PEOPLE = 200
ARCHIVABLE = frozenset({"duplicate", "expired", "empty"})
"""What is often put right by archiving."""


@admin.register(NodeQuality)
class NodeQualityAdmin(SpaceScopedAdmin):
    """The list of what needs attention; it changes nodes, through the services, and no row."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: the checks make the rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: nobody edits what was found."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Add the page of two nodes side by side."""
        wrap = self.admin_site.admin_view
        pair = "pair/<uuid:left>/<uuid:right>/"
        own = [path(pair, wrap(self.pair_view), name="knowledge_nodequality_pair")]
        return [*own, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show what needs attention; a POST puts chosen rows right."""
        if not self.has_view_permission(request):
            raise Http404
        if request.method == "POST":
            return self._done(request)
        user, wanted = staff(request), wanted_of(request)
        counts = counts_of(user, wanted)
        page = None
        if wanted.code:
            page = Paginator(rows_with(user, wanted, wanted.code), PAGE).get_page(
                request.GET.get("page")
            )
        sections = [
            self._section(request, wanted, code, count, page) for code, count in counts.items()
        ]
        context = self.page_context(
            request,
            title=_("Needs attention"),
            wanted=wanted,
            sections=sections,
            page=page,
            query=_query(wanted),
            **self._choices(user, wanted),
        )
        return TemplateResponse(request, "admin/knowledge/nodequality/attention.html", context)

    def _choices(self, user: User, wanted: Wanted) -> dict[str, Any]:
        spaces = list(Space.objects.editable_by(user).order_by("name"))
        scores = space_scores([space.pk for space in spaces])
        held = wanted.space and scores.get(wanted.space)
        whose = [("", _("Everyone's")), (MINE, _("Mine")), (NOBODY, _("Nobody's"))]
        return {
            "spaces": spaces,
            "severities": Severity.choices,
            "codes": [(code, entry.label) for code, entry in CATALOGUE.items()],
            "whose": [
                {
                    "key": key,
                    "label": label,
                    "count": nodes_in_need(
                        user, Wanted(wanted.space, wanted.severity, key, wanted.code), most=MOST + 1
                    ),
                    "url": "?" + _query(wanted, owner=key),
                }
                for key, label in whose
            ],
            "most": MOST,
            "people": people_of(user),
            "snooze_days": SNOOZE_DAYS,
            "space_score": held and {**held, "tone": tone_of_score(held["score"])},
        }

    def _section(
        self, request: HttpRequest, wanted: Wanted, code: str, count: int, page: Any
    ) -> dict[str, Any]:
        rows = page or rows_with(staff(request), wanted, code)[:FEW]
        entry = CATALOGUE[code]
        return {
            "code": code,
            "label": entry.label,
            "severity": Severity(entry.severity),
            "count": count,
            "rows": [_row(row, code) for row in rows],
            "is_review": code in REVIEWS,
            "is_ownerless": code in OWNERS,
            "is_archivable": code in ARCHIVABLE,
            "all_url": "" if wanted.code or count <= FEW else "?" + _query(wanted, code=code),
        }

    # -- doing -----------------------------------------------------------------------------------

    def _done(self, request: HttpRequest) -> HttpResponse:
        """Do what was asked with the chosen nodes, or the one of the pressed button."""
        work, _colon, single = request.POST.get("do", "").partition(":")
        mine = request.POST.get("mine", "")
        if mine:
            work, single = "assign", mine
        ids = [single] if single else request.POST.getlist("nodes")
        keys = [key for each in ids[:PAGE] if (key := uuid_or_none(each))]
        user = staff(request)
        nodes = list(Node.objects.editable_by(user).filter(pk__in=keys).order_by("title", "pk"))
        back = HttpResponseRedirect(f"{request.path}?{request.GET.urlencode()}")
        if not nodes:
            messages.warning(request, _("Choose at least one row."))
            return back
        if work == "archive":
            query = urlencode([("ids", str(node.pk)) for node in nodes])
            return HttpResponseRedirect(f"{reverse('admin:knowledge_node_archive')}?{query}")
        doing = self._work(request, user, work)
        if doing is not None and each_done(request, nodes, doing):
            for node in nodes:
                care_check(node.pk)  # so that the list shows at once what was put right
        return back

    def _work(self, request: HttpRequest, user: User, work: str) -> Callable[[Node], object] | None:
        """Return what to do with each node; None, with a message, for what cannot be done."""
        if work == "reviewed":
            return lambda node: services.node_mark_reviewed(acting_user=user, node=node)
        if work == "snooze":
            code, until = request.POST.get("code", ""), _until(request)
            return lambda node: services.finding_snooze(
                acting_user=user, node=node, code=code, until=until
            )
        if work == "check":
            return lambda node: node_check(node.pk)
        if work == "assign":
            owner = _person(request, user)
            if owner is not None:
                return lambda node: services.node_update(acting_user=user, node=node, owner=owner)
            messages.warning(request, _("Choose who is to look after them."))
            return None
        messages.warning(request, _("Choose what to do."))
        return None

    def pair_view(self, request: HttpRequest, left: Any, right: Any) -> HttpResponse:
        """Show two nodes side by side, to merge them or to archive one."""
        rows = Node.objects.editable_by(staff(request)).select_related("space", "owner")
        found = {node.pk: node for node in rows.filter(pk__in=[left, right])}
        if len(found) != 2:
            raise Http404(_("There is no such node, or it is not yours to see."))
        if request.method == "POST":
            return pair_done(request, found[left], found[right])
        context = self.page_context(
            request,
            title=_("Two nodes compared"),
            left=found[left],
            right=found[right],
            comparison=comparison_of(found[left], found[right]),
            is_split=request.GET.get("view") != "unified",
            is_distinct=DistinctPair.objects.filter(**DistinctPair.ends(left, right)).exists(),
        )
        return TemplateResponse(request, "admin/knowledge/nodequality/pair.html", context)


def wanted_of(request: HttpRequest) -> Wanted:
    """Return the filters that an address names; what makes no sense filters nothing."""
    get = request.GET.get
    owner, code, severity = get("owner", ""), get("code", ""), get("severity", "")
    is_owner = owner in {MINE, NOBODY} or (owner.isascii() and owner.isdigit() and len(owner) < 10)
    return Wanted(
        space=uuid_or_none(get("space", "")),
        severity=severity if severity in Severity.values else "",
        owner=owner if is_owner else "",
        code=code if code in CATALOGUE else "",
    )


def people_of(user: User) -> list[User]:
    """Return who may edit in the spaces where the person may."""
    if user.is_superuser:
        staff_first = User.objects.filter(is_active=True).order_by("-is_staff", "username")
        return list(staff_first[:MOST_PEOPLE])
    spaces = Space.objects.editable_by(user)
    rows = User.objects.filter(
        groups__space_roles__space__in=spaces,
        groups__space_roles__role__gte=Role.EDITOR,
        is_active=True,
    )
    return list(rows.distinct().order_by("username")[:MOST_PEOPLE])


def _query(wanted: Wanted, **changes: str) -> str:
    values: dict[str, Any] = {
        "space": wanted.space or "",
        "severity": wanted.severity,
        "owner": wanted.owner,
        "code": wanted.code,
        **changes,
    }
    return urlencode({key: value for key, value in values.items() if value})


def _row(row: NodeQuality, code: str) -> dict[str, Any]:
    kept = findings_of(row, [code])
    restored = [each for stored in kept[:SHOWN] if (each := finding_restored(stored))]
    return {
        "node": row.node,
        "score": row.score,
        "tone": tone_of_score(row.score),
        "findings": shown(restored, row.node),
        "more": max(0, len(kept) - SHOWN),
    }


def _until(request: HttpRequest) -> datetime.date:
    try:
        return datetime.date.fromisoformat(request.POST.get("until", ""))
    except ValueError:
        return timezone.localdate() + datetime.timedelta(days=SNOOZE_DAYS)


def _person(request: HttpRequest, user: User) -> User | None:
    wanted = str(user.pk) if request.POST.get("mine") else request.POST.get("owner", "")
    return next((each for each in people_of(user) if str(each.pk) == wanted), None)
