"""Episodes: what Acervo remembers of people."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RangeDateFilter, RelatedDropdownFilter

from memory.models import Episode
from memory.services import episodes_forget
from project.accounts.models import User
from project.http.admin_base import ReadOnlyAdmin, badge, display


@admin.register(Episode)
class EpisodeAdmin(ReadOnlyAdmin):
    """Read-only, because a memory that others can rewrite is none; forgetting is possible.

    Seen by superusers and by staff with Django's permission to view episodes.
    """

    list_display = ("summary", "user", "subject", "importance_bar", "recalled_count", "has_vector",
                    "occurred_at")  # fmt: skip
    list_display_links = ("summary",)
    list_select_related = ("user", "space")
    list_filter = (("occurred_at", RangeDateFilter), ("space", RelatedDropdownFilter), "language")
    search_fields = ("content", "user__username", "subject", "session", "external_id")
    ordering = ("-occurred_at", "id")
    fields = (
        "content", "user", "subject", "session", "space", "occurred_at", "importance_bar",
        "why", "tags", "language", "readable_context", "recalled_count", "last_recalled_at",
        "embedding_model", "external_id", "turn_id", "trace_id", "created_at",
    )  # fmt: skip

    @display(description=gettext_lazy("episode"))
    def summary(self, episode: Episode) -> SafeString:
        """Show the beginning of the content."""
        text = episode.content
        return format_html(
            '<span class="ac-two ac-wide"><b>{}</b><small>{}</small></span>',
            text[:110] + ("…" if len(text) > 110 else ""),
            episode.session,
        )

    @display(description=gettext_lazy("importance"), ordering="importance")
    def importance_bar(self, episode: Episode) -> SafeString:
        """Show the importance as a bar with its number."""
        percent = round(episode.importance * 100)
        return format_html(
            '<span class="ac-meter"><i style="width:{}%"></i></span> {}', percent, f"{percent} %"
        )

    @display(description=gettext_lazy("vector"))
    def has_vector(self, episode: Episode) -> SafeString:
        """Show whether it can be found by meaning."""
        is_there = bool(episode.embedding_model)
        return badge(_("Yes") if is_there else _("Waiting"), "success" if is_there else "warning")

    @display(description=gettext_lazy("why so important"))
    def why(self, episode: Episode) -> SafeString | str:
        """Show the signals of the importance."""
        rows = sorted(episode.importance_signals.items())
        line = "<li><code>{}</code> {}</li>"
        return format_html('<ul class="ac-plain">{}</ul>', format_html_join("", line, rows))

    @display(description=gettext_lazy("context"))
    def readable_context(self, episode: Episode) -> SafeString:
        """Show the context with one pair a line."""
        text = json.dumps(episode.context, indent=2, ensure_ascii=False)
        return format_html('<pre class="ac-pre">{}</pre>', text)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Leave out what only search reads."""
        rows = super().get_queryset(request)
        return rows.defer("search", "terms", "embedding", "indexed_text")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow it to those who have Django's permission."""
        return request.user.has_perm("memory.delete_episode")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Forget one episode."""
        self.delete_queryset(request, Episode.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Forget episodes, whoever's they are."""
        assert isinstance(request.user, User)
        episodes_forget(acting_user=request.user, episodes=queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count the episodes; nothing goes along."""
        counts = {str(Episode._meta.verbose_name_plural): len(objs)}
        return [str(each) for each in objs], counts, set(), []
