"""REST: search."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from knowledge import retrieval
from knowledge.api.search_serializers import SearchAnswer, SearchInput
from knowledge.choices import SearchMode
from knowledge.types import SearchRequest, SearchResponse
from project.accounts.choices import Scope
from project.accounts.permissions import caller

LISTS = ("kinds", "tags", "external_ids")


class SearchView(APIView):
    """Find nodes by meaning, by words and by relations."""

    read_scope = Scope.KNOWLEDGE_READ
    write_scope = Scope.KNOWLEDGE_READ  # a POST only because a query is a body

    @extend_schema(request=SearchInput, responses=SearchAnswer)
    def post(self, request: Request) -> Response:
        """Search what the caller may read; the best passage of each node, best first."""
        checked = SearchInput(data=request.data)
        checked.is_valid(raise_exception=True)
        answer = retrieval.search(search_request(checked.validated_data), user=caller(request))
        return Response(_body(answer))


def search_request(body: dict[str, Any]) -> SearchRequest:
    """Return the request of a checked body."""
    is_narrowed = "space" in body or "spaces" in body
    spaces = [*body.pop("spaces", [])]
    if "space" in body:
        spaces.append(body.pop("space"))
    for name in LISTS:
        if name in body:
            body[name] = tuple(body[name])
    body["mode"] = SearchMode(body["mode"])
    # An empty list is a choice, too: of no space at all.
    return SearchRequest(spaces=tuple(spaces) if is_narrowed else None, **body)


def _body(answer: SearchResponse) -> dict[str, Any]:
    """Return the answer as JSON, written out: a serializer would take longer than the search."""
    results = []
    for each in answer.results:
        row: dict[str, Any] = {
            "node": each.node,
            "external_id": each.external_id,
            "version": each.version,
            "chunk": each.chunk,
            "title": each.title,
            "snippet": each.snippet,
            "heading_path": each.heading_path,
            "start": each.start,
            "end": each.end,
            "page": each.page,
            "place": each.place,
            "url": each.url,
            "score": each.score,
        }
        if each.signals is not None:
            row["signals"] = each.signals
        results.append(row)
    body: dict[str, Any] = {
        "results": results,
        "took_ms": answer.took_ms,
        "mode": answer.mode,
        "degraded": answer.degraded,
        "corrections": [{"typed": each.typed, "used": each.used} for each in answer.corrections],
    }
    if answer.explanation is not None:
        body["explanation"] = answer.explanation
    return body
