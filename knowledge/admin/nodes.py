"""Nodes: the list, the form and what can be done with one."""

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import DateTimeField, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSplitDateTimeVerticalWidget

from knowledge import services
from knowledge.access import role_of
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.history_pages import HistoryPages
from knowledge.admin.kind_forms import kinds_wanted
from knowledge.admin.merge_pages import merge_page_of
from knowledge.admin.node_forms import FIELDS, KINDS, NodeForm
from knowledge.admin.node_lists import (
    STATUS_TONES,
    AttentionFilter,
    KindFilter,
    LanguageFilter,
    ScoreFilter,
    TagFilter,
    index_state,
    moves_of,
)
from knowledge.admin.proposal_lists import MOST_ARCHIVED, proposals_about
from knowledge.admin.quality_pages import QualityPages, touched_lines
from knowledge.admin.related_shown import related_context
from knowledge.admin.relations import RelationsIn, RelationsOut, relations_save
from knowledge.admin.versions import VersionPages
from knowledge.choices import NodeStatus
from knowledge.models import Chunk, Node, Proposal, Relation, Space
from knowledge.reading import wiki_links
from project.accounts.choices import Role
from project.http.admin_base import (
    REFUSAL,
    badge,
    display,
    each_done,
    posted_only,
    reflect,
    tone_of,
)
from project.http.ids import uuid_or_none
from project.markdown import render_markdown

HEAVY = ("content", "metadata", "anchors", "wiki_links")
PREVIEW_CHARS = 400_000


@admin.register(Node)
class NodeAdmin(QualityPages, HistoryPages, VersionPages, SpaceScopedAdmin):
    """Every save goes through the services: it makes a version, or is refused and loses nothing."""

    empty_words = gettext_lazy(
        "Nodes are the texts that search finds and answers cite: write one, or add a source."
    )
    form = NodeForm
    formfield_overrides = {DateTimeField: {"widget": UnfoldAdminSplitDateTimeVerticalWidget}}
    inlines = [RelationsOut, RelationsIn]
    list_display = (
        "summary", "space", "status_badge", "version", "owner", "language", "score", "index",
        "updated_at",
    )  # fmt: skip
    list_display_links = ("summary",)
    list_select_related = ("space", "owner")
    list_filter = (
        ("space", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        KindFilter,
        LanguageFilter,
        TagFilter,
        AttentionFilter,
        ScoreFilter,
    )
    list_before_template = "admin/knowledge/node/quick_filters.html"
    search_fields = ("title", "content", "external_id")
    search_help_text = gettext_lazy("Title, text or external id")
    ordering = ("-updated_at", "id")
    autocomplete_fields = ("owner",)
    actions = ("nodes_submit", "nodes_publish", "nodes_archive", "nodes_propose_archive")
    change_form_outer_before_template = "admin/knowledge/node/status_bar.html"

    # -- the list --------------------------------------------------------------------------------

    @display(description=gettext_lazy("title"), ordering="title")
    def summary(self, node: Node) -> SafeString:
        """Show the title with the kind and the tags below it."""
        tags = "".join(f" · {tag}" for tag in node.tags[:4])
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}{}</small></span>', node.title, node.kind, tags
        )

    @display(description=gettext_lazy("status"), ordering="status")
    def status_badge(self, node: Node) -> SafeString:
        """Show the status as a coloured word."""
        return badge(node.get_status_display(), tone_of(STATUS_TONES, node.status))

    @display(description=gettext_lazy("index"))
    def index(self, node: Node) -> SafeString:
        """Show whether search knows the current version."""
        return badge(*index_state(node))

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the nodes of the person's spaces; lists leave their long texts alone."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        if is_list:
            return self.scored(rows).defer(*HEAVY)
        return rows.defer(*HEAVY) if match is None else rows

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[Any, bool]:
        """Find words in titles and texts; a field that looks up a node searches titles only."""
        match = request.resolver_match
        if match is not None and match.url_name == "autocomplete":
            term = search_term.strip()
            found = queryset.filter(Q(title__icontains=term) | Q(external_id=term))
            return found.defer(*HEAVY), False
        return super().get_search_results(request, queryset, search_term)

    # -- the form --------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the text first, and beside it what is known about it."""
        aside = {"classes": ["ac-aside"]}
        return (
            (None, {"fields": ("title", "content", "reason", "expected_version", "merged_from")}),
            (
                gettext_lazy("What it is"),
                {**aside, "fields": ("space", "kind", "language", "tags")},
            ),
            (
                gettext_lazy("Who looks after it"),
                {**aside, "fields": ("owner", "review_due", "valid_from", "valid_until")},
            ),
            (gettext_lazy("For programs"), {**aside, "fields": ("external_id", "metadata")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A node stays in its space."""
        return ("space",) if obj is not None else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Relations need a node that is stored."""
        return self.inlines if obj is not None else ()

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
                data |= {"space": spaces[0].pk, "language": spaces[0].language}
        data.setdefault("owner", request.user.pk)
        return data

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Editors change drafts and texts in review, curators everything."""
        if isinstance(obj, Node) and obj.status in {NodeStatus.PUBLISHED, NodeStatus.ARCHIVED}:
            return has_role(request, Role.CURATOR, obj.space_id)
        return super().has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the node to the service, and go on with what it stored."""
        wanted = form.changed_data if change else form.cleaned_data
        data = {name: form.cleaned_data[name] for name in FIELDS if name in wanted}
        reason = form.cleaned_data.get("reason", "")
        status = request.POST.get("_status")
        if status in NodeStatus.values:
            data["status"] = status
        if change:
            stored = services.node_update(
                acting_user=staff(request),
                node=obj,
                expected_version=form.cleaned_data["expected_version"],
                merged_from=form.cleaned_data.get("merged_from"),
                reason=reason,
                **cast("Any", data),
            )
        else:
            if data.get("owner") is None:
                data.pop("owner", None)
            stored = services.node_create(
                acting_user=staff(request), space=obj.space, reason=reason, **cast("Any", data)
            )
        reflect(obj, stored)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        """Hand relations to their service."""
        relations_save(staff(request), formset)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Add what the page shows around the form."""
        around = {
            "kinds": KINDS,
            "kinds_wanted": kinds_wanted(staff(request)),
            "preview_url": self.address("preview"),
        }
        if obj is None:
            return around | {"may_publish": has_role(request, Role.CURATOR)}
        stored = Node.objects.select_related("space", "owner").filter(pk=obj.pk).first() or obj
        role = role_of(staff(request), stored.space)
        merge = merge_page_of(getattr(request, REFUSAL, None), stored, form)
        if merge is not None and not form.errors:
            around["errors"] = ()
        return around | {
            "stored": stored,
            "status_tone": tone_of(STATUS_TONES, stored.status),
            "index_state": index_state(stored),
            "moves": moves_of(stored, role),
            "merge": merge,
            "quality": self.quality_context(request, stored),
            **related_context(request, stored),
            "show_history": False,
            "may_change": self.has_change_permission(request, stored),
            "may_propose": role is not None and role >= Role.EDITOR,
            "may_try_cutting": role is not None and role >= Role.CURATOR,
            "open_proposals": proposals_about(staff(request), stored),
        }

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Stay on the page after a change of status."""
        if "_status" in request.POST:
            text = _("“%(title)s” is now: %(status)s. Version %(version)s.")
            facts = {"title": obj, "status": obj.get_status_display(), "version": obj.version}
            messages.success(request, text % facts)
            return self.redirect_to(obj.pk)
        return super().response_change(request, obj)

    # -- deleting, many at once ------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count what goes along instead of loading it; citations and versions stay."""
        ids = [each.pk for each in objs]
        counts = {
            str(Node._meta.verbose_name_plural): len(ids),
            str(Chunk._meta.verbose_name_plural): Chunk.objects.filter(node__in=ids).count(),
            str(Relation._meta.verbose_name_plural): Relation.objects.filter(
                Q(source__in=ids) | Q(target__in=ids)
            ).count(),
        }
        return [*map(str, objs), *touched_lines(request, ids)], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        services.node_delete(
            acting_user=staff(request), node=obj, reason=request.POST.get("reason", "")[:500]
        )

    @admin.action(description=gettext_lazy("Submit for review"))
    def nodes_submit(self, request: HttpRequest, rows: Any) -> None:
        """Hand the chosen drafts in."""
        user = staff(request)
        each_done(request, rows, lambda node: services.node_submit(acting_user=user, node=node))

    @admin.action(description=gettext_lazy("Publish"))
    def nodes_publish(self, request: HttpRequest, rows: Any) -> None:
        """Publish the chosen nodes."""
        user = staff(request)
        each_done(request, rows, lambda node: services.node_publish(acting_user=user, node=node))

    @admin.action(description=gettext_lazy("Archive"))
    def nodes_archive(self, request: HttpRequest, rows: Any) -> HttpResponse | None:
        """Archive the chosen nodes, once the page that shows what stands on them was confirmed."""
        return self.archive_confirmed(request, rows)

    @admin.action(description=gettext_lazy("Propose to archive"))
    def nodes_propose_archive(self, request: HttpRequest, rows: Any) -> HttpResponse:
        """Ask in which proposal the chosen nodes are to be archived."""
        proposals: Any = self.admin_site.get_model_admin(Proposal)
        answer: HttpResponse = proposals.archive_page(
            request, list(rows.values_list("pk", flat=True)[:MOST_ARCHIVED])
        )
        return answer

    # -- pages of its own ------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the preview and the pages of versions."""
        wrap = self.admin_site.admin_view
        own = [path("preview/", wrap(self.preview_view), name="knowledge_node_preview")]
        pages = [*self.quality_urls(), *self.version_urls(), *self.history_urls()]
        return [*own, *pages, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Return the HTML of a Markdown text, as the reading page would show it."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        if not self.has_view_permission(request):
            return HttpResponse(status=403)
        text = request.POST.get("content", "")
        wanted = uuid_or_none(request.POST.get("space", ""))
        space = (
            Space.objects.visible_to(request.user).filter(pk__in=[wanted] if wanted else []).first()
        )
        node = Node(space=space) if space is not None else None
        resolver = wiki_links(node, staff(request)) if node is not None else None
        html = render_markdown(text[:PREVIEW_CHARS], link_resolver=resolver, heading_ids=True)
        return JsonResponse({"html": html, "is_cut": len(text) > PREVIEW_CHARS})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Lead to the versions: they are the history of a node."""
        return HttpResponseRedirect(self.address("versions", object_id))
