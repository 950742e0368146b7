"""Index generations: which model serves which space. Jobs make them, here they are read."""

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge.admin.access import SpaceScopedAdmin, staff
from knowledge.choices import GenerationStatus
from knowledge.models import IndexGeneration, Space
from project.http.admin_base import badge, display, tone_of

TONES = {
    GenerationStatus.BUILDING: "info",
    GenerationStatus.READY: "warning",
    GenerationStatus.ACTIVE: "success",
    GenerationStatus.RETIRED: "muted",
}


@admin.register(IndexGeneration)
class IndexGenerationAdmin(SpaceScopedAdmin):
    """One embedding model's index of a space; the active one answers searches."""

    list_display = ("space", "model_key", "dimensions", "status_badge", "vectors", "has_ann_index",
                    "activated_at")  # fmt: skip
    list_select_related = ("space", "endpoint")
    list_filter = (("space", RelatedDropdownFilter), ("status", ChoicesDropdownFilter))
    search_fields = ("model_key", "space__name")
    fields = ("space", "model_key", "endpoint", "dimensions", "status_badge", "vectors",
              "has_ann_index", "created_at", "activated_at")  # fmt: skip

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, generation: IndexGeneration) -> SafeString:
        """Show the status as a coloured word."""
        return badge(generation.get_status_display(), tone_of(TONES, generation.status))

    @display(description=gettext_lazy("vectors"))
    def vectors(self, generation: Any) -> str:
        """Show how many passages have a vector in it."""
        return intcomma(generation.vector_count)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the generations of the person's spaces with their vectors counted."""
        rows = self.model._default_manager.filter(
            space__in=Space.objects.with_role(staff(request), self.view_role)
        ).order_by("space__name", "-created_at")
        return rows.annotate(vector_count=Count("embeddings"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False
