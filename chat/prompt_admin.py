"""Versions of the prompt and answer setups in the admin: what holds, what held, the way back."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter

from chat.experiments.results import described
from chat.models import AnswerSetup, PromptVersion
from chat.prompts import OWN_RULES
from chat.services.experiments import prompt_create, prompt_use, setup_create, setup_restore
from knowledge.admin.access import staff
from knowledge.merging.rows import compare_texts
from knowledge.models import Space
from project.http.admin_base import (
    AcervoAdmin,
    badge,
    display,
    posted_only,
    reflect,
    refusals_as_messages,
)
from project.http.ids import uuid_or_none

HISTORY = 20
_LINKS = ("can_add_related", "can_change_related", "can_view_related", "can_delete_related")


def holding() -> list[AnswerSetup]:
    """Return the setups that hold now: the newest of each space, and of all spaces."""
    newest = AnswerSetup.objects.order_by("space_id", "-created_at", "pk").distinct("space_id")
    return list(newest.select_related("space", "prompt", "endpoint"))


def without_links(field: Any) -> Any:
    """Return a form field without the links that make or change what it offers."""
    for link in _LINKS:
        if field is not None and hasattr(field.widget, link):
            setattr(field.widget, link, False)
    return field


class _WrittenOnce(AcervoAdmin):
    """Rows that are made and never changed."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is stored stays as it is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was answered by it must stay known."""
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer rows without the links that make or change one."""
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        return without_links(field)


@admin.register(PromptVersion)
class PromptVersionAdmin(_WrittenOnce):
    """A new text is a new version; one is chosen here, or compared by an experiment."""

    list_display = ("summary", "in_use", "created_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("created_by",)
    search_fields = ("note", "rules")
    ordering = ("-number",)
    change_form_outer_before_template = "admin/chat/promptversion/one.html"
    empty_title = gettext_lazy("Only the prompt that comes with Acervo")
    empty_words = gettext_lazy(
        "Questions are answered by the built-in rules. Add a version to change what models are"
        " told; the built-in text is then kept as version 1."
    )

    @display(description=gettext_lazy("version"), ordering="number")
    def summary(self, row: PromptVersion) -> SafeString:
        """Show the number with the note below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', row, row.note[:160]
        )

    @display(description=gettext_lazy("in use"))
    def in_use(self, row: PromptVersion) -> SafeString | str:
        """Show where it holds."""
        places = [str(each) for each in holding() if each.prompt_id == row.pk]
        return badge("✓ " + ", ".join(places), "success") if places else "–"

    @display(description=gettext_lazy("rules"))
    def text(self, row: PromptVersion) -> SafeString:
        """Show the text with its lines."""
        return format_html('<pre class="ac-pre">{}</pre>', row.rules)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show what is stored as it was written."""
        return ("rules", "note") if obj is None else ("text", "note")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A stored text is only read."""
        return () if obj is None else ("text", "note")

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        """Begin with the newest text."""
        newest = PromptVersion.objects.order_by("-number").first()
        return {"rules": newest.rules if newest else OWN_RULES}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the text to the service."""
        row = prompt_create(acting_user=staff(request), rules=obj.rules, note=obj.note)
        reflect(obj, row)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show where it holds, and how it differs from another version."""
        if obj is None:
            return {}
        others = list(PromptVersion.objects.exclude(pk=obj.pk).order_by("-number"))
        wanted = uuid_or_none(request.GET.get("compare", ""))
        earlier = [each for each in others if each.number < obj.number]
        other = next((each for each in others if each.pk == wanted), None) or next(
            iter(earlier or others), None
        )
        text = compare_texts(other.rules, obj.rules) if other is not None else None
        used = AnswerSetup.objects.filter(prompt=obj).select_related("space", "created_by")
        return {
            "prompt": obj,
            "places": [each for each in holding() if each.prompt_id == obj.pk],
            "others": others,
            "other": other,
            "comparison": {"is_equal": not (text and text.rows), "facts": [], "text": text},
            "history": list(used.order_by("-created_at")[:HISTORY]),
            "spaces": list(Space.objects.order_by("name")),
            "may_use": request.user.has_perm("chat.add_answersetup"),
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the button."""
        wrap = self.admin_site.admin_view
        use = path("<path:object_id>/use/", wrap(self.use_view), name="chat_promptversion_use")
        return [use, *super().get_urls()]

    def use_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Answer by this version from now on."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row = self.get_object(request, unquote(object_id))
        if not isinstance(row, PromptVersion) or not self.has_view_permission(request, row):
            raise Http404(_("There is no such version."))
        chosen = uuid_or_none(request.POST.get("space", ""))
        space = Space.objects.filter(pk=chosen).first() if chosen else None
        with refusals_as_messages(request):
            setup = prompt_use(acting_user=staff(request), prompt=row, space=space)
            words = _("%(prompt)s is used from now on: %(place)s.")
            self.message_user(request, words % {"prompt": row, "place": setup})
        return self.redirect_to(row.pk)


@admin.register(AnswerSetup)
class AnswerSetupAdmin(_WrittenOnce):
    """The newest row of a space holds; going back is one more row."""

    list_display = ("place", "chosen", "reason", "created_by", "created_at")
    list_display_links = ("place",)
    list_select_related = ("space", "endpoint", "prompt", "created_by")
    list_filter = (("space", RelatedDropdownFilter),)
    search_fields = ("reason", "space__name")
    ordering = ("-created_at", "id")
    fields = ("space", ("tier", "endpoint"), ("prompt", "temperature"), "reason")
    change_form_outer_before_template = "admin/chat/answersetup/bar.html"
    empty_title = gettext_lazy("Nothing is chosen")
    empty_words = gettext_lazy(
        "Every question goes to a tier by its complexity, and is answered by the prompt that comes"
        " with Acervo. A setup chooses otherwise, for one space or for all."
    )

    @display(description=gettext_lazy("space"))
    def place(self, row: AnswerSetup) -> SafeString:
        """Show the space, and whether the row holds."""
        holds = row.pk in {each.pk for each in holding()}
        mark = badge(_("✓ holds now"), "success") if holds else ""
        return format_html("{} {}", str(row), mark)

    @display(description=gettext_lazy("what is chosen"))
    def chosen(self, row: AnswerSetup) -> str:
        """Show what the row chooses."""
        return described(row) or _("by complexity, with the built-in prompt")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the setup to the service."""
        reflect(obj, setup_create(acting_user=staff(request), setup=obj))

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show whether it holds, and the way back to it."""
        if obj is None:
            return {}
        holds = obj.pk in {each.pk for each in holding()}
        may = request.user.has_perm("chat.add_answersetup")
        return {"setup": obj, "holds": holds, "chosen": self.chosen(obj),
                "may_restore": may and not holds}  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the button."""
        wrap = self.admin_site.admin_view
        back = path(
            "<path:object_id>/restore/", wrap(self.restore_view), name="chat_answersetup_restore"
        )
        return [back, *super().get_urls()]

    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go back to an earlier setup."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        row = self.get_object(request, unquote(object_id))
        if not isinstance(row, AnswerSetup) or not self.has_view_permission(request, row):
            raise Http404(_("There is no such setup."))
        goal = row.pk
        with refusals_as_messages(request):
            goal = setup_restore(acting_user=staff(request), setup=row).pk
            self.message_user(request, _("It holds again."))
        return self.redirect_to(goal)
