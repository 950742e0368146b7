"""What the page of a turn says of the context that was sent, and of what the answer stands on."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy

from chat.models import ConfidenceThreshold, ConversationSummary, Turn
from project.http.admin_base import AcervoTabularInline, ReadOnlyAdmin, display, tone_of

PARTS = {
    "system": gettext_lazy("rules"),
    "summary": gettext_lazy("summary of what was said before"),
    "history": gettext_lazy("last exchanges"),
    "memories": gettext_lazy("memories"),
    "passages": gettext_lazy("passages"),
    "question": gettext_lazy("question"),
}
VERDICTS = {
    "supported": gettext_lazy("in its sources"),
    "partly": gettext_lazy("only partly in its sources"),
    "unsupported": gettext_lazy("not in its sources"),
}
VERDICT_TONES = {"supported": "success", "partly": "warning", "unsupported": "danger"}
REASONS = {
    "quoted": gettext_lazy("word for word"),
    "words": gettext_lazy("by its words"),
    "meaning": gettext_lazy("by its meaning"),
    "model": gettext_lazy("by a language model"),
    "numbers": gettext_lazy("other numbers"),
    "place of numbers": gettext_lazy("numbers of another place"),
    "names": gettext_lazy("other names"),
    "negation": gettext_lazy("a denial more or less"),
    "opposites": gettext_lazy("the opposite"),
    "sides": gettext_lazy("another side"),
    "modality": gettext_lazy("must for may"),
    "more than the source": gettext_lazy("says more"),
    "uncited": gettext_lazy("cites nothing"),
    "other language": gettext_lazy("by numbers and names: another language"),
}
SHOWN = ("context", "verification", "confidence", "routing", "experiments")
"""What of a trace is shown here."""


class SummariesInline(AcervoTabularInline):
    """The summaries of a conversation, newest first."""

    model = ConversationSummary
    fields = ("version", "messages", "text", "model", "created_at")
    readonly_fields = fields
    ordering = ("-version",)
    tab = False
    can_delete = False
    per_page = 10

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


class ConfidenceThresholdAdmin(ReadOnlyAdmin):
    """What `manage.py calibrate_confidence` found."""

    list_display = ("space", "level", "questions", "answered_share", "refused_share",
                    "calibrated_at")  # fmt: skip
    empty_title = gettext_lazy("No thresholds")
    empty_words = gettext_lazy(
        "The threshold of the installation holds. `manage.py calibrate_confidence` finds that of a "
        "space with its golden questions."
    )
    list_select_related = ("space",)
    search_fields = ("space__name",)
    ordering = ("space__name", "id")
    fields = ("space", "threshold", "questions", "answered", "refused", "calibrated_at")

    @display(description=gettext_lazy("threshold"), ordering="threshold")
    def level(self, row: ConfidenceThreshold) -> str:
        """Show the threshold with two places."""
        return f"{row.threshold:.2f}"

    @display(description=gettext_lazy("answered"), ordering="answered")
    def answered_share(self, row: ConfidenceThreshold) -> str:
        """Show the share of golden questions that it lets through."""
        return f"{row.answered:.0%}"

    @display(description=gettext_lazy("refused"), ordering="refused")
    def refused_share(self, row: ConfidenceThreshold) -> str:
        """Show the share that it stops once their nodes are left out."""
        return f"{row.refused:.0%}"


def grounds_context(turn: Turn, trace: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows: parts of the prompt with costs, verdicts, confidence."""
    answer = turn.answer.content if turn.answer else ""
    found = trace.get("verification") or {}
    return {
        "context": _parts(trace.get("context") or {}),
        "confidence": trace.get("confidence"),
        "verification": found,
        "supported_percent": round(100 * share)
        if (share := found.get("share")) is not None
        else None,
        "sentences": [
            {
                "text": Truncator(answer[each["start"] : each["end"]]).chars(200),
                "verdict": VERDICTS.get(each["verdict"], each["verdict"]),
                "tone": tone_of(VERDICT_TONES, each["verdict"]),
                "reason": REASONS.get(each["reason"], each["reason"]),
                "citations": each["citations"],
            }
            for each in found.get("sentences", ())
        ],
    }


def _parts(context: dict[str, Any]) -> dict[str, Any]:
    parts: dict[str, int] = context.get("parts") or {}
    budget = context.get("budget") or 0
    return {
        "budget": budget,
        "used": sum(parts.values()),
        "rows": [
            {
                "name": PARTS.get(name, name),
                "tokens": tokens,
                "width": round(100 * tokens / budget, 1) if budget else 0,
            }
            for name, tokens in parts.items()
        ],
    }


admin.site.register(ConfidenceThreshold, ConfidenceThresholdAdmin)
