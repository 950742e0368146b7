"""Feeds: setting them up, trying the connection, running them."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import OuterRef, Subquery
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import RelatedDropdownFilter

from knowledge import services
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.feed_forms import COMMON, FeedForm, form_for, setting_names
from knowledge.admin.feed_kinds import (
    form_field,
    kind_facts,
    kind_of,
    kind_wanted,
    kind_words,
)
from knowledge.admin.feed_runs import RUN_TONES, run_counts
from knowledge.choices import FeedRunStatus
from knowledge.connectors import connectors
from knowledge.models import Feed, FeedRun, Space
from project.accounts.choices import Role
from project.http.admin_base import badge, display, posted_only, reflect, tone_of
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

LAST_RUNS = 8


@admin.register(Feed)
class FeedAdmin(SpaceScopedAdmin):
    """Managers set feeds up; curators run them; editors look."""

    empty_words = gettext_lazy(
        "A feed reads a folder, website, repository, bucket or mailbox again and again."
    )
    form = FeedForm
    add_role = change_role = delete_role = Role.MANAGER
    list_display = ("summary", "space", "last_run", "found", "next_run", "is_enabled")
    list_display_links = ("summary",)
    list_select_related = ("space",)
    list_filter = (("space", RelatedDropdownFilter), "is_enabled")
    list_before_template = "admin/knowledge/feed/list_bar.html"
    search_fields = ("name",)
    ordering = ("-created_at", "id")
    change_form_outer_before_template = "admin/knowledge/feed/bar.html"

    class Media:
        js = [Script("acervo/admin/feeds.js", type="module")]

    # -- the list ----------------------------------------------------------------------------------

    @display(description=gettext_lazy("feed"), ordering="name")
    def summary(self, feed: Feed) -> SafeString:
        """Show the name with the kind of place below it."""
        return format_html(
            '<span class="ac-two"><b>{}</b><small>{}</small></span>', feed.name, kind_words(feed)
        )

    @display(description=gettext_lazy("last run"), ordering="last_synced_at")
    def last_run(self, feed: Any) -> str | SafeString:
        """Show how the last run went."""
        if not feed.run_status:
            return "–"
        label = FeedRunStatus(feed.run_status).label
        when = feed.last_synced_at
        return format_html(
            '<span class="ac-two"><span>{}</span><small>{}</small></span>',
            badge(label, tone_of(RUN_TONES, feed.run_status)),
            date_format(localtime(when), "SHORT_DATETIME_FORMAT") if when else "",
        )

    @display(description=gettext_lazy("found"))
    def found(self, feed: Any) -> str | SafeString:
        """Show what the last run found."""
        run = FeedRun.objects.filter(pk=feed.run_id).first() if feed.run_id else None
        return run_counts(run) if run is not None else "–"

    @display(description=gettext_lazy("next run"), ordering="next_sync_at")
    def next_run(self, feed: Feed) -> str:
        """Show when it is due."""
        if not feed.is_enabled or feed.next_sync_at is None:
            return _("by hand")
        return date_format(localtime(feed.next_sync_at), "SHORT_DATETIME_FORMAT")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the feeds of the person's spaces, each with its last run."""
        last = FeedRun.objects.filter(feed=OuterRef("pk")).order_by("-created_at")
        return (
            super()
            .get_queryset(request)
            .annotate(
                run_status=Subquery(last.values("status")[:1]),
                run_id=Subquery(last.values("pk")[:1]),
            )
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Offer to import one address, above the list."""
        spaces = Space.objects.editable_by(staff(request)).order_by("-is_default", "name")
        extra = {"spaces": list(spaces), **(extra_context or {})}
        return super().changelist_view(request, extra)

    # -- the form ----------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Ask for the kind of place first."""
        if not self.has_add_permission(request):
            return HttpResponseRedirect(self.address("changelist"))
        if kind_wanted(request) is None:
            context = self.page_context(
                request,
                title=_("Add a feed"),
                connectors=[kind_facts(each) for each in connectors().values()],
            )
            return TemplateResponse(request, "admin/knowledge/feed/choose.html", context)
        return super().add_view(request, form_url, extra_context)

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Return the form with the fields of the connector."""
        connector = kind_of(request, obj)
        if connector is not None and self._is_form(request, obj):
            kwargs["form"] = form_for(connector)
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the place first, then when it is read and what becomes of what is missing."""
        connector = kind_of(request, obj)
        if connector is None or not self._is_form(request, obj):
            shown = ("name", "space", "settings_shown", *COMMON[1:-1], "owner", "last_error")
            return ((None, {"fields": shown}),)
        secret = ("new_secret", "clear_secret", "secret_variable")
        place = (*setting_names(connector), *(secret if connector.secret_label else ()))
        return (
            (None, {"fields": ("space", ("name", "is_enabled"))}),
            (connector.label, {"fields": place}),
            (
                gettext_lazy("When, and what for"),
                {"fields": ("interval_minutes", ("language", "tags"))},
            ),
            (gettext_lazy("What is missing"), {"fields": (("gone_after", "least_share"),)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A feed stays in its space."""
        shown = ("settings_shown", "owner", "last_error")
        return (*shown, "space") if obj is not None else shown

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer only the spaces that the person manages."""
        if db_field.name == "space":
            kwargs["queryset"] = Space.objects.with_role(staff(request), Role.MANAGER)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin in the default space, or the only one."""
        data: dict[str, Any] = super().get_changeform_initial_data(request)
        spaces = list(
            Space.objects.with_role(staff(request), Role.MANAGER).order_by("-is_default")[:2]
        )
        if "space" not in data and spaces and (len(spaces) == 1 or spaces[0].is_default):
            data["space"] = spaces[0].pk
        return data

    @display(description=gettext_lazy("settings"))
    def settings_shown(self, feed: Feed) -> SafeString:
        """Show the settings to those who may not change them."""
        rows = [(name, value) for name, value in feed.settings.items() if value not in ("", [])]
        return format_html(
            '<ul class="ac-plain">{}</ul>', format_html_join("", "<li>{}: {}</li>", rows)
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        """Hand the feed to the service; a refused setting is told at its field."""
        fields = {name: form.cleaned_data[name] for name in COMMON if name in form.cleaned_data}
        fields |= {"settings": form.chosen(), "secret": form.secret()}
        user = staff(request)
        try:
            if change:
                stored = services.feed_update(acting_user=user, feed=obj, **cast("Any", fields))
            else:
                stored = services.feed_create(
                    acting_user=user,
                    space=form.cleaned_data["space"],
                    connector=kind_wanted(request) or "",
                    **cast("Any", fields),
                )
        except ApiError as error:
            error.field = form_field(error.field)
            raise
        reflect(obj, stored)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Hand the deletion to the service."""
        services.feed_delete(acting_user=staff(request), feed=obj)

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Add the last runs and the buttons."""
        connector = kind_of(request, obj)
        about = {
            "connector": kind_facts(connector) if connector is not None else None,
            "probe_url": self.address("probe"),
            "may_probe": self._is_form(request, obj),
        }
        if obj is None:
            return about
        runs = obj.runs.select_related("job").order_by("-created_at")[:LAST_RUNS]
        shown = [
            (run, badge(run.get_status_display(), tone_of(RUN_TONES, run.status)), run_counts(run))
            for run in runs
        ]
        return about | {
            "runs": shown,
            "waiting": obj.runs.filter(status=FeedRunStatus.SUSPICIOUS).first(),
            "is_running": obj.runs.filter(status=FeedRunStatus.RUNNING).exists(),
            "may_run": has_role(request, Role.CURATOR, obj.space_id),
        }

    # -- buttons -----------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Add the test of a connection, the run, and the import of one address."""
        wrap = self.admin_site.admin_view
        return [
            path("probe/", wrap(self.probe_view), name="knowledge_feed_probe"),
            path("import/", wrap(self.import_view), name="knowledge_feed_import"),
            path("<path:object_id>/sync/", wrap(self.sync_view), name="knowledge_feed_sync"),
            *super().get_urls(),
        ]

    def probe_view(self, request: HttpRequest) -> HttpResponse:
        """Try the connection that a form describes; nothing is kept. Answers `{ok, message}`."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        wanted = uuid_or_none(request.POST.get("feed", ""))
        feed = self.get_queryset(request).filter(pk=wanted).first() if wanted else None
        try:
            said = self._probed(request, feed)
        except ApiError as error:
            return JsonResponse({"ok": False, "message": error.message})
        return JsonResponse({"ok": True, "message": said})

    def _probed(self, request: HttpRequest, feed: Feed | None) -> str:
        connector = kind_of(request, feed)
        if connector is None:
            raise Invalid(_("There is no such connector."), field="connector")
        managed = Space.objects.with_role(staff(request), Role.MANAGER)
        wanted = uuid_or_none(request.POST.get("space", ""))
        space = feed.space if feed else managed.filter(pk=wanted).first() if wanted else None
        if space is None:
            raise Invalid(_("Choose a space that you manage."), field="space")
        form = form_for(connector)(request.POST, instance=feed)
        form.is_valid()  # only the settings are asked for
        wrong = [name for name in setting_names(connector) if name in form.errors]
        if wrong:
            label = form.fields[wrong[0]].label
            raise Invalid(f"{label}: {form.errors[wrong[0]][0]}", field=wrong[0])
        return services.feed_probe(
            acting_user=staff(request),
            space=space,
            connector=connector.name,
            settings=form.chosen(),
            secret=form.secret() or "",
            feed=feed,
        )

    def sync_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Start a run and show it."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        feed = self.get_object(request, unquote(object_id))
        if feed is None or not self.has_view_permission(request, feed):
            raise Http404(_("There is no such feed, or it is not yours to see."))
        try:
            run = services.feed_sync(acting_user=staff(request), feed=cast("Feed", feed))
        except ApiError as error:
            messages.error(request, error.message)
            return self.redirect_to(feed.pk)
        return HttpResponseRedirect(reverse("admin:knowledge_feedrun_change", args=[run.pk]))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Import one address and show its job."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        wanted = uuid_or_none(request.POST.get("space", ""))
        spaces = Space.objects.editable_by(staff(request))
        space = spaces.filter(pk=wanted).first() if wanted else None
        try:
            if space is None:
                raise Invalid(_("Choose a space that you may write in."), field="space")
            url = request.POST.get("url", "").strip()
            job = services.address_import(acting_user=staff(request), space=space, url=url)
        except ApiError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(self.address("changelist"))
        return HttpResponseRedirect(reverse("admin:knowledge_ingestjob_change", args=[job.pk]))

    def _is_form(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None:
            return self.has_add_permission(request)
        return self.has_change_permission(request, obj)
