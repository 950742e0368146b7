"""The reading pages: one node, a passage for the side panel, a source file, and browsing."""

import uuid
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from knowledge import browsing, past_reading, reading
from knowledge.access import node_versions_visible_to
from knowledge.lineage.drawing import drawing_of
from knowledge.lineage.tracing import lineage_of
from knowledge.merging.rows import compare_texts
from knowledge.models import Node, Source
from knowledge.moments import Moment
from knowledge.relating.related import related_of
from project.http.errors import Invalid
from project.markdown import LinkResolver


@require_safe
def node_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show one version of a node, with a passage of it marked when `start` and `end` say where.

    `as_of` or `release` show the node as it stood in that state, and so do the links on the page.
    Visitors who are not signed in read public spaces, and are asked to sign in for anything else.
    """
    moment = _moment(request)
    node, version = _opened(request, pk, moment)
    if node is None:
        return redirect_to_login(request.get_full_path())
    span = _span(request, version.content)
    versions = node_versions_visible_to(request.user, node).select_related("history_user")
    source = None
    if node.source_id is not None:
        source = Source.objects.visible_to(request.user).filter(pk=node.source_id).first()
    now = timezone.now()
    context = {
        "area": "knowledge",
        "has_expired": node.valid_until is not None and node.valid_until <= now,
        "is_early": node.valid_from is not None and node.valid_from > now,
        "node": node,
        "version": version,
        "versions": versions[:50],
        "is_current": version.version == node.version,
        "html": reading.rendered(version.content, span, _wiki_links(request, node, moment)),
        "has_passage": span is not None,
        "related": (
            related_of(node, request.user)
            if moment is None
            else past_reading.related_then(node.pk, request.user, moment)
        ),
        "moment": moment,
        "today": timezone.localdate(),
        "is_there_today": moment is None
        or Node.objects.visible_to(request.user).filter(pk=node.pk).exists(),
        "source": source,
        "may_edit": Node.objects.editable_by(request.user).filter(pk=node.pk).exists(),
    }
    return render(request, "knowledge/node.html", context)


@require_safe
def node_passage(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Return a passage in its context as a piece of HTML, for the side panel of the chat."""
    moment = _moment(request)
    node, version = _opened(request, pk, moment)
    if node is None:
        return HttpResponse(_("Sign in to read this."), status=401, content_type="text/plain")
    span = _span(request, version.content) or (0, 0)
    resolver = _wiki_links(request, node, moment)
    context = {
        "node": node,
        "version": version,
        "is_current": version.version == node.version,
        "passage": reading.passage_of(version, span, resolver),
        "span": span,
        "moment": moment,
    }
    return render(request, "knowledge/_passage.html", context)


@require_safe
def node_changes(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show how the text changed from version `from` to version `to`, or to the newest readable."""
    node, old = _opened(request, pk, number=request.GET.get("from", ""))
    if node is None:
        return redirect_to_login(request.get_full_path())
    _node, new = _opened(request, pk, number=request.GET.get("to", ""))
    context = {
        "area": "knowledge",
        "node": node,
        "old": old,
        "new": new,
        "diff": compare_texts(old.content, new.content),
    }
    return render(request, "knowledge/changes.html", context)


@require_safe
def node_lineage(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show where a version of a node comes from and what became of it, as a graph and a list."""
    node, version = _opened(request, pk)
    if node is None:
        return redirect_to_login(request.get_full_path())
    lineage = lineage_of(node, version.version, request.user)
    drawing = drawing_of(lineage)
    context = {
        "area": "knowledge",
        "node": node,
        "version": version,
        "drawing": drawing,
        "things": [(box.thing, lineage.before(box.thing.id)) for box in drawing.boxes],
    }
    return render(request, "knowledge/lineage.html", context)


@login_required
@require_safe
def source_file(request: HttpRequest, pk: uuid.UUID) -> FileResponse:
    """Send the stored file of a source, always as a download and never as a page."""
    source = get_object_or_404(Source.objects.visible_to(request.user), pk=pk)
    try:
        file = source.file.open("rb")
    except FileNotFoundError:
        raise Http404(_("The file of this source is no longer stored.")) from None
    response = FileResponse(
        file,
        as_attachment=True,
        filename=source.filename or f"{source.pk}",
        content_type=source.content_type or "application/octet-stream",
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


@require_safe
def browse_page(request: HttpRequest) -> HttpResponse:
    """Search the knowledge that the visitor may read, or list its newest nodes."""
    wanted = browsing.Wanted.from_query(request.GET)
    problem = ""
    try:
        found = browsing.find(wanted, request.user)
    except Invalid as refusal:
        problem, found = refusal.message, browsing.Found([])
    context: dict[str, Any] = {
        "area": "knowledge",
        "wanted": wanted,
        "choices": browsing.choices(request.user),
        "found": found,
        "problem": problem,
        "today": timezone.localdate(),
        "today_url": f"{reverse('knowledge')}?{wanted.today_query}",
    }
    return render(request, "knowledge/browse.html", context)


def _moment(request: HttpRequest) -> Moment | None:
    """Return the state that the address asks; raises Http404 for one that there is not."""
    try:
        return past_reading.asked_moment(request.GET, request.user)
    except Invalid as refusal:
        raise Http404(refusal.message) from None


def _wiki_links(request: HttpRequest, node: Node, moment: Moment | None) -> LinkResolver:
    if moment is None:
        return reading.wiki_links(node, request.user)
    return past_reading.wiki_links_then(node.pk, request.user, moment)


def _opened_then(request: HttpRequest, pk: uuid.UUID, moment: Moment) -> tuple[Node | None, Any]:
    """Return the node with its values in a state, and its version there.

    A version that the address names has to be that of the state.
    """
    node = past_reading.node_at(request.user, pk, moment)
    number = request.GET.get("version", "")
    if node is None and not request.user.is_authenticated:
        return None, None
    if node is None or (number and number != str(node.version)):
        raise Http404(_("There was no such text then, or it is not yours to read."))
    rows = past_reading.versions_in(request.user, moment).filter(id=pk)
    return node, rows.select_related("history_user").first()


def _opened(
    request: HttpRequest, pk: uuid.UUID, moment: Moment | None = None, *, number: str | None = None
) -> tuple[Node | None, Any]:
    """Return the node and the asked version of it (the newest readable one by default).

    `number`: the version, instead of that of the address.

    The node is None where signing in may help; raises Http404 where nothing can.
    """
    if moment is not None:
        return _opened_then(request, pk, moment)
    nodes = Node.objects.visible_to(request.user).select_related("space", "owner")
    node = nodes.filter(pk=pk).first()
    if node is None:
        if request.user.is_authenticated:
            raise Http404(_("There is no such text, or it is not yours to read."))
        return None, None
    versions = node_versions_visible_to(request.user, node).select_related("history_user")
    number = request.GET.get("version", "") if number is None else number
    if number.isascii() and number.isdigit() and len(number) < 10:
        versions = versions.filter(version=int(number))
    elif number:
        raise Http404(_("The version must be a number."))
    version = versions.first()
    if version is None:
        raise Http404(_("This text has no such version."))
    return node, version


def _span(request: HttpRequest, content: str) -> tuple[int, int] | None:
    """Return the passage that the address names, when it lies inside the text."""
    start, end = request.GET.get("start", ""), request.GET.get("end", "")
    if not all(raw.isascii() and raw.isdigit() and len(raw) < 10 for raw in (start, end)):
        return None
    return (int(start), int(end)) if int(start) < int(end) <= len(content) else None
