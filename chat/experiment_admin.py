"""Experiments in the admin: their arms while they are drafts, then what came of them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from chat.choices import ExperimentStatus
from chat.experiments.results import ArmResult, figures_of, results_of
from chat.experiments.statistics import Test
from chat.models import Experiment, ExperimentArm
from chat.prompt_admin import without_links
from chat.services.experiments import (
    experiment_end,
    experiment_promote,
    experiment_save,
    experiment_start,
)
from chat.timings import milliseconds
from knowledge.admin.access import staff
from project.http.admin_base import (
    AcervoAdmin,
    AcervoTabularInline,
    badge,
    display,
    plain_decimal,
    posted_only,
    reflect,
    refusals_as_messages,
    tone_of,
)
from project.http.ids import uuid_or_none

TONES = {
    ExperimentStatus.DRAFT: "default",
    ExperimentStatus.RUNNING: "info",
    ExperimentStatus.ENDED: "success",
}
_METHODS = {"z": gettext_lazy("two-proportion z-test"), "fisher": gettext_lazy("Fisher's test")}


def is_draft(obj: Any) -> bool:
    """Whether an experiment may still be changed."""
    return not isinstance(obj, Experiment) or obj.status == ExperimentStatus.DRAFT


class ArmsInline(AcervoTabularInline):
    """The arms of an experiment; fixed once it runs."""

    model = ExperimentArm
    fields: ClassVar[Any] = (
        "position", "name", "weight", "tier", "endpoint", "prompt", "temperature",
    )  # fmt: skip
    tab = False
    min_num = 2
    max_num = 8

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer rows without the links that make or change one."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        return without_links(field)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only while the experiment is a draft."""
        return is_draft(obj) and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only while the experiment is a draft."""
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only while the experiment is a draft."""
        return is_draft(obj) and super().has_delete_permission(request, obj)


@admin.register(Experiment)
class ExperimentAdmin(AcervoAdmin):
    """For whom Django's permissions name: the prompt and the models are everybody's."""

    inlines: ClassVar[Any] = [ArmsInline]
    list_display = ("summary", "status_badge", "subject", "place", "answers", "started_at")
    list_display_links = ("summary",)
    list_select_related = ("space", "winner")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("subject", ChoicesDropdownFilter),
        ("space", RelatedDropdownFilter),
    )
    search_fields = ("name", "note")
    ordering = ("-created_at", "id")
    fields = ("name", ("subject", "space"), "note", "is_adaptive")
    change_form_outer_before_template = "admin/chat/experiment/results.html"
    empty_title = gettext_lazy("No experiments")
    empty_words = gettext_lazy(
        "An experiment answers a share of the people by another model, prompt or temperature, and"
        " shows which answers they like better, how soon they come, what they cost and how many"
        " cite their sources. Everybody keeps their arm."
    )

    @display(description=gettext_lazy("experiment"), ordering="name")
    def summary(self, row: Experiment) -> SafeString:
        """Show the name, and the winner below it."""
        won = _("winner: %s") % row.winner if row.winner is not None else row.note[:120]
        return format_html('<span class="ac-two"><b>{}</b><small>{}</small></span>', row.name, won)

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, row: Experiment) -> SafeString:
        """Show where it stands."""
        return badge(row.get_status_display(), tone_of(TONES, row.status))

    @display(description=gettext_lazy("space"), ordering="space")
    def place(self, row: Experiment) -> str:
        """Show where it runs."""
        return str(row.space) if row.space is not None else _("All spaces")

    @display(description=gettext_lazy("answers"))
    def answers(self, row: Any) -> int:
        """Show how many answers are counted."""
        if row.results:
            return sum(each["answers"] for each in row.results)
        return int(row.turns_counted)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the experiments with their answers counted."""
        return super().get_queryset(request).annotate(turns_counted=Count("turns"))

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer rows without the links that make or change one."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        return without_links(field)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Drafts only: what runs is measured as it was started."""
        return is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not while it runs."""
        runs = isinstance(obj, Experiment) and obj.status == ExperimentStatus.RUNNING
        return not runs and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the draft to the service."""
        reflect(obj, experiment_save(acting_user=staff(request), experiment=obj))

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show the results, and what may be done."""
        if obj is None:
            return {}
        results = results_of(figures_of(obj)) if obj.status != ExperimentStatus.DRAFT else []
        answers = sum(each.figures.answers for each in results)
        may = request.user.has_perm("chat.change_experiment")
        return {
            "experiment": obj,
            "place": self.place(obj),
            "tone": tone_of(TONES, obj.status),
            "arms": [_shown(each, results, obj) for each in results],
            "answers": answers,
            "is_empty": not answers,
            "may_start": may and obj.status == ExperimentStatus.DRAFT,
            "may_end": may and obj.status == ExperimentStatus.RUNNING,
            "may_promote": may and obj.status != ExperimentStatus.DRAFT and obj.winner_id is None,
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the buttons."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>"
        return [
            path(f"{base}/start/", wrap(self.start_view), name="chat_experiment_start"),
            path(f"{base}/end/", wrap(self.end_view), name="chat_experiment_end"),
            path(f"{base}/promote/", wrap(self.promote_view), name="chat_experiment_promote"),
            *super().get_urls(),
        ]

    def start_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begin to share people out."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row = self._opened(request, object_id)
        with refusals_as_messages(request):
            experiment_start(acting_user=staff(request), experiment=row)
            self.message_user(request, _("It is running: people are shared out from now on."))
        return self.redirect_to(row.pk)

    def end_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End an experiment without a winner."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row = self._opened(request, object_id)
        with refusals_as_messages(request):
            experiment_end(acting_user=staff(request), experiment=row)
            self.message_user(request, _("It has ended. Everybody is answered as set up again."))
        return self.redirect_to(row.pk)

    def promote_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer everybody as an arm does."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row = self._opened(request, object_id)
        wanted = uuid_or_none(request.POST.get("arm", ""))
        arm = row.arms.filter(pk=wanted).first() if wanted is not None else None
        if arm is None:
            raise Http404(_("There is no such arm."))
        with refusals_as_messages(request):
            experiment_promote(acting_user=staff(request), experiment=row, arm=arm)
            self.message_user(request, _("Everybody is answered like %s from now on.") % arm)
        return self.redirect_to(row.pk)

    def _opened(self, request: HttpRequest, object_id: str) -> Experiment:
        row = self.get_object(request, unquote(object_id))
        if not isinstance(row, Experiment) or not self.has_view_permission(request, row):
            raise Http404(_("There is no such experiment, or it is not yours to see."))
        return row


def _shown(result: ArmResult, results: list[ArmResult], experiment: Experiment) -> dict[str, Any]:
    """Return an arm as its row shows it."""
    each = result.figures
    whole = sum(one.figures.weight for one in results) or 1
    return {
        "figures": each,
        "share": percent(each.weight / whole),
        "good": percent(each.good_share),
        "feedback": verdict(result.feedback),
        "is_better": result.feedback.is_significant
        and (each.good_share or 0) > (results[0].figures.good_share or 0),
        "cited": percent(each.cited_share),
        "citations": verdict(result.citations),
        "supported": percent(each.supported),
        "first_token": milliseconds(each.first_token_ms),
        "cost": plain_decimal(each.cost),
        "is_winner": str(experiment.winner_id) == each.arm,
    }


def percent(share: float | None) -> str:
    """Return a share in per cent; a dash for none."""
    return "–" if share is None else f"{number_format(round(100 * share, 1))} %"


def verdict(test: Test) -> str:
    """Return in words what a test says."""
    if test.p_value is None:
        return ""
    value = "< 0.001" if test.p_value < 0.001 else f"= {number_format(round(test.p_value, 3))}"
    words = _("significant") if test.is_significant else _("may be chance")
    return f"{words} (p {value}, {_METHODS[test.method]})"
