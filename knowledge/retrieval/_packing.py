"""Answers as bytes, for the cache: JSON, so that reading one runs no code."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from knowledge.choices import SearchMode
from knowledge.types import Correction, RetrievedPassage, SearchResponse, SearchResult

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "node": uuid.UUID,
    "chunk": uuid.UUID,
    "heading_path": tuple,
}
"""How fields are read that JSON writes as something else."""
_NAMES = {
    kind: tuple(each.name for each in fields(kind)) for kind in (SearchResult, RetrievedPassage)
}


def response_dump(response: SearchResponse) -> bytes:
    """Return a response that lacks nothing and explains nothing."""
    corrections = [[each.typed, each.used] for each in response.corrections]
    return _bytes([response.mode, [_row(each) for each in response.results], corrections])


def response_load(value: bytes) -> SearchResponse:
    """Return a response again; how long it took is for the caller to say."""
    mode, rows, corrections = json.loads(value)
    return SearchResponse(
        results=[SearchResult(**_values(row)) for row in rows],
        took_ms=0,
        mode=SearchMode(mode),
        corrections=tuple(Correction(typed, tuple(used)) for typed, used in corrections),
    )


def passages_dump(answer: tuple[list[RetrievedPassage], list[str]]) -> bytes:
    """Return passages of a search that lacked nothing."""
    return _bytes([_row(each) for each in answer[0]])


def passages_load(value: bytes) -> tuple[list[RetrievedPassage], list[str]]:
    """Return the passages again, and that nothing was lacking."""
    return [RetrievedPassage(**_values(row)) for row in json.loads(value)], []


def _row(found: SearchResult | RetrievedPassage) -> dict[str, Any]:
    return {name: getattr(found, name) for name in _NAMES[type(found)]}


def _values(row: dict[str, Any]) -> dict[str, Any]:
    for name, read in _READERS.items():
        row[name] = read(row[name])
    return row


def _bytes(value: object) -> bytes:
    written = json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))
    return written.encode("utf-8", "surrogatepass")


def _plain(value: object) -> str:
    if isinstance(value, uuid.UUID):
        return str(value)
    message = f"{type(value).__name__} cannot be kept."
    raise TypeError(message)
