"""Where a search looks: what its user may read, narrowed by its filters."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from knowledge.analysis import base_language
from knowledge.choices import GenerationStatus
from knowledge.knobs import BUILT_IN, Profile
from knowledge.models import IndexGeneration, Node
from knowledge.profiles import common_profile
from knowledge.retrieval._gate import Sql, nodes_gate, spaces_gate
from knowledge.retrieval._shelves import SERVED, Shelf, Statement
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.http.errors import Invalid

Reader = User | AnonymousUser
_SERVING = """
SELECT space.id, serving.id, model_key, endpoint_id, dimensions, has_ann_index, ann_is_half,
    own.profile_id, (
        SELECT profile_id FROM knowledge_profileactivation WHERE is_current AND space_id IS NULL
    )
FROM knowledge_space AS space
LEFT JOIN knowledge_profileactivation AS own ON own.space_id = space.id AND own.is_current
LEFT JOIN knowledge_indexgeneration AS serving
    ON serving.space_id = space.id AND serving.status = %s
"""


@dataclass(frozen=True, slots=True)
class ServingGeneration:
    """What a search has to know of an active generation."""

    pk: uuid.UUID
    model_key: str
    endpoint_id: uuid.UUID | None
    dimensions: int
    has_ann_index: bool
    ann_is_half: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """The permitted nodes, and the active generations of their spaces.

    `permitted` is SQL with parameters that yields the ids of the nodes; of another state than the
    present one (`is_past`) it yields their versions, as `columns` names them. `is_narrow` says that
    filters beyond the space leave out nodes. `profile` is the retrieval profile of the spaces.
    """

    space_ids: tuple[uuid.UUID, ...]
    permitted: str
    parameters: tuple[Any, ...]
    is_narrow: bool
    generations: tuple[ServingGeneration, ...]
    shelves: tuple[Shelf, ...] = (SERVED,)
    columns: str = "id"
    is_past: bool = False
    profile: Profile = BUILT_IN

    @property
    def is_open(self) -> bool:
        """Whether it is the present state, of which no filter leaves out anything."""
        return not self.is_past and not self.is_narrow


def scope_of(request: SearchRequest, user: Reader) -> Scope:
    """Return where a request of the user looks in the present state."""
    space_ids, generations, profile = spaces_of(request, user)
    is_narrow = is_narrowed(request)
    permitted: Sql = "", ()
    if space_ids and not is_narrow:
        permitted = nodes_gate(user, space_ids)
    elif space_ids:
        nodes = filtered(Node.objects.searchable_by(user).filter(space__in=space_ids), request)
        try:
            permitted = nodes.order_by().values("pk").query.sql_with_params()
        except EmptyResultSet:  # an empty list among the filters: nothing can match
            space_ids = ()
    return Scope(
        space_ids=space_ids,
        permitted=permitted[0],
        parameters=tuple(permitted[1]),
        is_narrow=is_narrow,
        generations=generations,
        profile=profile,
    )


def spaces_of(
    request: SearchRequest, user: Reader
) -> tuple[tuple[uuid.UUID, ...], tuple[ServingGeneration, ...], Profile]:
    """Return the spaces that a request may look in, their active generations and their profile.

    A generation that the request names stands in for the active one of its space. Raises Invalid
    for one that the user may not search.
    """
    gate, parameters = spaces_gate(user)
    statement = Statement()
    statement.add(_SERVING, GenerationStatus.ACTIVE)
    statement.add(f"WHERE space.id IN ({gate})", *parameters)
    if request.spaces is not None:
        statement.add(" AND space.id = ANY(%s)", [*request.spaces])
    rows = statement.run_prepared()
    space_ids = tuple(row[0] for row in rows)
    serving = {row[0]: ServingGeneration(*row[1:7]) for row in rows if row[1] is not None}
    profile = common_profile([row[7] for row in rows], rows[0][8] if rows else None)
    if request.generation is not None:
        serving |= _named(request.generation, user, space_ids)
    return space_ids, tuple(serving.values()), profile


def _named(
    wanted: uuid.UUID, user: Reader, space_ids: tuple[uuid.UUID, ...]
) -> dict[uuid.UUID, ServingGeneration]:
    """Return the generation that a request names, by its space. Raises Invalid."""
    generation = IndexGeneration.objects.searchable_by(user).filter(pk=wanted).first()
    if generation is None or generation.space_id not in space_ids:
        message = _("There is no such index generation of the spaces searched, or not for you.")
        raise Invalid(message, code="no_such_generation", field="generation")
    named = ServingGeneration(
        generation.pk,
        generation.model_key,
        generation.endpoint_id,
        generation.dimensions,
        generation.has_ann_index,
        generation.ann_is_half,
    )
    return {generation.space_id: named}


def is_narrowed(request: SearchRequest) -> bool:
    """Return whether filters beyond the space leave out nodes."""
    narrowing = (
        request.kinds,
        request.tags,
        request.language,
        request.created_after,
        request.created_before,
        request.metadata,
        request.external_ids,
    )
    return any(value is not None for value in narrowing)


def filtered(rows: QuerySet[Any], request: SearchRequest) -> QuerySet[Any]:
    """Keep the nodes, or rows with the same fields, that the filters of a request keep."""
    rows = content_filtered(rows, request)
    if request.created_after is not None:
        rows = rows.filter(created_at__gte=request.created_after)
    if request.created_before is not None:
        rows = rows.filter(created_at__lt=request.created_before)
    return rows


def content_filtered(rows: QuerySet[Any], request: SearchRequest) -> QuerySet[Any]:
    """Do the same for rows that do not know when their node was made, such as versions."""
    if request.kinds is not None:
        rows = rows.filter(kind__in=request.kinds)
    if request.tags:
        rows = rows.filter(tags__contains=list(request.tags))
    if request.language:
        rows = rows.filter(language__istartswith=base_language(request.language))
    if request.metadata:
        rows = rows.filter(metadata__contains=dict(request.metadata))
    if request.external_ids is not None:
        rows = rows.filter(external_id__in=request.external_ids)
    return rows
