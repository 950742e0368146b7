"""Suggested relations: a list to work through, by mouse or by keyboard, one by one or many."""

from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Count, F, Func, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, staff
from knowledge.admin.proposal_relations import KINDS
from knowledge.admin.suggestion_shown import shown
from knowledge.choices import EvidenceWay, RelationStatus, SuggestionStatus
from knowledge.models import Node, Relation, RelationSuggestion, Space
from project.accounts.models import User
from project.http.admin_base import each_done
from project.http.ids import uuid_or_none

PAGE = 20
MOST = 99
UNDO = "knowledge.suggestions_undo"
"""The key of the session that holds what was decided last."""


@admin.register(RelationSuggestion)
class RelationSuggestionAdmin(SpaceScopedAdmin):
    """The list of suggestions. Rows come and go with their evidence; editors decide them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: evidence makes the rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a suggestion is decided, not edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the suggestions that the person may decide."""
        return RelationSuggestion.objects.visible_to(staff(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show suggestions, best first; a POST decides chosen ones."""
        if not self.has_view_permission(request):
            raise Http404
        if request.method == "POST":
            return self._done(request)
        wanted = _wanted(request)
        every = self.get_queryset(request)
        rows = _filtered(every, wanted)
        ordered = (
            rows.order_by("-score", "pk")
            if _is_open(wanted)
            else rows.order_by("-decided_at", "pk")
        )
        light = ordered.select_related("source__space", "target__space", "decided_by").defer(
            "source__content", "target__content", "source__anchors", "target__anchors"
        )
        page = Paginator(light, PAGE).get_page(request.GET.get("page"))
        context = self.page_context(
            request,
            title=_("Suggested relations"),
            wanted=wanted,
            is_open=_is_open(wanted),
            page=page,
            rows=shown(list(page)),
            kinds=KINDS,
            query=urlencode({key: value for key, value in wanted.items() if value}),
            undo=len(request.session.get(UNDO, [])),
            **self._choices(request, every, wanted),
        )
        return TemplateResponse(request, "admin/knowledge/suggestion/list.html", context)

    def _choices(self, request: HttpRequest, every: Any, wanted: dict[str, str]) -> dict[str, Any]:
        """Return what can be filtered by, and how much there is of each."""
        user = staff(request)
        narrowed = _filtered(every, {**wanted, "way": ""})
        unnested = narrowed.order_by().annotate(each=Func(F("ways"), function="unnest"))
        counts = dict(unnested.values_list("each").annotate(Count("pk")))
        ways: list[tuple[str, Any, int]] = [("", _("All"), narrowed.count())]
        ways += [(way, label, counts.get(way, 0)) for way, label in EvidenceWay.choices]
        node = uuid_or_none(wanted["node"])
        return {
            "spaces": list(Space.objects.editable_by(user).order_by("name")),
            "ways": [
                {"key": key, "label": label, "count": count, "url": _url(wanted, way=key)}
                for key, label, count in ways
            ],
            "states": [
                {"key": key, "label": label, "url": _url(wanted, status=key, way="")}
                for key, label in SuggestionStatus.choices
            ],
            "node": node and Node.objects.visible_to(user).filter(pk=node).first(),
            "without_node": _url(wanted, node=""),
            "by_programs": Relation.objects.visible_to(user)
            .filter(status=RelationStatus.SUGGESTED)
            .count(),
        }

    # -- doing -----------------------------------------------------------------------------------

    def _done(self, request: HttpRequest) -> HttpResponse:
        """Confirm, refuse or take back what was chosen, or the one of the pressed button."""
        back = HttpResponseRedirect(f"{request.path}?{request.GET.urlencode()}")
        work, _colon, single = request.POST.get("do", "").partition(":")
        is_undo = work == "undo" and not single
        ids = [single] if single else request.POST.getlist("chosen")
        ids = request.session.get(UNDO, []) if is_undo else ids[:PAGE]
        keys = [key for each in ids if (key := uuid_or_none(each))]
        rows = list(
            self.get_queryset(request)
            .filter(pk__in=keys)
            .select_related("source", "target")
            .order_by("-score", "pk")
        )
        if work not in {"confirm", "refuse", "undo"} or not rows:
            messages.warning(request, _("Choose at least one suggestion."))
            return back
        done: list[str] = []

        def decide(row: RelationSuggestion) -> None:
            self._decide(request, staff(request), row, work, is_single=bool(single))
            done.append(str(row.pk))

        each_done(request, rows, decide, quiet=True)
        request.session[UNDO] = [] if work == "undo" else done
        if done:
            messages.success(request, _told(work, len(done)))
        return back

    def _decide(
        self,
        request: HttpRequest,
        user: User,
        row: RelationSuggestion,
        work: str,
        *,
        is_single: bool,
    ) -> None:
        post = request.POST
        reason = "" if is_single else post.get("reason", "")[:500]
        if work == "undo":
            services.suggestion_reopen(acting_user=user, suggestion=row)
        elif work == "refuse":
            services.suggestion_refuse(acting_user=user, suggestion=row, reason=reason)
        else:
            own = post.get(f"kind-{row.pk}", "").strip()
            is_turned = f"turned-{row.pk}" in post
            if not is_single:
                own = post.get("kind", "").strip() or own
                is_turned ^= post.get("direction") == "reverse"
            services.suggestion_confirm(
                acting_user=user,
                suggestion=row,
                kind=own.lower().replace(" ", "_"),
                is_turned=is_turned,
                reason=reason,
            )


def _told(work: str, count: int) -> str:
    texts = {
        "confirm": ngettext(
            "%(count)s relation confirmed.", "%(count)s relations confirmed.", count
        ),
        "refuse": ngettext(
            "%(count)s suggestion refused.", "%(count)s suggestions refused.", count
        ),
        "undo": ngettext(
            "%(count)s suggestion is open again.", "%(count)s suggestions are open again.", count
        ),
    }
    return texts[work] % {"count": count}


def _wanted(request: HttpRequest) -> dict[str, str]:
    """Return the filters that an address names; what makes no sense filters nothing."""
    get = request.GET.get
    status, way = get("status", ""), get("way", "")
    return {
        "space": str(uuid_or_none(get("space", "")) or ""),
        "way": way if way in EvidenceWay.values else "",
        "status": status if status in SuggestionStatus.values else "",
        "node": str(uuid_or_none(get("node", "")) or ""),
        "q": get("q", "").strip()[:200],
    }


def _is_open(wanted: dict[str, str]) -> bool:
    return wanted["status"] in {"", SuggestionStatus.OPEN}


def _filtered(rows: Any, wanted: dict[str, str]) -> Any:
    rows = rows.undecided() if _is_open(wanted) else rows.filter(status=wanted["status"])
    if wanted["space"]:
        rows = rows.filter(space=wanted["space"])
    if wanted["way"]:
        rows = rows.filter(ways__contains=[wanted["way"]])
    if wanted["node"]:
        rows = rows.filter(Q(source=wanted["node"]) | Q(target=wanted["node"]))
    if wanted["q"]:
        named = Q(source__title__icontains=wanted["q"]) | Q(target__title__icontains=wanted["q"])
        rows = rows.filter(named)
    return rows


def _url(wanted: dict[str, str], **changes: str) -> str:
    values = {**wanted, **changes}
    return "?" + urlencode({key: value for key, value in values.items() if value})
