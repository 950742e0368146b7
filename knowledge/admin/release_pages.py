"""The pages around releases: two of them compared, one on its way out, another on its way in."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge import releases, services
from knowledge.access import role_require
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.jobs import progress_cell
from knowledge.admin.versions import comparison_of
from knowledge.choices import JobKind
from knowledge.models import IngestJob, NodeVersion, Release, Space
from knowledge.release_files import release_file
from knowledge.releases import KINDS, Change, Held, Side
from project.accounts.choices import Role
from project.http.admin_base import refusals_as_messages
from project.http.downloads import file_download
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

PAGE = 50
JOBS = 20
NOW = "now"

if TYPE_CHECKING:
    _Base = SpaceScopedAdmin
else:
    _Base = object


class ReleasePages(_Base):
    """The part of the release admin that compares, exports and imports."""

    def release_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>/"
        return [
            path("import/", wrap(self.import_view), name="knowledge_release_import"),
            path(f"{base}compare/", wrap(self.compare_view), name="knowledge_release_compare"),
            path(
                f"{base}compare/<uuid:node_id>/",
                wrap(self.node_view),
                name="knowledge_release_node",
            ),
            path(f"{base}export/", wrap(self.export_view), name="knowledge_release_export"),
        ]

    def release_opened(self, request: HttpRequest, object_id: str) -> Release:
        """Return a release of a space in which the person has the role. Raises Http404."""
        key = uuid_or_none(object_id)
        rows = self.get_queryset(request).select_related("space")
        release = rows.filter(pk=key).first() if key is not None else None
        if release is None:
            raise Http404(_("There is no such release, or it is not yours to see."))
        assert isinstance(release, Release)
        return release

    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show how a release differs from another one, or from what is published now."""
        release = self.release_opened(request, object_id)
        other = request.GET.get("with", NOW)
        old, new = self._sides(request, release, other)
        what: Held = "relations" if request.GET.get("what") == "relations" else "nodes"
        kind = next((each for each in KINDS if each == request.GET.get("change")), None)
        page = releases.changes(what, old, new, limit=PAGE, kind=kind, **_edge(request))
        context = self.page_context(
            request,
            title=_("Compare releases"),
            subtitle=release.name,
            original=release,
            release=release,
            old=old,
            new=new,
            other=other,
            what=what,
            change=kind or "",
            counts=releases.change_counts(old, new),
            rows=changes_shown(what, page.changes),
            page=page,
            first=page.changes[0].id if page.changes else None,
            last=page.changes[-1].id if page.changes else None,
            others=Release.objects.filter(space=release.space)
            .exclude(pk=release.pk)
            .order_by("-created_at")[:100],
        )
        return TemplateResponse(request, "admin/knowledge/release/compare.html", context)

    def node_view(self, request: HttpRequest, object_id: str, node_id: uuid.UUID) -> HttpResponse:
        """Show how one node differs between the two sides."""
        release = self.release_opened(request, object_id)
        other = request.GET.get("with", NOW)
        old, new = self._sides(request, release, other)
        found = releases.node_difference(node_id, old, new)
        if found is None:
            raise Http404(_("Neither of the two holds this node."))
        context = self.page_context(
            request,
            title=found.new.title or found.old.title,
            subtitle=_("%(old)s compared with %(new)s")
            % {"old": _side_name(old), "new": _side_name(new)},
            original=release,
            release=release,
            old=old,
            new=new,
            other=other,
            found=found,
            comparison=comparison_of(found.old, found.new),
            is_split=request.GET.get("view") == "split",
        )
        return TemplateResponse(request, "admin/knowledge/release/node.html", context)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send a release as a file."""
        release = self.release_opened(request, object_id)
        try:
            role_require(staff(request), release.space, Role.EDITOR)
            exported = release_file(release, request.GET.get("format", "zip"))
        except ApiError as error:
            messages.error(request, error.message)
            return self.redirect_to(release.pk)
        return file_download(exported.file, exported.name, exported.content_type)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Take an archive in, and show how the imports of the person's spaces are doing."""
        if not has_role(request, Role.MANAGER):
            return HttpResponseRedirect(self.address("changelist"))
        spaces = list(
            Space.objects.with_role(staff(request), Role.MANAGER).order_by("-is_default", "name")
        )
        if request.method == "POST":
            with refusals_as_messages(request):
                self._take(request, spaces)
                messages.success(request, _("The archive is being checked and imported."))
                return HttpResponseRedirect(self.address("import"))
        jobs = IngestJob.objects.filter(kind=JobKind.RELEASE, space__in=spaces)
        jobs = jobs.select_related("space", "created_by").order_by("-created_at")[:JOBS]
        context = self.page_context(
            request,
            title=_("Import a release"),
            spaces=spaces,
            chosen=request.POST.get("space", ""),
            limit=settings.ACERVO_MAX_UPLOAD_BYTES,
            jobs=[_job_shown(job) for job in jobs],
        )
        return TemplateResponse(request, "admin/knowledge/release/import.html", context)

    def _take(self, request: HttpRequest, spaces: Sequence[Space]) -> None:
        """Hand the uploaded file to the service. Raises ApiError."""
        wanted = uuid_or_none(request.POST.get("space", ""))
        space = next((each for each in spaces if each.pk == wanted), None)
        if space is None:
            raise Invalid(_("Choose a space that you manage."), field="space")
        file = request.FILES.get("file")
        if file is None:
            raise Invalid(_("Choose a file."), field="file")
        services.release_import(acting_user=staff(request), space=space, file=file)

    def _sides(self, request: HttpRequest, release: Release, other: str) -> tuple[Side, Side]:
        this = Side(release.space, release)
        if other == NOW:
            return this, Side(release.space)
        older = self.release_opened(request, other)
        if older.space_id != release.space_id:
            raise Http404(_("Only releases of one space can be compared."))
        if older.created_at > release.created_at:
            return this, Side(release.space, older)
        return Side(release.space, older), this


def changes_shown(what: Held, found: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes as tables show them: with titles, and the words for fields."""
    ends = [pk for each in found for pk in _ends(each)] if what == "relations" else []
    titles = releases.titles_of(ends)
    return [
        {
            "change": each,
            "title": getattr(each.shown, "title", "") or str(each.id),
            "kind": each.shown.kind if each.shown is not None else "",
            "ends": [(pk, titles.get(pk, "")) for pk in _ends(each)] if ends else [],
            "fields": [_field_name(name) for name in each.fields],
        }
        for each in found
    ]


def _ends(change: Change) -> list[uuid.UUID]:
    return [change.shown.source_id, change.shown.target_id] if change.shown is not None else []


def _field_name(name: str) -> str:
    fields = {each.name: each for each in NodeVersion._meta.get_fields()}
    return str(getattr(fields.get(name), "verbose_name", name))


def _side_name(side: Side) -> str:
    return side.release.name if side.release is not None else _("what is published now")


def _edge(request: HttpRequest) -> dict[str, uuid.UUID]:
    for way in ("after", "before"):
        key = uuid_or_none(request.GET.get(way, ""))
        if key is not None:
            return {way: key}
    return {}


def _job_shown(job: IngestJob) -> dict[str, Any]:
    restored = job.checkpoint.get("restored") or {}
    return {
        "job": job,
        "progress": progress_cell(job),
        "name": job.payload.get("release") or (restored.get("release") or {}).get("name", ""),
        "restored": restored,
    }
