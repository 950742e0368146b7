"""Releases: the list, what one holds, and the page that makes another."""

import datetime
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter

from knowledge import releases, services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.release_pages import ReleasePages, changes_shown
from knowledge.models import NodeVersion, Release, ReleaseEntry, ReleaseRelation, Space
from knowledge.releases import Side
from project.accounts.choices import Role
from project.http.admin_base import display
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

PAGE = 50
PREVIEW = 20


@admin.register(Release)
class ReleaseAdmin(ReleasePages, SpaceScopedAdmin):
    """Releases are made and read here; nothing changes them."""

    empty_words = gettext_lazy(
        "A release names the state of a space, to be read, compared and exported later."
    )
    list_display = ("summary", "space", "node_count", "relation_count", "as_of", "made_by", "sum")
    list_display_links = ("summary",)
    list_select_related = ("space",)
    list_filter = (("space", RelatedDropdownFilter),)
    list_before_template = "admin/knowledge/release/list_bar.html"
    search_fields = ("name", "description", "checksum")
    ordering = ("-created_at", "id")
    add_role = Role.CURATOR

    @display(description=gettext_lazy("release"), ordering="name")
    def summary(self, release: Release) -> SafeString:
        """Show the name with the first words of the description below it."""
        words = release.description.split("\n", 1)[0][:120]
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', release.name, words
        )

    @display(description=gettext_lazy("made by"), ordering="author_name")
    def made_by(self, release: Release) -> str:
        """Show who made it, by the name of then."""
        return release.author_name or "–"

    @display(description=gettext_lazy("checksum"))
    def sum(self, release: Release) -> SafeString:
        """Show the beginning of the checksum."""
        text = '<code title="{}">{}</code>'
        return format_html(text, release.checksum, release.checksum[:10])

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: a release never changes."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Say which of the ways to more releases the person has."""
        ways = {
            "may_make": self.has_add_permission(request),
            "may_import": has_role(request, Role.MANAGER),
        }
        return super().changelist_view(request, {**(extra_context or {}), **ways})

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of comparing, exporting and importing."""
        return [*self.release_urls(), *super().get_urls()]

    # -- one release -----------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show what a release is and what it holds."""
        release = self.release_opened(request, unquote(object_id))
        words = request.GET.get("q", "").strip()[:200]
        page = Paginator(_entries(release, words), PAGE).get_page(request.GET.get("page"))
        others = Release.objects.filter(space=release.space).exclude(pk=release.pk)
        older = others.filter(created_at__lt=release.created_at)
        context = self.page_context(
            request,
            title=release.name,
            subtitle=str(release.space),
            original=release,
            release=release,
            page=page,
            words=words,
            others=others.order_by("-created_at")[:100],
            older=older.order_by("-created_at").first(),
            may_delete=self.has_delete_permission(request, release),
        )
        return TemplateResponse(request, "admin/knowledge/release/release.html", context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Lead to the release: it has no other history."""
        return self.redirect_to(object_id)

    # -- a new release ---------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show what a release of a space would hold that the last one did not, and make it."""
        if not self.has_add_permission(request):
            return HttpResponseRedirect(self.address("changelist"))
        allowed = Space.objects.with_role(staff(request), Role.CURATOR)
        spaces = list(allowed.order_by("-is_default", "name"))
        sent = request.POST if request.method == "POST" else request.GET
        wanted = uuid_or_none(sent.get("space", ""))
        space = next((each for each in spaces if each.pk == wanted), spaces[0] if spaces else None)
        problem: ApiError | None = None
        if request.method == "POST" and space is not None:
            try:
                return self._made(request, space)
            except ApiError as error:
                problem = error
        last = None
        if space is not None:
            last = Release.objects.filter(space=space).order_by("-created_at", "pk").first()
        context = self.page_context(
            request,
            title=_("Make a release"),
            spaces=spaces,
            space=space,
            sent=sent,
            problem=problem,
            last=last,
            preview=_preview(space, last) if space is not None else None,
        )
        return TemplateResponse(request, "admin/knowledge/release/add.html", context)

    def _made(self, request: HttpRequest, space: Space) -> HttpResponse:
        release = services.release_create(
            acting_user=staff(request),
            space=space,
            name=request.POST.get("name", ""),
            description=request.POST.get("description", "").replace("\r\n", "\n"),
            as_of=_moment(request.POST.get("as_of", "")),
        )
        self.log_addition(request, release, "")
        text = _("“%(name)s” holds %(count)s nodes for good.")
        messages.success(request, text % {"name": release.name, "count": release.node_count})
        return self.redirect_to(release.pk)

    # -- deleting --------------------------------------------------------------------------------

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count what goes along; the versions stay."""
        counts = {
            str(Release._meta.verbose_name_plural): len(objs),
            str(ReleaseEntry._meta.verbose_name_plural): ReleaseEntry.objects.filter(
                release__in=objs
            ).count(),
            str(ReleaseRelation._meta.verbose_name_plural): ReleaseRelation.objects.filter(
                release__in=objs
            ).count(),
        }
        return [str(each) for each in objs], counts, set(), []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete through the service."""
        services.release_delete(acting_user=staff(request), release=obj)


def _entries(release: Release, words: str) -> QuerySet:
    """Return the entries with the facts of their versions, those with the words in their title."""
    versions = NodeVersion.objects.filter(id=OuterRef("node_id"), version=OuterRef("version"))
    names = ("title", "kind", "language", "history_date", "author_name")
    facts = {f"node_{name}": Subquery(versions.values(name)[:1]) for name in names}
    rows: Any = release.entries.annotate(**facts)
    if words:
        rows = rows.filter(Q(node_title__icontains=words) | Q(checksum__startswith=words))
    return cast("QuerySet", rows.order_by("node_title", "node_id"))


def _preview(space: Space, last: Release | None) -> dict[str, Any]:
    """Return what a release of now would hold, and how it differs from the last one."""
    now = Side(space)
    if last is None:
        nothing = Side(space, Release(pk=space.pk))  # no release has the id of a space
        counts = releases.change_counts(nothing, now)
        return {"counts": counts, "rows": [], "is_first": True}
    page = releases.changes("nodes", Side(space, last), now, limit=PREVIEW)
    return {
        "counts": releases.change_counts(Side(space, last), now),
        "rows": changes_shown("nodes", page.changes),
        "is_cut": page.has_after,
    }


def _moment(text: str) -> datetime.datetime | None:
    """Return the moment of a form's field; None for now. Raises Invalid."""
    if not text.strip():
        return None
    try:
        moment = parse_datetime(text.strip())
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid(_("Enter a date and a time."), field="as_of")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
