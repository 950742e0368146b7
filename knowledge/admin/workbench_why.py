"""The workbench's "why not?": choose a node, and be told which stage lost it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from knowledge.admin.access import staff
from knowledge.models import Node
from knowledge.retrieval import why_not
from knowledge.types import SearchRequest
from project.http.errors import ApiError
from project.http.ids import uuid_or_none

OFFERED = 12  # nodes that a title leads to


def why_context(request: HttpRequest, asked: SearchRequest) -> dict[str, Any]:
    """Return what the page shows of a node that should have been found.

    `find` of the address is a title or an id, `node` the node that was chosen.
    """
    text = request.GET.get("find", "").strip()
    chosen = uuid_or_none(request.GET.get("node", "")) or uuid_or_none(text)
    kept = [(name, value) for name, value in request.GET.items() if name not in {"find", "node"}]
    context: dict[str, Any] = {
        "find": text,
        "why": None,
        "why_error": "",
        "offered_nodes": [],
        "kept": kept,
        "kept_query": urlencode(kept),
    }
    if chosen is not None:
        try:
            context["why"] = why_not(asked, chosen, user=staff(request))
        except ApiError as error:
            context["why_error"] = error.message
    elif text:
        rows = Node.objects.visible_to(staff(request)).filter(title__icontains=text)
        light = rows.select_related("space").only("title", "status", "space__name")
        context["offered_nodes"] = list(light.order_by("title", "pk")[:OFFERED])
    return context
