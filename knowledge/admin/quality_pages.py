"""What the page of a node shows of its quality, and the confirmation before it goes."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge import services
from knowledge.access import role_of
from knowledge.admin.access import SpaceScopedAdmin, has_role, staff
from knowledge.admin.quality_shown import shown
from knowledge.choices import NodeStatus
from knowledge.impact import Dependent, blast_radius
from knowledge.models import Node, NodeQuality
from knowledge.quality import NodeState, checks_of, finding_restored, score_of, tone_of_score
from knowledge.quality.refreshing import node_check
from knowledge.reviews import next_review
from project.accounts.choices import Role
from project.http.admin_base import (
    badge,
    display,
    each_done,
    posted_only,
    refusals_as_messages,
)

if TYPE_CHECKING:
    _Base = SpaceScopedAdmin
else:
    _Base = object

MOST_AT_ONCE = 200
LIVE_CHARS = 200_000
"""Longer texts are checked by the refresh only, and not while their page is waited for."""


class QualityPages(_Base):
    """The part of the node admin about quality."""

    @display(description=gettext_lazy("score"), ordering="quality__score")
    def score(self, node: Any) -> SafeString:
        """Show what the checks gave it, from 0 to 100."""
        score = node.quality_score
        return badge("–" if score is None else score, tone_of_score(score))

    def scored(self, rows: Any) -> Any:
        """Add the score to the rows of the list."""
        return rows.annotate(quality_score=F("quality__score"))

    def quality_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<path:object_id>/"
        return [
            path(f"{base}check/", wrap(self.check_view), name="knowledge_node_check"),
            path(f"{base}reviewed/", wrap(self.reviewed_view), name="knowledge_node_reviewed"),
            path("archive/", wrap(self.archive_view), name="knowledge_node_archive"),
        ]

    def quality_context(self, request: HttpRequest, node: Node) -> dict[str, Any]:
        """Return what the page of a stored node shows: what was found, or is now after a change."""
        row = NodeQuality.objects.select_related("reviewed_by").filter(pk=node.pk).first()
        if node.status == NodeStatus.ARCHIVED:
            return {}
        is_kept = row is not None and row.version == node.version and row.stale_at is None
        is_late = not is_kept and len(node.content) > LIVE_CHARS
        if row is not None and (is_kept or is_late):
            restored = (finding_restored(each) for each in row.findings)
            findings = [each for each in restored if each is not None]
        else:
            findings = [] if is_late else checks_of(NodeState.of(node))
        score = score_of(each.code for each in findings)
        role = role_of(staff(request), node.space)
        is_curator = role is not None and role >= Role.CURATOR
        is_open = node.status in {NodeStatus.DRAFT, NodeStatus.IN_REVIEW}
        return {
            "findings": shown(findings, node),
            "score": score,
            "tone": tone_of_score(score),
            "row": row,
            "is_kept": is_kept,
            "is_late": is_late,
            "may_review": is_curator or is_open or node.owner_id == request.user.pk,
            "next_review": next_review(node),
        }

    def check_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Check a node again, and go back to its page."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        node = self._seen(request, object_id)
        row = node_check(node.pk)
        if row is not None:
            messages.success(request, _("Checked: %(score)s of 100.") % {"score": row.score})
        return HttpResponseRedirect(f"{self.address('change', node.pk)}#checks")

    def reviewed_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Mark a node as reviewed, and go back to its page."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        node = self._seen(request, object_id)
        with refusals_as_messages(request):
            row = services.node_mark_reviewed(acting_user=staff(request), node=node)
            self.log_change(request, row, _("Reviewed."))
            text = _("Reviewed. The next review is due on %(day)s.")
            messages.success(request, text % {"day": row.review_due})
        return self.redirect_to(node.pk)

    def _seen(self, request: HttpRequest, object_id: str) -> Node:
        node = self.get_object(request, unquote(object_id))
        if not isinstance(node, Node) or not self.has_view_permission(request, node):
            raise Http404(_("There is no such node, or it is not yours to see."))
        return node

    # -- before it goes --------------------------------------------------------------------------

    def archive_view(self, request: HttpRequest) -> HttpResponse:
        """Ask whether to archive the nodes that `ids` name, with what stands on them; do it."""
        ids = (request.POST if request.method == "POST" else request.GET).getlist("ids")
        rows = self._chosen(request, ids)
        if request.method == "POST":
            self._archive(request, rows)
            back = rows[0].pk if len(rows) == 1 else None
            return (
                self.redirect_to(back) if back else HttpResponseRedirect(self.address("changelist"))
            )
        return self._archive_page(request, rows)

    def archive_confirmed(self, request: HttpRequest, rows: Any) -> HttpResponse | None:
        """Archive the rows of an action once that was confirmed; ask before."""
        if request.POST.get("confirmed"):
            self._archive(request, rows)
            return None
        return self._archive_page(request, list(rows[: MOST_AT_ONCE + 1]))

    def _chosen(self, request: HttpRequest, ids: list[str]) -> list[Node]:
        if not has_role(request, self.view_role):
            raise Http404(_("There is no such node, or it is not yours to see."))
        found = [self.get_object(request, each) for each in dict.fromkeys(ids[:MOST_AT_ONCE])]
        rows = [each for each in found if isinstance(each, Node)]
        if not rows:
            raise Http404(_("There is no such node, or it is not yours to see."))
        return rows

    def _archive(self, request: HttpRequest, rows: Any) -> None:
        user = staff(request)
        each_done(request, rows, lambda node: services.node_archive(acting_user=user, node=node))

    def _archive_page(self, request: HttpRequest, rows: list[Node]) -> HttpResponse:
        context = self.page_context(
            request,
            title=_("Archive?"),
            subtitle=str(rows[0]) if len(rows) == 1 else None,
            original=rows[0] if len(rows) == 1 else None,
            nodes=rows,
            dependents=blast_radius([node.pk for node in rows], staff(request)),
            checkbox_name=ACTION_CHECKBOX_NAME,
            action=request.POST.get("action", ""),
        )
        return TemplateResponse(request, "admin/knowledge/node/archive.html", context)


def touched_lines(request: HttpRequest, ids: list[Any]) -> list[Any]:
    """Return what stands on nodes as the lines of the theme's page before deleting."""
    found = blast_radius(ids, staff(request))
    if not found:
        return []
    return [_("These stay, but lose what they stand on:"), [_line(each) for each in found]]


def _line(dependent: Dependent) -> str:
    links = format_html_join(
        ", ",
        '<a class="ac-link" href="{}">{}</a>',
        ((url, title) for title, url in dependent.examples if url),
    )
    return format_html("{}{}{}", dependent.label, ": " if links else "", links)
