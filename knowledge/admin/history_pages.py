"""The pages on which a history itself is worked: names for versions, bulk reverts, erasures."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from knowledge import services
from knowledge.admin.access import has_role, staff
from knowledge.choices import VersionOrigin
from knowledge.models import IngestJob, NodeVersion, Proposal, Space
from knowledge.reverting import RevertPlan, Unwanted, revert_plan
from knowledge.types import Origin
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import posted_only, refusals_as_messages
from project.http.ids import uuid_or_none

MOST_SHOWN = 200
WHOSE = ("space", "author", "proposal", "job")

if TYPE_CHECKING:
    from knowledge.admin.versions import VersionPages as _Base
else:
    _Base = object


class Moment(forms.DateTimeInput):
    """A date with a time, picked as the browser offers it."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(attrs={"class": "ac-input"}, format="%Y-%m-%dT%H:%M")


class BulkRevertForm(forms.Form):
    """Whose changes to take out of which space, in which time."""

    space = forms.ModelChoiceField(
        Space.objects.none(), label=gettext_lazy("Space"), widget=UnfoldAdminSelectWidget
    )
    author = forms.ModelChoiceField(
        User.objects.none(),
        label=gettext_lazy("Author"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    proposal = forms.UUIDField(required=False, widget=forms.HiddenInput)
    job = forms.UUIDField(required=False, widget=forms.HiddenInput)
    since = forms.DateTimeField(label=gettext_lazy("From"), required=False, widget=Moment)
    until = forms.DateTimeField(label=gettext_lazy("Until"), required=False, widget=Moment)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget,
        help_text=gettext_lazy("Kept with the new versions."),
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        spaces = Space.objects.with_role(user, Role.CURATOR)
        self.fields["space"].queryset = spaces  # type: ignore[attr-defined]
        authors = NodeVersion.objects.filter(space__in=spaces).values("history_user")
        self.fields["author"].queryset = User.objects.filter(  # type: ignore[attr-defined]
            pk__in=authors
        ).order_by("username")

    def clean(self) -> dict[str, Any]:
        """Require exactly one of author, proposal and import."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        named = [name for name in ("author", "proposal", "job") if cleaned.get(name)]
        if len(named) != 1:
            self.add_error("author", _("Say whose changes to take out."))
        return cleaned

    def unwanted(self) -> Unwanted:
        """Return what the valid form names."""
        data = self.cleaned_data
        origin = None
        if data["proposal"]:
            origin = Origin(VersionOrigin.PROPOSAL, data["proposal"])
        elif data["job"]:
            origin = Origin(VersionOrigin.IMPORT, data["job"])
        return Unwanted(data["space"], data["author"], origin, data["since"], data["until"])


class HistoryPages(_Base):
    """The part of the node admin that tags versions, takes changes out in bulk, and erases."""

    def history_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>/versions/"
        return [
            path("bulk-revert/", wrap(self.bulk_revert_view), name="knowledge_node_bulk_revert"),
            path(f"{base}<int:number>/tag/", wrap(self.tag_view), name="knowledge_node_tag"),
            path(f"{base}erase/", wrap(self.erase_view), name="knowledge_node_erase"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Offer the bulk revert to those who may do it."""
        extra = {"may_take_out": has_role(request, Role.CURATOR), **(extra_context or {})}
        return super().changelist_view(request, extra)

    def tag_view(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """Give a version a name, or take one away."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        node = self.opened(request, object_id)
        user = staff(request)
        gone = request.POST.get("remove", "")
        with refusals_as_messages(request):
            if gone:
                services.version_untag(acting_user=user, node=node, name=gone)
                text = _("The tag “%(tag)s” is gone.") % {"tag": gone}
            else:
                tag = services.version_tag(
                    acting_user=user, node=node, version=number, name=request.POST.get("name", "")
                )
                facts = {"number": number, "tag": tag.name}
                text = _("Version %(number)s is tagged “%(tag)s”.") % facts
            messages.success(request, text)
        return HttpResponseRedirect(self.address("versions", node.pk))

    def erase_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which versions to erase, and why; do it."""
        node = self.opened(request, object_id)
        if not has_role(request, Role.MANAGER, node.space_id):
            raise PermissionDenied
        chosen = [int(each) for each in request.POST.getlist("versions") if each.isdecimal()]
        is_whole = request.POST.get("scope") == "node"
        if request.method == "POST":
            with refusals_as_messages(request):
                erasure = services.versions_erase(
                    acting_user=staff(request),
                    space=node.space,
                    node_id=node.pk,
                    versions=None if is_whole else chosen,
                    reason=request.POST.get("reason", ""),
                )
                text = ngettext(
                    "%(count)s version is erased.",
                    "%(count)s versions are erased.",
                    len(erasure.versions),
                )
                messages.success(request, text % {"count": len(erasure.versions)})
                if is_whole:
                    return HttpResponseRedirect(self.address("changelist"))
                return HttpResponseRedirect(self.address("versions", node.pk))
        rows = NodeVersion.objects.filter(id=node.pk, erased_at=None).order_by("-version")
        context = self.page_context(
            request,
            title=_("Erase for legal reasons"),
            subtitle=str(node),
            original=node,
            node=node,
            rows=rows.defer("content", "metadata", "anchors")[:MOST_SHOWN],
            chosen=chosen,
            is_whole=is_whole,
            reason=request.POST.get("reason", ""),
        )
        return TemplateResponse(request, "admin/knowledge/node/erase.html", context)

    def bulk_revert_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whose changes to take out, show what would become of what, and do it."""
        user = staff(request)
        if not has_role(request, Role.CURATOR):
            raise PermissionDenied
        is_posted = request.method == "POST"
        asked = request.POST if is_posted else request.GET
        begun = {name: asked[name] for name in WHOSE if name in asked}
        initial = None if is_posted else self._initial(request, begun)
        form = BulkRevertForm(user, request.POST if is_posted else None, initial=initial)
        plan: RevertPlan | None = None
        is_done = False
        if is_posted and form.is_valid():
            with refusals_as_messages(request):
                unwanted = form.unwanted()
                services.revert_permit(user, unwanted)
                if "confirm" in request.POST:
                    plan = services.nodes_revert(
                        acting_user=user, unwanted=unwanted, reason=form.cleaned_data["reason"]
                    )
                    is_done = True
                    messages.success(request, _("The changes are taken out."))
                else:
                    plan = revert_plan(unwanted)
        context = self.page_context(
            request,
            title=_("Take changes out"),
            form=form,
            plan=plan,
            is_done=is_done,
            most=MOST_SHOWN,
            most_slice=f":{MOST_SHOWN}",
            about=self._about(user, begun),
        )
        return TemplateResponse(request, "admin/knowledge/node/bulk_revert.html", context)

    def _initial(self, request: HttpRequest, begun: dict[str, Any]) -> dict[str, Any]:
        """Begin with the space of the proposal or import, or the only one."""
        source = self._source(staff(request), begun)
        if source is not None:
            return {**begun, "space": source.space_id}
        spaces = list(Space.objects.with_role(staff(request), Role.CURATOR)[:2])
        return {"space": spaces[0].pk if len(spaces) == 1 else None, **begun}

    def _source(self, user: User, begun: dict[str, Any]) -> Proposal | IngestJob | None:
        for name, model in (("proposal", Proposal), ("job", IngestJob)):
            key = uuid_or_none(str(begun.get(name, "")))
            if key is not None:
                rows: Any = model.objects
                found: Proposal | IngestJob | None = rows.visible_to(user).filter(pk=key).first()
                return found
        return None

    def _about(self, user: User, begun: dict[str, Any]) -> str:
        """Return what the changes come from, as words."""
        source = self._source(user, begun)
        if isinstance(source, Proposal):
            return _("The proposal “%(title)s”") % {"title": source.title}
        if source is not None:
            return _("The import “%(title)s”") % {"title": source}
        return ""
