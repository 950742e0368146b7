"""The page that shows how a text would be cut, beside how it is cut now. It writes nothing."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.cutting_forms import TryCuttingForm, cutting_initial
from knowledge.chunking.cutting import STRATEGIES, Cutting
from knowledge.cutting_previews import (
    CutText,
    anchors_of,
    cutting_now,
    file_glimpsed,
    text_cut,
)
from knowledge.cuttings import cutting_told
from knowledge.models import Kind, Node
from knowledge.parsing import ParsingError
from project.accounts.choices import Role
from project.http.errors import ApiError
from project.http.ids import uuid_or_none

MOST_SHOWN = 100


class CuttingPages(SpaceScopedAdmin):
    """The part of the admin of kinds that tries how texts are cut."""

    def cutting_urls(self) -> list[URLPattern]:
        """Return the address of the page."""
        view = self.admin_site.admin_view(self.cutting_view)
        return [path("cutting/", view, name="knowledge_kind_cutting")]

    def cutting_view(self, request: HttpRequest) -> HttpResponse:
        """Cut the text of `?node=`, or what was sent, as `?kind=` says and as the form does."""
        if not has_role(request, Role.CURATOR):
            raise Http404(_("There is no such page, or it is not yours to see."))
        node, kind = self._subject(request)
        now = _cutting_of(node, kind)
        first = cutting_initial(now)
        if node is not None:
            first |= {"title": node.title, "text": node.content}
        form = TryCuttingForm(request.POST or None, request.FILES or None, initial=first)
        cuts: list[CutText] = []
        notice = ""
        if request.method == "POST" and form.is_valid():
            try:
                cuts, notice = _cuts(form.cleaned_data, node, now)
            except (ApiError, ParsingError) as error:
                form.add_error(_field_of(form, error), error.message)
        elif request.method != "POST" and node is not None:
            try:
                cuts, notice = _cuts({"cutting": now, **first}, node, now)
            except ApiError as error:
                notice = error.message
        context = self.page_context(
            request,
            title=_("How texts are cut"),
            subtitle=str(node or kind or ""),
            form=form,
            numbers=[field for field in form if "data-of" in field.field.widget.attrs],
            strategies=STRATEGIES.values(),
            node=node,
            kind=kind,
            sides=_sides(cuts),
            is_same=len(cuts) == 2 and cuts[0].cutting == cuts[1].cutting,
            notice=notice,
            most=MOST_SHOWN,
        )
        return TemplateResponse(request, "admin/knowledge/kind/cutting.html", context)

    def _subject(self, request: HttpRequest) -> tuple[Node | None, Kind | None]:
        """Return the node and the kind that the address names, if the person may see them."""
        node_id, kind_id = (uuid_or_none(request.GET.get(each, "")) for each in ("node", "kind"))
        node = kind = None
        if node_id:
            rows = Node.objects.visible_to(staff(request)).select_related("space")
            node = rows.filter(pk=node_id).first()
            if node is None or not has_role(request, Role.CURATOR, node.space_id):
                raise Http404(_("There is no such node, or it is not yours to see."))
        if kind_id:
            kind = Kind.objects.visible_to(staff(request)).filter(pk=kind_id).first()
            if kind is None:
                raise Http404(_("There is no such kind, or it is not yours to see."))
        return node, kind


def _cutting_of(node: Node | None, kind: Kind | None) -> Cutting:
    if kind is not None:
        return cutting_told(kind.chunking)
    return cutting_now(node.space, node.kind) if node is not None else Cutting()


def _cuts(data: dict[str, Any], node: Node | None, now: Cutting) -> tuple[list[CutText], str]:
    """Return the text cut as it is now and as was asked, and what to say of it."""
    text: dict[str, Any] = {"text": data.get("text", ""), "title": data.get("title", "")}
    notice = ""
    file = data.get("file")
    if file:
        document, is_whole = file_glimpsed(
            file.chunks(), file.name or "", file.content_type or "", "en"
        )
        text = {"text": document.markdown, "anchors": anchors_of(document)}
        text["title"] = data.get("title") or document.title
        text["language"] = document.language
        if not is_whole:
            notice = _("Only the first part, or the first document, of the file is shown.")
    elif node is not None:
        text["language"] = node.language
        if text["text"].replace("\r\n", "\n") == node.content:
            text["anchors"] = node.anchors
    return text_cut(cuttings=(now, data["cutting"]), **text), notice


def _field_of(form: TryCuttingForm, error: ApiError | ParsingError) -> str | None:
    field = getattr(error, "field", None) or ("file" if isinstance(error, ParsingError) else None)
    return field if field in form.fields else None


def _sides(cuts: list[CutText]) -> list[dict[str, Any]]:
    """Return the two columns: how it is cut now, and how it would be."""
    names = ("now", "wanted")
    return [
        {
            "key": key,
            "strategy": STRATEGIES[cut.cutting.strategy].title,
            "parameters": [
                (parameter.title, cut.cutting.get(parameter.name))
                for parameter in STRATEGIES[cut.cutting.strategy].parameters
            ],
            "counts": cut.counts,
            "passages": cut.passages[:MOST_SHOWN],
            "more": max(0, len(cut.passages) - MOST_SHOWN),
        }
        for key, cut in zip(names, cuts, strict=False)
    ]
