"""Proposals: their list, and the pages that each of them has."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, staff
from knowledge.admin.proposal_archiving import ArchivePages
from knowledge.admin.proposal_conflicts import ConflictPages
from knowledge.admin.proposal_edits import EditPages
from knowledge.admin.proposal_lists import (
    STATUS_TONES,
    OpenFilter,
    WhoseFilter,
    approvals_of,
    listed,
)
from knowledge.admin.proposal_merges import MergePages
from knowledge.admin.proposal_pages import ProposalPages
from knowledge.admin.proposal_previews import PreviewPages
from knowledge.admin.proposal_relations import RelationPages
from knowledge.admin.proposal_reviews import ReviewPages
from knowledge.models import Proposal, Space
from project.http.admin_base import badge, display, reflect, tone_of
from project.http.ids import uuid_or_none
from project.markdown import plain_text


@admin.register(Proposal)
class ProposalAdmin(
    ArchivePages,
    EditPages,
    RelationPages,
    ReviewPages,
    ConflictPages,
    MergePages,
    PreviewPages,
    ProposalPages,
    SpaceScopedAdmin,
):
    """Every write goes through the services; a proposal's own pages are in the mix-ins."""

    fields = ("space", "title", "description")
    list_display = (
        "summary", "space", "status_badge", "writer", "size", "approved", "conflicting", "age",
    )  # fmt: skip
    list_display_links = ("summary",)
    list_select_related = ("space", "author")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("space", RelatedDropdownFilter),
        WhoseFilter,
        OpenFilter,
    )
    list_before_template = "admin/knowledge/proposal/quick_filters.html"
    change_list_template = "admin/knowledge/proposal/change_list.html"
    search_fields = ("title", "description")
    search_help_text = gettext_lazy("Title or description")
    ordering = ("-updated_at", "id")
    actions = ()

    # -- the list --------------------------------------------------------------------------------

    @display(description=gettext_lazy("title"), ordering="title")
    def summary(self, proposal: Proposal) -> SafeString:
        """Show the title with the beginning of the description below it."""
        lines = plain_text(proposal.description[:2000]).strip().splitlines()
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>',
            proposal.title,
            lines[0][:120] if lines else "",
        )

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, proposal: Proposal) -> SafeString:
        """Show the status as a coloured word."""
        return badge(proposal.get_status_display(), tone_of(STATUS_TONES, proposal.status))

    @display(description=gettext_lazy("author"), ordering="author__username")
    def writer(self, proposal: Proposal) -> str:
        """Show who made it."""
        return str(proposal.author or "–")

    @display(description=gettext_lazy("changes"), ordering="change_count")
    def size(self, proposal: Any) -> int:
        """Show how many nodes and relations it changes."""
        count: int = proposal.change_count
        return count

    @display(description=gettext_lazy("approvals"))
    def approved(self, proposal: Any) -> str:
        """Show how many approvals of those needed are given."""
        if proposal.is_decided:
            return "–"
        facts = {"given": approvals_of(proposal), "needed": proposal.space.required_approvals}
        return _("%(given)s of %(needed)s") % facts

    @display(description=gettext_lazy("conflicts"), ordering="conflict_count")
    def conflicting(self, proposal: Any) -> SafeString | str:
        """Show how many conflicts its preview met."""
        if proposal.is_decided or not proposal.conflict_count:
            return "–"
        return badge(proposal.conflict_count, "danger")

    @display(description=gettext_lazy("changed"), ordering="updated_at")
    def age(self, proposal: Proposal) -> str:
        """Show how long ago it was changed."""
        return _("%(time)s ago") % {"time": timesince(proposal.updated_at, depth=1)}

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the proposals of the spaces that the person edits."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return listed(rows) if is_list else rows

    # -- making one ------------------------------------------------------------------------------

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only the spaces that the person may write in."""
        if db_field.name == "space":
            kwargs["queryset"] = Space.objects.editable_by(staff(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin in the default space, or the only one."""
        data: dict[str, Any] = super().get_changeform_initial_data(request)
        if "space" not in data:
            spaces = list(Space.objects.editable_by(staff(request)).order_by("-is_default")[:2])
            if spaces and (len(spaces) == 1 or spaces[0].is_default):
                data["space"] = spaces[0].pk
        return data

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a proposal is deleted on its own page, where its service decides."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand a new proposal to the service; others are changed on their own pages."""
        stored = services.proposal_create(
            acting_user=staff(request),
            space=obj.space,
            title=obj.title,
            description=obj.description,
        )
        reflect(obj, stored)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go on with the new proposal."""
        return self.redirect_to(obj.pk)

    # -- pages of its own ------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a proposal."""
        own = [
            *self.archive_urls(),
            *self.edit_urls(),
            *self.relation_urls(),
            *self.review_urls(),
            *self.conflict_urls(),
            *self.merge_urls(),
            *self.preview_urls(),
            *self.page_urls(),
        ]
        return [*own, *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return a proposal of the person's spaces with what its pages show; None for others."""
        pk = uuid_or_none(object_id)
        if pk is None:
            return None
        rows = self.get_queryset(request).select_related("space", "author", "merged_by")
        return rows.filter(pk=pk).first()
