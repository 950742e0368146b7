"""The search workbench: how an answer comes about, two searches side by side, golden questions.

Everything is in the address, so that a page can be sent to somebody else, who sees what they may.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import has_role, staff
from knowledge.admin.workbench_forms import WorkbenchForm
from knowledge.admin.workbench_shown import moves_of, rows_of, summary_of, timings_of
from knowledge.admin.workbench_sides import Side
from knowledge.admin.workbench_why import why_context
from knowledge.choices import GoldenOrigin
from knowledge.models import EvaluationResult, GoldenQuestion, Node, Space
from knowledge.models.evaluation import GRADES
from knowledge.retrieval import search
from knowledge.services.golden import question_key
from knowledge.types import SearchResponse
from project.accounts.choices import Role
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

PAGE = "admin-workbench"
OFFERED = 50  # golden questions that labels can be added to
LATEST = 5  # evaluations that are shown of a golden question
TRIED = 6  # golden questions that an empty page offers to try
NOT_RELEVANT = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """A side with what was found, or why nothing could be."""

    side: Side
    answer: SearchResponse | None
    error: str = ""


def workbench_view(request: HttpRequest) -> HttpResponse:
    """Show the workbench; take labels that were given there."""
    if not has_role(request, Role.EDITOR):
        raise Http404(_("There is no such page, or it is not yours to see."))
    if request.method == "POST":
        return _labels_take(request)
    form = WorkbenchForm(request)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Search workbench"),
        "form": form,
        "address": request.get_full_path(),
        "is_asked": False,
    }
    if form.is_bound and form.is_valid() and form.cleaned_data["q"].strip():
        context |= _asked_context(request, form)
    else:
        goldens = GoldenQuestion.objects.visible_to(staff(request)).select_related("space")
        context["to_try"] = list(goldens.order_by("-updated_at")[:TRIED])
    return TemplateResponse(request, "admin/knowledge/workbench/page.html", context)


def _asked_context(request: HttpRequest, form: WorkbenchForm) -> dict[str, Any]:
    answered = [_answered(request, side) for side in form.sides()]
    space: Space | None = form.cleaned_data["space"]
    question = form.cleaned_data["q"]
    golden = _golden_of(request, question, space)
    grades = {str(each.node_key): each.grade for each in golden.targets.all()} if golden else {}
    context: dict[str, Any] = {
        "is_asked": True,
        "question": question,
        "sides": [_side_context(each, grades) for each in answered],
        "golden": golden,
        "grades": [(grade, str(name)) for grade, name in reversed(GRADES)],
        "measured": _measured(golden),
        "offered": _offered(request, space),
        "query": request.GET.urlencode(),
    }
    first, last = answered[0].answer, answered[-1].answer
    if len(answered) == 2 and first is not None and last is not None:
        moves = moves_of(first, last)
        context |= {"moves": moves, "summary": summary_of(moves)}
    return context | why_context(request, answered[0].side.request)


def _answered(request: HttpRequest, side: Side) -> Answered:
    try:
        return Answered(side, search(side.request, user=staff(request)))
    except ApiError as error:
        return Answered(side, None, error.message)


def _side_context(each: Answered, grades: dict[str, int]) -> dict[str, Any]:
    context: dict[str, Any] = {"key": each.side.key, "name": each.side.name, "error": each.error}
    if each.answer is None:
        return context
    explanation = each.answer.explanation or {}
    rows = [(row, grades.get(str(row.result.node))) for row in rows_of(each.answer)]
    sources = {row.led_from for row, _grade in rows if row.led_from}
    titles = Node.objects.filter(pk__in=sources).values_list("pk", "title") if sources else ()
    return context | {
        "rows": rows,
        "answer": each.answer,
        "explanation": explanation,
        "timings": timings_of(explanation),
        "led_titles": {str(pk): title for pk, title in titles},
        "terms": sorted((explanation.get("terms") or {}).items(), key=lambda item: -item[1]),
        "corrections": each.answer.corrections,
    }


# -- golden questions ------------------------------------------------------------------------------


def _golden_of(request: HttpRequest, question: str, space: Space | None) -> GoldenQuestion | None:
    rows = GoldenQuestion.objects.visible_to(staff(request)).with_targets()
    rows = rows.filter(question_key=question_key(question)).select_related("space")
    if space is not None:
        rows = rows.filter(space=space)
    found: GoldenQuestion | None = rows.order_by("-updated_at").first()
    return found


def _measured(golden: GoldenQuestion | None) -> list[EvaluationResult]:
    """Return what the last evaluations made of a golden question."""
    if golden is None:
        return []
    rows = EvaluationResult.objects.filter(question=golden).exclude(measured_at=None)
    return list(rows.select_related("run").order_by("-measured_at")[:LATEST])


def _offered(request: HttpRequest, space: Space | None) -> list[GoldenQuestion]:
    rows = GoldenQuestion.objects.visible_to(staff(request)).select_related("space")
    if space is not None:
        rows = rows.filter(space=space)
    return list(rows.order_by("-updated_at")[:OFFERED])


def _labels_take(request: HttpRequest) -> HttpResponse:
    back = HttpResponseRedirect(f"{reverse(PAGE)}?{request.POST.get('query', '')}#results")
    try:
        golden = _labels_store(request)
    except ApiError as error:
        messages.error(request, error.message)
        return back
    url = reverse("admin:knowledge_goldenquestion_change", args=[golden.pk])
    text = _("The golden question was saved:")
    link = format_html('{} <a class="ac-link" href="{}">{}</a>', text, url, golden.question)
    messages.success(request, link)
    return back


def _labels_store(request: HttpRequest) -> GoldenQuestion:
    """Merge the labels with those of the golden question; not relevant takes a node out."""
    user = staff(request)
    labels = _labels_of(request)
    wanted = uuid_or_none(request.POST.get("golden", ""))
    space_id = uuid_or_none(request.POST.get("space", ""))
    space = Space.objects.visible_to(user).filter(pk=space_id).first() if space_id else None
    question = request.POST.get("question", "")
    if wanted is None:
        golden = _golden_of(request, question, space)
    else:
        rows = GoldenQuestion.objects.visible_to(user).with_targets()
        golden = rows.filter(pk=wanted).first()
        if golden is None:
            raise Invalid(_("There is no such golden question, or it is not yours to see."))
    known = {each.node_key: each.grade for each in golden.targets.all()} if golden else {}
    grades = {node: grade for node, grade in (known | labels).items() if grade != NOT_RELEVANT}
    if not grades:
        raise Invalid(_("Label at least one result that answers the question."))
    if golden is not None:
        return services.golden_update(acting_user=user, golden=golden, nodes=grades)
    return services.golden_create(
        acting_user=user,
        space=space,
        origin=GoldenOrigin.ADMIN,
        question=question,
        nodes=grades,
    )


def _labels_of(request: HttpRequest) -> dict[uuid.UUID, int]:
    labels = {}
    for name, value in request.POST.items():
        node = uuid_or_none(name.removeprefix("grade-")) if name.startswith("grade-") else None
        if node is not None and value in {"0", "1", "2", "3"}:
            labels[node] = int(str(value))
    return labels


def workbench_address(**asked: Any) -> str:
    """Return the address of the workbench with a question."""
    return f"{reverse(PAGE)}?{urlencode(asked)}"


urlpatterns = [
    path(
        "admin/knowledge/workbench/",
        admin.site.admin_view(workbench_view),
        name=PAGE,
    )
]
