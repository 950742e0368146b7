"""Evaluations: starting them, watching them, and what each question came to."""

import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db.models import Case, OuterRef, Subquery, When
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.evaluation_history import history_context, legs_shown
from knowledge.admin.evaluation_views import (
    STATUS_TONES,
    filters_of,
    measure,
    move,
    proposal_link,
    result_rows,
    state_words,
    summary_cards,
)
from knowledge.admin.golden import most_asked_first
from knowledge.choices import Outcome, SearchMode
from knowledge.models import EvaluationRun, IndexGeneration, Proposal, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import display, posted_only, refusals_as_messages, tone_of
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

PAGE = 25  # questions
MOST_WATCHED = 60


def progress_cell(run: EvaluationRun) -> SafeString:
    """Return the status and progress of a run, as its page and the list show it."""
    context = {
        "run": run,
        "percent": round(run.progress * 100),
        "tone": tone_of(STATUS_TONES, run.status),
    }
    return mark_safe(render_to_string("admin/knowledge/evaluationrun/progress.html", context))  # noqa: S308 - the template escapes


@admin.register(EvaluationRun)
class EvaluationRunAdmin(SpaceScopedAdmin):
    """Runs are written by their workers: here they are started, watched, read and cancelled."""

    empty_title = gettext_lazy("Nothing was evaluated yet")
    empty_words = gettext_lazy(
        "Make golden questions first, then evaluate the space as it is now. Proposals are "
        "evaluated from their own page: what search finds now beside what it would find "
        "after the merge."
    )
    list_display = ("summary", "space", "progress_now", "recall", "mrr", "created_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("space", "created_by")
    list_filter = (("status", ChoicesDropdownFilter), ("space", RelatedDropdownFilter))
    list_before_template = "admin/knowledge/evaluationrun/list_bar.html"
    search_fields = ("trace_id", "proposal_id__exact", "id__exact")
    search_help_text = gettext_lazy("Id of the evaluation or of its proposal, or trace id")
    ordering = ("-created_at", "id")
    change_form_template = "admin/knowledge/evaluationrun/run.html"

    class Media:
        js = [Script("acervo/admin/evaluations.js", type="module")]

    @display(description=gettext_lazy("evaluation"), ordering="created_at")
    def summary(self, run: Any) -> SafeString:
        """Show which state it is about."""
        count = ngettext("%(count)s question", "%(count)s questions", run.questions)
        facts = [run.get_mode_display(), f"k = {run.k}", count % {"count": run.questions}]
        name = state_words(run)
        if run.proposal_title:
            facts.insert(0, name)
            name = run.proposal_title
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', name, " · ".join(facts)
        )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the runs of the person's spaces with the titles of their proposals."""
        titles = Proposal.objects.filter(pk=OuterRef("proposal_id")).values("title")
        return super().get_queryset(request).annotate(proposal_title=Subquery(titles))

    @display(description=gettext_lazy("status"), ordering="status")
    def progress_now(self, run: EvaluationRun) -> SafeString:
        """Show how far it is; a script keeps it up to date."""
        return progress_cell(run)

    @display(description=gettext_lazy("recall"))
    def recall(self, run: EvaluationRun) -> str | SafeString:
        """Show the mean recall, before and after."""
        return _means(run, "recall")

    @display(description=gettext_lazy("MRR"))
    def mrr(self, run: EvaluationRun) -> str | SafeString:
        """Show the mean reciprocal rank, before and after."""
        return _means(run, "mrr")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a run is written by its worker."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: it says why something was merged."""
        return False

    # -- one run -----------------------------------------------------------------------------------

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show what each question came to."""
        return {} if obj is None else run_context(obj, request) | {"legs": legs_shown(obj)}

    def get_urls(self) -> list[URLPattern]:
        """Add the progress of many runs, and the buttons of one."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>"
        return [
            path("progress/", wrap(self.progress_view), name="knowledge_evaluationrun_progress"),
            path("history/", wrap(self.over_time_view), name="knowledge_evaluationrun_history"),
            path(f"{base}/cancel/", wrap(self.cancel_view), name="knowledge_evaluationrun_cancel"),
            path(f"{base}/again/", wrap(self.again_view), name="knowledge_evaluationrun_again"),
            *super().get_urls(),
        ]

    def progress_view(self, request: HttpRequest) -> HttpResponse:
        """Return `{"runs": {id: {html, ended}}}` for `?id=…&id=…`, as far as they may be seen."""
        ids = [each for each in map(uuid_or_none, request.GET.getlist("id")[:MOST_WATCHED]) if each]
        runs = self.get_queryset(request).filter(pk__in=ids)
        found = {str(run.pk): {"html": progress_cell(run), "ended": run.has_ended} for run in runs}
        return JsonResponse({"runs": found})

    def over_time_view(self, request: HttpRequest) -> HttpResponse:
        """Show the figures of a space's runs over time."""
        spaces = list(Space.objects.editable_by(staff(request)).order_by("-is_default", "name"))
        shown = history_context(self, request, spaces)
        context = self.page_context(request, title=_("Search over time"), **shown)
        return TemplateResponse(request, "admin/knowledge/evaluationrun/history.html", context)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Cancel a run."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        run = self._opened(request, object_id)
        with refusals_as_messages(request):
            services.evaluation_cancel(acting_user=staff(request), run=run)
            messages.success(request, _("The evaluation is cancelled."))
        return self.redirect_to(run.pk)

    def again_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Start a run like this one."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        run = self._opened(request, object_id)
        try:
            new = _begun_again(staff(request), run)
        except ApiError as error:
            messages.error(request, error.message)
            return self.redirect_to(run.pk)
        return self.redirect_to(new.pk)

    def _opened(self, request: HttpRequest, object_id: str) -> EvaluationRun:
        run = self.get_object(request, unquote(object_id))
        if run is None or not self.has_view_permission(request, run):
            raise Http404(_("There is no such evaluation, or it is not yours to see."))
        assert isinstance(run, EvaluationRun)
        return run

    # -- starting ----------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the person edits a space."""
        return has_role(request, Role.EDITOR)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show the page that starts an evaluation."""
        if not self.has_add_permission(request):
            return HttpResponseRedirect(self.address("changelist"))
        if request.method == "POST":
            try:
                run = services.evaluation_start(acting_user=staff(request), **_wanted(request))
            except ApiError as error:
                messages.error(request, error.message)
            else:
                return self.redirect_to(run.pk)
        spaces = list(Space.objects.editable_by(staff(request)).order_by("-is_default", "name"))
        typed = request.POST if request.method == "POST" else request.GET
        context = self.page_context(
            request,
            title=_("Start an evaluation"),
            spaces=most_asked_first(spaces),
            typed=typed,
            modes=SearchMode.choices,
        )
        return TemplateResponse(request, "admin/knowledge/evaluationrun/start.html", context)


def _begun_again(user: User, run: EvaluationRun) -> EvaluationRun:
    """Start a run like another one. Raises ApiError."""
    if run.other_generation_id is not None:
        generation = IndexGeneration.objects.filter(pk=run.other_generation_id).first()
        if generation is None:
            message = _("The index that was compared is deleted.")
            raise Invalid(message, field="other_generation")
        return services.generation_compare(acting_user=user, generation=generation, k=run.k)
    return services.evaluation_start(
        acting_user=user,
        space=run.space,
        k=run.k,
        mode=run.mode,
        proposal=run.proposal_id,
        release=run.release,
        as_of=run.as_of,
    )


def run_context(run: EvaluationRun, request: HttpRequest) -> dict[str, Any]:
    """Return everything that the page of a run shows."""
    chosen = request.GET.get("show", "")
    first = Case(When(outcome__in=[Outcome.LOST, Outcome.MISSED], then=0), default=1)
    results = run.results.exclude(measured_at=None).order_by(first, "position")
    if chosen in Outcome.values:
        results = results.filter(outcome=chosen)
    else:
        chosen = ""
    page = Paginator(results, PAGE).get_page(request.GET.get("page"))
    return {
        "run": run,
        "title": _("Evaluation"),
        "subtitle": f"{run.space} · {state_words(run)}",
        "state": state_words(run),
        "proposal": proposal_link(run),
        "progress": progress_cell(run),
        "cards": summary_cards(run),
        "filters": filters_of(run, chosen),
        "chosen": chosen,
        "page": page,
        "rows": result_rows(run, list(page.object_list)),
        "show_history": False,
    }


def _means(run: EvaluationRun, key: str) -> str | SafeString:
    before, after = run.metrics.get("before"), run.metrics.get("after")
    if not before:
        return "–"
    if not after:
        return measure(before[key])
    symbol, tone, word = move(before[key], after[key])
    return format_html(
        '<span class="ac-nowrap">{} → {} <span class="ac-badge ac-{}" title="{}">{}</span></span>',
        measure(before[key]), measure(after[key]), tone, word, symbol,
    )  # fmt: skip


def _wanted(request: HttpRequest) -> dict[str, Any]:
    """Return what the form asks for. Raises Invalid."""
    wanted = uuid_or_none(request.POST.get("space", ""))
    spaces = Space.objects.editable_by(staff(request))
    space = spaces.filter(pk=wanted).first() if wanted else None
    proposal = uuid_or_none(request.POST.get("proposal", ""))
    if space is None and proposal is None:
        raise Invalid(_("Choose a space that you may write in."), field="space")
    mode = request.POST.get("mode", SearchMode.HYBRID)
    if mode not in SearchMode.values:
        raise Invalid(_("There is no such mode."), field="mode")
    k = request.POST.get("k", "").strip()
    if k and not (k.isascii() and k.isdigit() and len(k) < 4):
        raise Invalid(_("k is a whole number."), field="k")
    return {
        "space": None if proposal else space,
        "k": int(k) if k else None,
        "mode": mode,
        "proposal": proposal,
        "release": request.POST.get("release", "").strip()[:120],
        "as_of": _moment(request.POST.get("as_of", "").strip()),
    }


def _moment(text: str) -> datetime.datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid(_("This is no date and time."), field="as_of")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
