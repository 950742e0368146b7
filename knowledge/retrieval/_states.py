"""The words of a question counted in the state that is searched: the present one, or another.

A question is read in the languages of the scope, which are known only when something is counted:
the three that every scope may have come first, and what else there is is counted afterwards. What
does not occur at all may be misspelled: what the spaces have of words few letters away is counted
in the same state, so that only what is there can stand in for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from knowledge.analysis import term_key
from knowledge.choices import SearchMode
from knowledge.moments import Moment, require_begun
from knowledge.previews import preview_is_fresh
from knowledge.retrieval import _gaps, _snapshot
from knowledge.retrieval._found import Found
from knowledge.retrieval._question import Reading, keys_of, readings_of
from knowledge.retrieval._scope import Scope
from knowledge.spelling import Near
from knowledge.statistics import FORMER, LANGUAGES, Totals, totals
from knowledge.types import SearchRequest
from knowledge.vocabulary import nearest, words_near

MOST_WORDS = 8
"""Words of a question up to which misspelled ones are looked up: longer ones say enough without."""


def count_present(found: Found, scope: Scope, request: SearchRequest) -> Totals:
    """Return the statistics of a scope, without those of single words if it is empty."""
    _spoken, readings = readings_of(request.query, FORMER)
    counted = totals(scope.space_ids, keys_of(readings))
    _read(found, request, counted.languages)
    known = keys_of(readings)

    def count(terms: Iterable[str]) -> dict[int, int]:
        keys = {term_key(term) for term in terms} - known
        return totals(scope.space_ids, keys).passages_with if keys else {}

    if not counted.languages <= set(FORMER):
        more = count(term for reading in found.readings for term in reading.terms)
        counted = _with(counted, more)
    return _with_nears(found, scope, request, counted, count)


def count_other(
    found: Found, scope: Scope, moment: Moment, request: SearchRequest
) -> tuple[Scope, Totals]:
    """Do the same for another state, and note what cannot take part.

    The scope that comes back has only the shelves on which something of the state lies.
    """
    if moment.proposal is not None and not preview_is_fresh(moment.proposal):
        found.lack("preview")
    whole, tried = scope, {*FORMER, *totals(scope.space_ids).languages}
    _read(found, request, tried)
    snapshot = _snapshot.counted(whole, moment, found.readings)
    if not snapshot.totals.languages <= tried:  # the past had one that the present has not
        _read(found, request, tried | snapshot.totals.languages)
        snapshot = _snapshot.counted(whole, moment, found.readings)
    counted = snapshot.totals
    if snapshot.gaps:
        counted = _count_gaps(found, whole, request, counted)
    elif moment.as_of is not None and not counted.passages:
        require_begun(moment.as_of, whole.space_ids)
    if (snapshot.lacks_vectors or snapshot.gaps) and request.mode != SearchMode.KEYWORD:
        found.lack("vector")
    _read(found, request, counted.languages)

    def count(terms: Iterable[str]) -> dict[int, int]:
        return _snapshot.counted(whole, moment, [Reading(tuple(terms))]).totals.passages_with

    return snapshot.scope, _with_nears(found, whole, request, counted, count)


def _count_gaps(found: Found, scope: Scope, request: SearchRequest, counted: Totals) -> Totals:
    """Add the passages that are stored nowhere to what is counted."""
    passages, is_whole = _gaps.gap_passages(scope)
    found.gaps = {each.id: each for each in passages}
    spoken = counted.languages | _gaps.languages_of(passages)
    _read(found, request, spoken)
    if not is_whole:
        found.lack("keyword")
    return _gaps.with_gaps(counted, passages, keys_of(found.readings))


def _read(found: Found, request: SearchRequest, spoken: Iterable[str]) -> None:
    """Read the question in some languages; the table's order decides between equals."""
    held = set(spoken)
    present = [language for language in LANGUAGES.values() if language in held]
    found.spoken, found.readings = readings_of(request.query, present)


def _with(counted: Totals, more: dict[int, int]) -> Totals:
    return replace(counted, passages_with=counted.passages_with | more)


def _with_nears(
    found: Found,
    scope: Scope,
    request: SearchRequest,
    counted: Totals,
    count: Callable[[Sequence[str]], dict[int, int]],
) -> Totals:
    """Look for what may have been meant by words that do not occur, and count that, too."""
    exact = request.conditions.exact if request.conditions is not None else frozenset()
    unknown = [
        reading.word
        for reading in found.readings
        if reading.is_plain
        and reading.word not in exact
        and not any(counted.passages_with.get(term_key(term)) for term in reading.terms)
    ]
    if not unknown or not counted.passages or len(found.readings) > MOST_WORDS:
        return counted
    near = words_near(scope.space_ids, unknown)
    if not near:
        return counted
    terms = sorted({each.term for nears in near.values() for each in nears})
    counted = _with(counted, count(terms))
    occurring = {term: counted.passages_with.get(term_key(term), 0) for term in terms}
    chosen: dict[str, tuple[Near, ...]] = {
        word: nearest(nears, occurring) for word, nears in near.items()
    }
    found.nears = {word: nears for word, nears in chosen.items() if nears}
    return counted
