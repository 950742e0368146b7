"""The inbox of operators: who waits, the conversation with its traces, answering it."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import unquote
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat import services
from chat.choices import HandoffOrigin, HandoffStatus
from chat.handoff.canned import canned_answers
from chat.handoff.desk import queues_of, said_in, traces_of, waited
from chat.handoff.presence import present
from chat.models import Handoff
from knowledge.admin.access import has_role, staff
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import ReadOnlyAdmin, posted_only, refusals_as_messages, tone_of
from project.http.ids import uuid_or_none
from project.markdown import plain_text

LISTED = 60
SHOWS = {
    "open": gettext_lazy("All open"),
    "waiting": gettext_lazy("Waiting"),
    "triage": gettext_lazy("Triage"),
    "mine": gettext_lazy("Mine"),
    "ended": gettext_lazy("Ended"),
}
TONES = {
    HandoffStatus.WAITING: "warning",
    HandoffStatus.ACTIVE: "info",
    HandoffStatus.RELEASED: "muted",
    HandoffStatus.CLOSED: "success",
}
STEPS: dict[str, Any] = {
    "assign": services.handoff_assign,
    "requeue": services.handoff_requeue,
    "release": services.handoff_release,
    "close": services.handoff_close,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A handoff in the list; `is_unanswered`: the person has written last."""

    handoff: Handoff
    name: str
    words: str
    seconds: int
    tone: str
    is_unanswered: bool


class HandoffAdmin(ReadOnlyAdmin):
    """For staff who edit a space: its queue, and no other. See `HandoffQuerySet.visible_to`."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Editors of any space have an inbox."""
        return has_role(request, Role.EDITOR)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Editors of any space; the rows are those of theirs."""
        return has_role(request, Role.EDITOR)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the handoffs that the person may answer."""
        return Handoff.objects.visible_to(staff(request))

    def get_urls(self) -> list[URLPattern]:
        """Add the addresses of the pieces and of the buttons."""
        wrap = self.admin_site.admin_view
        return [
            path("list/", wrap(self.list_view), name="chat_handoff_list"),
            path("<uuid:pk>/act/", wrap(self.act_view), name="chat_handoff_act"),
            path("<uuid:pk>/search/", wrap(self.search_view), name="chat_handoff_search"),
            path("<uuid:pk>/said/<uuid:message>/", wrap(self.said_view), name="chat_handoff_said"),
            path("<uuid:pk>/keep/<uuid:message>/", wrap(self.keep_view), name="chat_handoff_keep"),
            *super().get_urls(),
        ]

    # -- pages -------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Show who waits."""
        if not self.has_view_permission(request):
            raise Http404(_("There is no such page, or it is not yours to see."))
        context = self.page_context(request, title=_("Inbox"), **self._list_context(request))
        return TemplateResponse(request, "admin/chat/handoff/inbox.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show a conversation, with the list beside it."""
        handoff = self._handoff(request, uuid_or_none(unquote(object_id)))
        user = staff(request)
        context = self.page_context(
            request,
            title=handoff.conversation.title or _("Conversation"),
            original=None,
            **self._list_context(request, handoff),
            handoff=handoff,
            person=name_of(handoff.conversation.user),
            is_mine=handoff.status == HandoffStatus.ACTIVE and handoff.operator_id == user.pk,
            is_here="person" in present(handoff.pk),
            tone=tone_of(TONES, handoff.status),
            seconds=waited(handoff),
            said=said_in(handoff),
            traces=traces_of(handoff, user),
        )
        return TemplateResponse(request, "admin/chat/handoff/inbox.html", context)

    # -- pieces ------------------------------------------------------------------------------------

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """Return the list as a piece of HTML."""
        if not self.has_view_permission(request):
            raise Http404(_("There is no such page, or it is not yours to see."))
        return render(request, "admin/chat/handoff/_list.html", self._list_context(request))

    def said_view(self, request: HttpRequest, pk: uuid.UUID, message: uuid.UUID) -> HttpResponse:
        """Return one message of a conversation as a piece of HTML."""
        handoff = self._handoff(request, pk)
        said = said_in(handoff, only=message)
        if not said:
            raise Http404(_("There is no such message, or it is not yours to see."))
        context = {
            "each": said[0],
            "handoff": handoff,
            "person": name_of(handoff.conversation.user),
        }
        return render(request, "admin/chat/handoff/_said.html", context)

    def search_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Return passages that both the operator and the person may read as a piece of HTML."""
        handoff = self._handoff(request, pk)
        words = request.GET.get("q", "").strip()[:500]
        found = canned_answers(handoff, staff(request), words) if words else []
        context = {"found": found, "words": words}
        return render(request, "admin/chat/handoff/_found.html", context)

    # -- buttons -----------------------------------------------------------------------------------

    def act_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """Take a conversation, put it back, release or close it."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        handoff = self._handoff(request, pk)
        step = STEPS.get(request.POST.get("step", ""))
        if step is None:
            raise Http404(_("There is no such page, or it is not yours to see."))
        extra = {"take_over": True} if request.POST.get("take_over") else {}
        with refusals_as_messages(request):
            done = step(acting_user=staff(request), handoff_id=handoff.pk, **extra)
            if not done.is_open:
                self.message_user(request, _("Acervo answers this conversation again."))
                return HttpResponseRedirect(self.address("changelist"))
        return HttpResponseRedirect(self.address("change", handoff.pk))

    def keep_view(self, request: HttpRequest, pk: uuid.UUID, message: uuid.UUID) -> HttpResponse:
        """Make a proposed node, or a golden question, of an operator's answer."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        handoff = self._handoff(request, pk)
        named: dict[str, Any] = {
            "acting_user": staff(request),
            "handoff_id": handoff.pk,
            "message_id": message,
        }
        with refusals_as_messages(request):
            if request.POST.get("as") == "golden":
                golden, is_new = services.answer_golden(**named)
                page = reverse("admin:knowledge_goldenquestion_change", args=[golden.pk])
                text = _("Made a golden question.") if is_new else _("It is one already.")
            else:
                proposal, is_new = services.answer_propose(**named)
                page = reverse("admin:knowledge_proposal_change", args=[proposal.pk])
                text = _("Proposed as a new node.") if is_new else _("It is proposed already.")
            link = format_html('{} <a class="ac-link" href="{}">{}</a>', text, page, _("Edit it"))
            self.message_user(request, link)
        return HttpResponseRedirect(self.address("change", handoff.pk))

    # -- what they show ----------------------------------------------------------------------------

    def _handoff(self, request: HttpRequest, pk: uuid.UUID | None) -> Handoff:
        rows = self.get_queryset(request).select_related("conversation__user", "space", "operator")
        handoff = rows.filter(pk=pk).first() if self.has_view_permission(request) else None
        if handoff is None:
            raise Http404(_("There is no such conversation, or it is not yours to see."))
        assert isinstance(handoff, Handoff)
        return handoff

    def _list_context(self, request: HttpRequest, current: Handoff | None = None) -> dict[str, Any]:
        show = request.GET.get("show", "open")
        show = show if show in SHOWS else "open"
        space = uuid_or_none(request.GET.get("space", ""))
        rows = (
            self.get_queryset(request).with_newest().select_related("conversation__user", "space")
        )
        if space is not None:
            rows = rows.filter(space=space)
        if show == "ended":
            rows = rows.exclude(ended_at=None).order_by("-ended_at", "pk")
        else:
            mine = Q(operator=staff(request)) if show == "mine" else Q()
            rows = rows.open().filter(mine).queued()
        if show == "waiting":
            rows = rows.waiting()
        elif show == "triage":
            rows = rows.filter(origin=HandoffOrigin.TRIAGE)
        current_id = current.pk if current else uuid_or_none(request.GET.get("current", ""))
        queues = queues_of(staff(request))
        waiting = sum(each.waiting for each in queues)
        return {
            "rows": [_row(each) for each in rows[:LISTED]],
            "queues": queues,
            "waiting": {"badge": waiting, "badge_variant": "warning"},
            "shows": SHOWS.items(),
            "show": show,
            "space": space,
            "current_id": current_id,
        }


def _row(handoff: Any) -> Row:
    return Row(
        handoff=handoff,
        name=name_of(handoff.conversation.user),
        words=plain_text((handoff.newest_text or handoff.reason)[:400]),
        seconds=waited(handoff),
        tone=tone_of(TONES, handoff.status),
        is_unanswered=handoff.is_open and handoff.newest_role == "user",
    )


def name_of(user: User) -> str:
    """Return what an operator is shown of who asks."""
    return user.get_full_name() or user.get_username()
