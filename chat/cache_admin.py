"""Kept answers in the admin: what is given again, how often, until when; they can be deleted."""

from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.models import CachedAnswer, CachedSource
from knowledge.models import Node
from project.http.admin_base import AcervoTabularInline, ReadOnlyAdmin, display


class SourcesInline(AcervoTabularInline):
    """The versions that an answer was made from, each a link to how it read."""

    model = CachedSource
    verbose_name_plural = gettext_lazy("made from")
    fields = readonly_fields = ("source", "version", "is_cited")
    extra = 0
    can_delete = False

    @display(description=gettext_lazy("node"))
    def source(self, row: CachedSource) -> SafeString | str:
        """Return the title of the node, as a link to that version."""
        title = Node.objects.filter(pk=row.node_id).values_list("title", flat=True).first()
        if title is None:
            return _("a node that is gone")
        page = f"{reverse('node-page', args=[row.node_id])}?version={row.version}"
        return format_html('<a class="ac-link" href="{}">{}</a>', page, title)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds a source."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes a source."""
        return False


class CachedAnswerAdmin(ReadOnlyAdmin):
    """Read-only, but for deleting: then the next one who asks is answered anew."""

    list_display = ["question", "hits", "source_count", "created_at", "last_hit_at", "expires_at"]
    search_fields = ["question"]
    search_help_text = gettext_lazy("Search in the questions")
    empty_title = gettext_lazy("No answer is kept")
    empty_words = gettext_lazy(
        "An answer of a language model to a question that stands alone is kept here, and given to "
        "the next person who asks the same and may read the same."
    )
    ordering = ["-hits", "-created_at"]
    fields = readonly_fields = (
        "question",
        "answer_text",
        "turn",
        "hits",
        "last_hit_at",
        "created_at",
        "expires_at",
    )
    inlines = [SourcesInline]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Count the sources along."""
        rows = super().get_queryset(request)
        return rows.select_related("turn__answer").annotate(made_from=Count("sources"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may delete cached answers by Django's permissions."""
        return bool(request.user.has_perm("chat.delete_cachedanswer"))

    @display(description=gettext_lazy("sources"), ordering="made_from")
    def source_count(self, row: Any) -> int:
        """Return how many versions it was made from."""
        return int(row.made_from)

    @display(description=gettext_lazy("answer"))
    def answer_text(self, row: CachedAnswer) -> str:
        """Return the text that is given."""
        return row.turn.answer.content if row.turn.answer is not None else ""
