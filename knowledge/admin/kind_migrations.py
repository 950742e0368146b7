"""The changes of kinds' schemas: what they are to each node, doing one, and undoing it."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from knowledge import services
from knowledge.admin.access import has_role, staff
from knowledge.admin.kind_rows import json_text, rows_shown
from knowledge.choices import KindMigrationStatus, KindMigrationWork, MigratedState
from knowledge.kind_backups import backup_lines
from knowledge.kind_progress import progress_of
from knowledge.metadata.steps import OPERATIONS
from knowledge.models import KindMigration, MigratedNode
from project.accounts.choices import Role
from project.http.admin_base import (
    ReadOnlyAdmin,
    badge,
    display,
    refusals_as_messages,
    tone_of,
)

PAGE = 50
STATUS_TONES = {
    KindMigrationStatus.PLANNED: "warning",
    KindMigrationStatus.VALIDATED: "info",
    KindMigrationStatus.RUNNING: "info",
    KindMigrationStatus.COMPLETED: "success",
    KindMigrationStatus.FAILED: "danger",
    KindMigrationStatus.ROLLED_BACK: "default",
}


@admin.register(KindMigration)
class KindMigrationAdmin(ReadOnlyAdmin):
    """Those who manage a kind see its migrations; each is written by its worker."""

    list_display = ("summary", "status_badge", "nodes_now", "created_by", "created_at")
    list_display_links = ("summary",)
    list_select_related = ("kind__space", "created_by")
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("kind__name", "kind__title", "trace_id")
    ordering = ("-created_at", "id")

    @display(description=gettext_lazy("migration"), ordering="created_at")
    def summary(self, migration: KindMigration) -> SafeString:
        """Show the kind and the versions of its schema."""
        space = migration.kind.space
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>',
            migration,
            space if space is not None else _("All spaces"),
        )

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, migration: KindMigration) -> SafeString:
        """Show the status as a coloured word."""
        return badge(migration.get_status_display(), tone_of(STATUS_TONES, migration.status))

    @display(description=gettext_lazy("nodes"))
    def nodes_now(self, migration: KindMigration) -> str:
        """Show how many nodes change, of how many."""
        counts = migration.counts
        return f"{counts['changed']} / {counts['nodes']}" if counts else "–"

    # -- who may ---------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the person manages a space."""
        return has_role(request, Role.MANAGER)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the kind; the rows of lists are chosen already."""
        return has_role(request, Role.MANAGER)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the migrations of the kinds that the person manages."""
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)

    # -- one migration ---------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add what can be done with a migration."""
        views: dict[str, Callable[..., Any]] = {
            "replan": self.replan_view,
            "apply": self.apply_view,
            "rollback": self.rollback_view,
            "progress": self.progress_view,
            "backup": self.backup_view,
        }
        wrap = self.admin_site.admin_view
        own = [
            path(f"<uuid:pk>/{name}/", wrap(view), name=f"knowledge_kindmigration_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show a migration with its nodes: `?state=` chooses which."""
        migration = self._opened(request, unquote(object_id or ""))
        rows = migration.nodes.order_by("pk")
        state = request.GET.get("state", "")
        state = state if state in MigratedState.values else _first_state(migration)
        page = Paginator(rows.filter(state=state), PAGE).get_page(request.GET.get("page"))
        counts = {each.value: rows.filter(state=each).count() for each in MigratedState}
        context = self.page_context(
            request,
            title=str(migration),
            original=migration,
            migration=migration,
            tone=tone_of(STATUS_TONES, migration.status),
            percent=round(100 * progress_of(migration.pk)) if migration.is_running else None,
            steps=_steps(migration),
            chips=[
                (each.value, each.label, counts[each.value], each.value == state)
                for each in MigratedState
                if counts[each.value]
            ],
            page=page,
            state=state,
            rows=rows_shown(list(page)),
            schemas=[json_text(migration.old_schema), json_text(migration.new_schema)],
            can=_possible(migration),
        )
        return TemplateResponse(request, "admin/knowledge/kindmigration/one.html", context)

    def replan_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Make the plan anew."""
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        migration = self._opened(request, pk)
        with refusals_as_messages(request):
            services.kind_migration_replan(acting_user=staff(request), migration=migration)
            messages.success(request, _("The plan is made anew."))
        return self.redirect_to(migration.pk)

    def apply_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Ask whether to migrate, and have it done."""
        migration = self._opened(request, pk)
        if request.method == "POST":
            with refusals_as_messages(request):
                services.kind_migration_apply(acting_user=staff(request), migration=migration)
            return self.redirect_to(migration.pk)
        return self._confirm(request, migration, is_undo=False)

    def rollback_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Ask whether to go back, and have it done."""
        migration = self._opened(request, pk)
        if request.method == "POST":
            with refusals_as_messages(request):
                services.kind_migration_rollback(
                    acting_user=staff(request),
                    migration=migration,
                    keep_later="keep_later" in request.POST,
                )
            return self.redirect_to(migration.pk)
        return self._confirm(request, migration, is_undo=True)

    def progress_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return `{"percent", "is_running"}`."""
        migration = self._opened(request, pk)
        percent = round(100 * progress_of(migration.pk))
        return JsonResponse({"percent": percent, "is_running": migration.is_running})

    def backup_view(self, request: HttpRequest, pk: Any) -> StreamingHttpResponse:
        """Send the old metadata of all nodes as a file; the rows hold it."""
        migration = self._opened(request, pk)
        rows: Iterable[MigratedNode] = migration.nodes.order_by("pk").iterator(chunk_size=1000)
        response = StreamingHttpResponse(
            backup_lines(migration, rows), content_type="application/json"
        )
        name = f"{migration.kind.name}-{migration.from_version}-{str(migration.pk)[:8]}.json"
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _confirm(
        self, request: HttpRequest, migration: KindMigration, *, is_undo: bool
    ) -> HttpResponse:
        context = self.page_context(
            request,
            title=_("Roll back") if is_undo else _("Migrate"),
            subtitle=str(migration),
            original=migration,
            migration=migration,
            is_undo=is_undo,
            can=_possible(migration),
            conflicts=migration.nodes.filter(state=MigratedState.CONFLICT).count(),
        )
        return TemplateResponse(request, "admin/knowledge/kindmigration/confirm.html", context)

    def _opened(self, request: HttpRequest, pk: Any) -> KindMigration:
        migration = self.get_object(request, str(pk))
        if not isinstance(migration, KindMigration):
            raise Http404(_("There is no such migration, or it is not yours to see."))
        return migration


def _first_state(migration: KindMigration) -> str:
    """Return the state to begin with: what stands in the way, then what changes."""
    order = (MigratedState.INVALID, MigratedState.CONFLICT, MigratedState.CHANGED)
    for state in order:
        if migration.nodes.filter(state=state).exists():
            return state
    return MigratedState.UNCHANGED


def _steps(migration: KindMigration) -> list[tuple[int, str, str, int]]:
    """Return number, operation, facts and count of nodes of each step."""
    counts = migration.counts.get("steps") or [0] * len(migration.steps)
    return [
        (
            number + 1,
            step["op"],
            ", ".join(
                f"{key}: {json.dumps(step[key], ensure_ascii=False)[:200]}"
                for key in (name.rstrip("?") for name in OPERATIONS[step["op"]])
                if key in step
            ),
            counts[number],
        )
        for number, step in enumerate(migration.steps)
    ]


def _possible(migration: KindMigration) -> dict[str, bool]:
    """Return what the status and the schema in force allow."""
    kind, status = migration.kind, migration.status
    is_next = kind.schema_version == migration.from_version
    open_ = {
        KindMigrationStatus.PLANNED,
        KindMigrationStatus.VALIDATED,
        KindMigrationStatus.FAILED,
    }
    return {
        "replan": is_next and status in open_,
        "apply": is_next and status == KindMigrationStatus.VALIDATED,
        "rollback": kind.schema_version == migration.to_version
        and status == KindMigrationStatus.COMPLETED,
        "failed_back": status == KindMigrationStatus.COMPLETED
        and migration.work == KindMigrationWork.ROLLBACK,
    }
