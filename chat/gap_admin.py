"""Knowledge gaps in the admin: what people asked for in vain, and what to do about it."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from chat import services
from chat.choices import GapStatus
from chat.models import KnowledgeGap
from knowledge.admin.access import has_role, staff
from knowledge.models import Space
from project.accounts.choices import Role
from project.http.admin_base import (
    ReadOnlyAdmin,
    badge,
    display,
    posted_only,
    refusals_as_messages,
    tone_of,
)
from project.http.ids import uuid_or_none

SHOWN = 50
"""Questions of a gap on its page, the newest."""
TONES = {
    GapStatus.OPEN: "warning",
    GapStatus.DRAFTED: "info",
    GapStatus.CLOSED: "success",
    GapStatus.DISMISSED: "muted",
}


class KnowledgeGapAdmin(ReadOnlyAdmin):
    """For editors of the space. Who asked is not shown: conversations are their owners' alone."""

    list_display = ("question", "status_badge", "asked", "people", "space", "last_asked_at")
    list_display_links = ("question",)
    list_select_related = ("space",)
    list_filter = (("status", ChoicesDropdownFilter), ("space", RelatedDropdownFilter))
    search_fields = ("title", "questions__text")
    search_help_text = gettext_lazy("Words of the questions")
    ordering = ("-asked", "-last_asked_at", "id")
    change_form_template = "admin/chat/gap/one.html"
    empty_title = gettext_lazy("No gaps")
    empty_words = gettext_lazy(
        "Questions that find nothing good, and answers that people mark as bad, are put together"
        " here by what they are about."
    )

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Editors of any space see the list."""
        return has_role(request, Role.EDITOR)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Editors of any space; the rows are those of theirs."""
        return has_role(request, Role.EDITOR)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the gaps that the person may close; by themselves those that wait for somebody."""
        return KnowledgeGap.objects.visible_to(staff(request)).select_related("space", "node")

    @display(description=gettext_lazy("question"))
    def question(self, gap: KnowledgeGap) -> SafeString:
        """Show the question that stands for the others."""
        return format_html('<span class="ac-two ac-wide"><b>{}</b></span>', gap.title[:300])

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, gap: KnowledgeGap) -> SafeString:
        """Show the status as a coloured word."""
        return badge(gap.get_status_display(), tone_of(TONES, gap.status))

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Return the questions, and what may be done."""
        gap: KnowledgeGap = obj
        questions = gap.questions.order_by("-created_at")
        spaces = Space.objects.editable_by(staff(request))
        return {
            "gap": gap,
            "tone": tone_of(TONES, gap.status),
            "questions": list(questions[:SHOWN]),
            "more": max(0, gap.asked - SHOWN),
            "spaces": list(spaces.order_by("name")) if gap.space_id is None else [],
            "may_draft": gap.node_id is None and gap.status == GapStatus.OPEN,
            "may_close": gap.status in {GapStatus.OPEN, GapStatus.DRAFTED},
        }

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the buttons."""
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/draft/", wrap(self.draft_view), name="chat_gap_draft"),
            path("<path:object_id>/decide/", wrap(self.decide_view), name="chat_gap_decide"),
            *super().get_urls(),
        ]

    def draft_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Begin a node for a gap, and go there."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        gap = self._gap(request, object_id)
        chosen = uuid_or_none(request.POST.get("space", ""))
        space = Space.objects.filter(pk=chosen).first() if chosen else None
        goal = self.address("change", gap.pk)
        with refusals_as_messages(request):
            node = services.gap_draft(acting_user=staff(request), gap=gap, space=space)
            self.message_user(request, _("A draft was begun. Publishing it closes the gap."))
            goal = reverse("admin:knowledge_node_change", args=[node.pk])
        return HttpResponseRedirect(goal)

    def decide_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close or dismiss a gap, or open it again."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        gap = self._gap(request, object_id)
        with refusals_as_messages(request):
            status = request.POST.get("status", "")
            row = services.gap_decide(acting_user=staff(request), gap=gap, status=status)
            self.message_user(request, _("The gap is now: %s.") % row.get_status_display().lower())
        return self.redirect_to(gap.pk)

    def _gap(self, request: HttpRequest, object_id: str) -> KnowledgeGap:
        gap = self.get_object(request, unquote(object_id))
        if gap is None:
            raise Http404(_("There is no such gap, or it is not yours to see."))
        assert isinstance(gap, KnowledgeGap)
        return gap
