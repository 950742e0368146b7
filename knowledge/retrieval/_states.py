"""The words of a question counted in the state that is searched: the present one, or another."""

from __future__ import annotations

from knowledge.choices import SearchMode
from knowledge.moments import Moment, require_begun
from knowledge.previews import preview_is_fresh
from knowledge.retrieval import _gaps, _snapshot
from knowledge.retrieval._found import Found
from knowledge.retrieval._question import LANGUAGES, keys_of, readings_of
from knowledge.retrieval._scope import Scope
from knowledge.statistics import Totals, totals
from knowledge.types import SearchRequest


def count_present(scope: Scope, request: SearchRequest) -> Totals:
    """Return the statistics of a scope, without those of single words if it is empty."""
    _spoken, readings = readings_of(request.query, LANGUAGES)
    return totals(scope.space_ids, keys_of(readings))


def count_other(
    found: Found, scope: Scope, moment: Moment, request: SearchRequest
) -> tuple[Scope, Totals]:
    """Do the same for another state, and note what cannot take part.

    The scope that comes back has only the shelves on which something of the state lies.
    """
    _spoken, readings = readings_of(request.query, LANGUAGES)
    if moment.proposal is not None and not preview_is_fresh(moment.proposal):
        found.lack("preview")
    snapshot = _snapshot.counted(scope, moment, readings)
    counted = snapshot.totals
    if snapshot.gaps:
        passages, is_whole = _gaps.gap_passages(scope)
        found.gaps = {each.id: each for each in passages}
        counted = _gaps.with_gaps(counted, passages, keys_of(readings))
        if not is_whole:
            found.lack("keyword")
    elif moment.as_of is not None and not counted.passages:
        require_begun(moment.as_of, scope.space_ids)
    if (snapshot.lacks_vectors or snapshot.gaps) and request.mode != SearchMode.KEYWORD:
        found.lack("vector")
    return snapshot.scope, counted
