"""The pages of a node's versions: all of them, two compared, and the way back to one."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.paginator import Paginator
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.access import versions_public, versions_tagged
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.merging.rows import TextDiff, compare_texts
from knowledge.models import Node
from knowledge.relation_history import relation_changes
from knowledge.services import node_versions_visible_to
from knowledge.versions import compare
from project.accounts.choices import Role
from project.http.admin_base import refusals_as_messages

PAGE = 50

if TYPE_CHECKING:
    _Base = SpaceScopedAdmin
else:
    _Base = object


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions next to each other: facts that differ, and the rows of the text."""

    old: Any
    new: Any
    facts: list[dict[str, Any]]
    text: TextDiff

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.facts and not self.text.added and not self.text.removed


class VersionPages(_Base):
    """The part of the node admin that shows and restores versions."""

    def version_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>/versions/"
        return [
            path(base, wrap(self.versions_view), name="knowledge_node_versions"),
            path(f"{base}compare/", wrap(self.compare_view), name="knowledge_node_compare"),
            path(
                f"{base}<int:number>/revert/", wrap(self.revert_view), name="knowledge_node_revert"
            ),
        ]

    def versions_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """List the versions of a node, newest first."""
        node = self.opened(request, object_id)
        rows = node_versions_visible_to(staff(request), node).select_related("history_user")
        rows = rows.defer("content", "anchors", "metadata").annotate(length=Length("content"))
        page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
        tags = versions_tagged(node.pk)
        for row in page:
            row.tagged = tags.get(row.version, [])
        context = self.page_context(
            request,
            title=_("Versions"),
            subtitle=str(node),
            original=node,
            node=node,
            page=page,
            public=set(versions_public(node)),
            may_tag=has_role(request, Role.EDITOR, node.space_id),
            may_erase=has_role(request, Role.MANAGER, node.space_id),
            may_revert=self.has_change_permission(request, node),
        )
        return TemplateResponse(request, "admin/knowledge/node/versions.html", context)

    def compare_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show how two versions differ: `?from=&to=`, by default the last change."""
        node = self.opened(request, object_id)
        new = self._version(request, node, request.GET.get("to") or str(node.version))
        old = self._version(request, node, request.GET.get("from") or str(max(1, new.version - 1)))
        numbers = list(
            node_versions_visible_to(staff(request), node).values_list("version", flat=True)[:500]
        )
        context = self.page_context(
            request,
            title=_("Compare versions"),
            subtitle=str(node),
            original=node,
            node=node,
            numbers=numbers,
            comparison=comparison_of(old, new),
            relations=relation_rows(old, new),
            is_split=request.GET.get("view") == "split",
            may_revert=self.has_change_permission(request, node),
        )
        return TemplateResponse(request, "admin/knowledge/node/compare.html", context)

    def revert_view(self, request: HttpRequest, object_id: str, number: int) -> HttpResponse:
        """Ask whether to go back to a version, and do it."""
        node = self.opened(request, object_id)
        old = self._version(request, node, str(number))
        if request.method == "POST":
            expected = request.POST.get("expected_version", "")
            with refusals_as_messages(request):
                stored = services.node_revert(
                    acting_user=staff(request),
                    node=node,
                    version=number,
                    reason=request.POST.get("reason", "").strip()[:500],
                    expected_version=int(expected) if expected.isdecimal() else node.version,
                )
                self.log_change(request, stored, _("Back to version %(n)s.") % {"n": number})
                text = _("The text of version %(old)s is now version %(new)s.")
                messages.success(request, text % {"old": number, "new": stored.version})
            return HttpResponseRedirect(self.address("versions", node.pk))
        current = self._version(request, node, str(node.version))
        context = self.page_context(
            request,
            title=_("Back to version %(number)s") % {"number": number},
            subtitle=str(node),
            original=node,
            node=node,
            version=old,
            comparison=comparison_of(current, old),
            is_split=False,
            may_revert=self.has_change_permission(request, node),
        )
        return TemplateResponse(request, "admin/knowledge/node/revert.html", context)

    def opened(self, request: HttpRequest, object_id: str) -> Node:
        """Return the node of a page, or raise Http404."""
        node = self.get_object(request, unquote(object_id))
        if node is None or not self.has_view_permission(request, node):
            raise Http404(_("There is no such node, or it is not yours to see."))
        assert isinstance(node, Node)
        return node

    def _version(self, request: HttpRequest, node: Node, number: str) -> Any:
        rows = node_versions_visible_to(staff(request), node).select_related("history_user")
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        version = rows.filter(version=int(number)).first() if is_number else None
        if version is None:
            raise Http404(_("This node has no such version."))
        return version


def comparison_of(old: Any, new: Any) -> Comparison:
    """Return how two states of a node differ; each has the content fields of one."""
    facts = [
        {
            "name": getattr(Node._meta.get_field(change["field"]), "verbose_name", ""),
            "old": shown(change["old"]),
            "new": shown(change["new"]),
        }
        for change in compare(old, new)["fields"]
        if change["field"] != "content"
    ]
    return Comparison(old, new, facts, compare_texts(old.content, new.content))


def relation_rows(old: Any, new: Any) -> list[dict[str, Any]]:
    """Return the relations that differ between two versions, with the titles of their targets."""
    changes = relation_changes(old, new)
    targets = {each.version.target_id for each in changes}
    titles = dict(Node.objects.filter(pk__in=targets).values_list("pk", "title"))
    return [
        {
            "kind": each.version.kind.replace("_", " "),
            "target": each.version.target_id,
            "title": titles.get(each.version.target_id),
            "old": each.old,
            "new": each.new,
            "weights": [row.weight for row in (each.old, each.new) if row is not None],
        }
        for each in changes
    ]


def shown(value: Any) -> str:
    """Return a value as people read it."""
    if value in (None, "", [], {}):
        return "–"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True)
    return str(value)


__all__ = ["Comparison", "VersionPages", "comparison_of", "shown"]
