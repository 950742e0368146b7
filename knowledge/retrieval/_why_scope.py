"""The scope of a search with some of its filters, and whether it has a node."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from knowledge.models import Node
from knowledge.moments import Moment
from knowledge.retrieval import _snapshot
from knowledge.retrieval._scope import Reader, Scope, scope_of
from knowledge.types import SearchRequest

FILTERS = (
    "kinds",
    "tags",
    "language",
    "created_after",
    "created_before",
    "metadata",
    "external_ids",
)


def without_filters(request: SearchRequest) -> SearchRequest:
    """Return a request without its filters."""
    nothing: dict[str, Any] = dict.fromkeys(FILTERS)
    return replace(request, **nothing)


def scope_in(request: SearchRequest, moment: Moment | None, user: Reader) -> Scope:
    """Return where a request looks in a state."""
    if moment is None:
        return scope_of(request, user)
    return _snapshot.scope_at(request, moment, user)


def with_field(request: SearchRequest, name: str, value: Any) -> SearchRequest:
    """Return a request with one of its fields set."""
    changes: dict[str, Any] = {name: value}
    return replace(request, **changes)


def only(scope: Scope, node: Node) -> Scope:
    """Return what a scope has of a node; to read it costs the same in a scope of any size."""
    asked = f"({scope.permitted}) AS asked ({scope.columns})"
    sql = f"SELECT {scope.columns} FROM {asked} WHERE id = %s"  # noqa: S608 - no values in it
    parameters = (*scope.parameters, node.pk)
    return replace(scope, permitted=sql, parameters=parameters, is_narrow=True)


def passes(scope: Scope, node: Node) -> bool:
    """Return whether a scope has the node."""
    return bool(scope.space_ids) and node.pk in _snapshot.passing(scope, [node.pk])


def asked_value(value: Any) -> str:
    """Return what a filter asks for, as a person reads it."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def own_value(node: Node, name: str) -> str:
    """Return what a node has where a filter asks for something else."""
    own = {
        "kinds": node.kind,
        "tags": ", ".join(node.tags),
        "language": node.language,
        "external_ids": node.external_id,
        "created_after": date_format(timezone.localtime(node.created_at), "SHORT_DATETIME_FORMAT"),
        "created_before": date_format(timezone.localtime(node.created_at), "SHORT_DATETIME_FORMAT"),
        "metadata": node.metadata,
    }[name]
    return _("it has %(own)s") % {"own": own or "–"}
