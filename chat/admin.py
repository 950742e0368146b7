"""Conversations and turns, to be read.

Read-only, because they are what people said and were told: an answer that somebody else could edit
would no longer be the one that was given. They are private, so being staff is not enough: seeing
them needs Django's permission to view conversations or turns, which superusers have.
"""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    RangeDateFilter,
    RelatedDropdownFilter,
)

from chat import trace_admin
from chat.cache_admin import CachedAnswerAdmin
from chat.choices import TurnStatus
from chat.cold import warm, warmed
from chat.experiment_admin import ExperimentAdmin  # noqa: F401 - registers
from chat.gap_admin import KnowledgeGapAdmin
from chat.golden_admin import GoldenOfTurn
from chat.guard_admin import SpaceBudgetAdmin, SpaceWordAdmin  # noqa: F401 - registers
from chat.handoff_admin import HandoffAdmin
from chat.models import CachedAnswer, Conversation, Handoff, KnowledgeGap, Message, Turn
from chat.prompt_admin import AnswerSetupAdmin, PromptVersionAdmin  # noqa: F401 - registers
from chat.routing_shown import routing_context
from chat.states import state_of
from chat.timings import TRACE_WORDS, flat_signals, milliseconds, waterfall
from project.http.admin_base import (
    AcervoTabularInline,
    ReadOnlyAdmin,
    badge,
    display,
    plain_decimal,
    tone_of,
)
from project.inference.models import UsageRecord
from project.markdown import render_markdown

STATUS_TONES = {
    TurnStatus.QUEUED: "default",
    TurnStatus.RUNNING: "info",
    TurnStatus.COMPLETED: "success",
    TurnStatus.STOPPED: "muted",
    TurnStatus.FAILED: "danger",
}


class TurnsInline(AcervoTabularInline):
    """The turns of a conversation, each a link to its trace."""

    model = Turn
    fields = ("link", "status_badge", "route", "model", "total", "created_at")
    readonly_fields = fields
    ordering = ("-created_at",)
    tab = False
    can_delete = False
    per_page = 50

    @display(description=gettext_lazy("question"))
    def link(self, turn: Turn) -> SafeString:
        """Link to the turn."""
        address = reverse("admin:chat_turn_change", args=[turn.pk])
        return format_html('<a class="ac-link" href="{}">{}</a>', address, turn.question)

    @display(description=gettext_lazy("status"))
    def status_badge(self, turn: Turn) -> SafeString:
        """Show the status as a coloured word."""
        return badge(turn.get_status_display(), tone_of(STATUS_TONES, turn.status))

    @display(description=gettext_lazy("time"))
    def total(self, turn: Turn) -> str:
        """Show the time from question to end."""
        return milliseconds(turn.timings.get("total"))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Fetch the questions along."""
        return super().get_queryset(request).select_related("question").defer("trace")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Read-only and private: see this module's first lines."""

    inlines = [TurnsInline, trace_admin.SummariesInline]
    list_display = ("summary", "user", "space", "turn_count", "updated_at")
    list_display_links = ("summary",)
    list_select_related = ("user", "space")
    list_filter = (("updated_at", RangeDateFilter), ("space", RelatedDropdownFilter))
    search_fields = ("title", "user__username", "id__exact")
    ordering = ("-updated_at", "id")
    fields = (
        ("user", "space", "model_tier"),
        ("created_at", "updated_at"),
        "reading",
    )

    @display(description=gettext_lazy("conversation"), ordering="title")
    def summary(self, conversation: Conversation) -> str:
        """Show the title, or that there is none yet."""
        return conversation.title or _("(untitled)")

    @display(description=gettext_lazy("turns"))
    def turn_count(self, conversation: Any) -> int:
        """Show how many turns it has."""
        return int(conversation.turns_made)

    @display(description=gettext_lazy("messages"))
    def reading(self, conversation: Conversation) -> SafeString:
        """Show the messages as they were written, oldest first."""
        warmed(conversation)
        rows = Message.objects.filter(conversation=conversation).order_by("created_at")[:200]
        parts = [
            format_html(
                '<article class="ac-message ac-{}"><h4>{} <small>{}</small></h4>'
                '<div class="ac-prose">{}</div></article>',
                message.role,
                message.author_name or message.get_role_display(),
                date_format(localtime(message.created_at), "SHORT_DATETIME_FORMAT"),
                mark_safe(render_markdown(message.content)),  # noqa: S308 - sanitised
            )
            for message in rows
        ]
        return mark_safe("".join(parts))  # noqa: S308 - made of escaped parts

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the conversations with their turns counted."""
        return super().get_queryset(request).annotate(turns_made=Count("turns"))


@admin.register(Turn)
class TurnAdmin(GoldenOfTurn, ReadOnlyAdmin):
    """Read-only and private: see this module's first lines. Its page explains the answer."""

    list_display = ("summary", "status_badge", "user", "route", "model", "first_token", "total",
                    "cost_words", "created_at")  # fmt: skip
    list_display_links = ("summary",)
    list_select_related = ("question", "conversation__user")
    list_filter = (
        ("created_at", RangeDateFilter),
        ("status", ChoicesDropdownFilter),
        ("route", ChoicesDropdownFilter),
        ("message_class", ChoicesDropdownFilter),
        ("dispatched_to", ChoicesDropdownFilter),
        "is_partial",
    )
    search_fields = ("question__content", "id__exact", "trace_id", "conversation__user__username")
    search_help_text = gettext_lazy("Words of the question, id or trace id, user name")
    ordering = ("-created_at", "id")
    change_form_template = "admin/chat/turn/trace.html"

    @display(description=gettext_lazy("question"))
    def summary(self, turn: Turn) -> SafeString:
        """Show the question."""
        return format_html('<span class="ac-two ac-wide"><b>{}</b></span>', str(turn.question))

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, turn: Turn) -> SafeString:
        """Show the status as a coloured word."""
        return badge(turn.get_status_display(), tone_of(STATUS_TONES, turn.status))

    @display(description=gettext_lazy("user"), ordering="conversation__user")
    def user(self, turn: Turn) -> str:
        """Show who asked."""
        return str(turn.conversation.user)

    @display(description=gettext_lazy("first token"))
    def first_token(self, turn: Turn) -> str:
        """Show the time to the first token."""
        return milliseconds(turn.timings.get("first_token"))

    @display(description=gettext_lazy("total"))
    def total(self, turn: Turn) -> str:
        """Show the time to the end."""
        return milliseconds(turn.timings.get("total"))

    @display(description=gettext_lazy("cost"), ordering="cost")
    def cost_words(self, turn: Turn) -> str:
        """Show the cost without needless zeros."""
        return plain_decimal(turn.cost)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the turns; the list leaves their traces alone."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        if is_list:
            return rows.defer("trace", "error_message")
        return rows.select_related(
            "question", "answer", "conversation__user", "conversation__space"
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return a turn with its content, wherever that is kept."""
        turn = super().get_object(request, object_id, from_field)
        if turn is None or turn.conversation.cold_since is None:
            return turn
        warm(turn.conversation_id)
        return super().get_object(request, object_id, from_field)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Show how the answer came about."""
        return {} if obj is None else trace_context(obj) | self.golden_context(request, obj)


def trace_context(turn: Turn) -> dict[str, Any]:
    """Return everything that the page of a turn shows."""
    trace = turn.trace if isinstance(turn.trace, dict) else {}
    citations = list(turn.citations.select_related("node").order_by("index"))
    cited = {str(each.chunk_id): each.index for each in citations}
    known = {"query", "passages", "memories", "flags", "notice", "degraded", "model_error", "guard"}
    known |= {*trace_admin.SHOWN}
    others = {name: value for name, value in trace.items() if name not in known}
    answer = turn.answer.content if turn.answer else ""
    return {
        "turn": turn,
        "state": state_of(turn),
        "title": _("Turn"),
        "subtitle": str(turn.question),
        "tone": tone_of(STATUS_TONES, turn.status),
        "answer_html": mark_safe(render_markdown(answer)) if answer else "",  # noqa: S308 - sanitised
        "passages": [
            _passage_row(each, cited)
            for each in trace.get("passages", [])
            if isinstance(each, dict)
        ],
        "memories": trace.get("memories", []),
        "flags": _worded(trace.get("flags")),
        "degraded": _worded(trace.get("degraded")),
        "notice": trace.get("notice", ""),
        "model_error": trace.get("model_error", ""),
        "guard": guard if isinstance(guard := trace.get("guard"), dict) else {},
        "rewritten": trace.get("query", ""),
        "others": json.dumps(others, indent=2, ensure_ascii=False, default=str) if others else "",
        "citations": citations,
        "waterfall": waterfall(turn.timings),
        "usage": UsageRecord.objects.filter(turn_id=turn.pk).order_by("created_at")[:50],
        "cost": plain_decimal(turn.cost),
        "routing": routing_context(trace),
        **trace_admin.grounds_context(turn, trace),
    }


def _worded(names: Any) -> list[str]:
    return [str(TRACE_WORDS.get(name, name)) for name in names or [] if name != "partial"]


def _passage_row(passage: dict[str, Any], cited: dict[str, int]) -> dict[str, Any]:
    node, signals = passage.get("node"), passage.get("signals")
    return {
        **passage,
        "cited": cited.get(str(passage.get("chunk"))),
        "url": f"{reverse('node-page', args=[node])}?version={passage.get('version', '')}"
        if node
        else "",
        "signals": flat_signals(signals) if isinstance(signals, dict) else [],
    }


admin.site.register(CachedAnswer, CachedAnswerAdmin)
admin.site.register(KnowledgeGap, KnowledgeGapAdmin)
admin.site.register(Handoff, HandoffAdmin)
