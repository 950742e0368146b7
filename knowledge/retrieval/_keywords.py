"""The keyword leg: the passages with the best BM25 scores.

Candidates come from the index of words, by a formula that leaves out what cannot be among the best
(`_pruning`). Where the words bring most of the scope, all of it is weighed.
"""

from __future__ import annotations

import math

from knowledge.analysis import term_key
from knowledge.retrieval._pruning import Formula, formula_of
from knowledge.retrieval._question import Question
from knowledge.retrieval._route import Route
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._shelves import Shelf, Statement, quoted
from knowledge.statistics import Totals

SCAN_FROM_SHARE = 0.15
"""Share of the scope that the words bring, from which on reading every weight is quicker."""
SCAN_UP_TO = 20_000
"""Passages up to which reading every weight is thought of."""
WANTED = 2000
"""Candidates that are weighed: those of the scope, so many times more where filters take most.

Of the ten with most weight among 100,000 passages, 1,800 bring 0.980, 2,500 bring 0.981, and 3,500,
which are 1.7 times as many to look at, 0.984.
"""


def formula_for(question: Question, counted: Totals, route: Route) -> Formula | None:
    """Return the formula that brings the candidates; None where the whole scope is weighed."""
    counts = {term: counted.passages_with.get(term_key(term), 0) for term in question.terms}
    wanted = math.ceil(WANTED / route.share)
    formula = formula_of(question.terms, counts, counted.passages, wanted)
    is_small = route.permitted <= SCAN_UP_TO
    if is_small and formula.expected >= SCAN_FROM_SHARE * route.permitted:
        return None
    return formula


def add_keyword_leg(
    legs: Statement,
    scope: Scope,
    depth: int,
    *,
    formula: Formula | None = None,
    is_gated_last: bool = False,
) -> None:
    """Add the leg; without a formula the whole scope is weighed.

    `is_gated_last`: whether passages are permitted is looked up from the best on, until there are
    enough.
    """
    if legs.parts:
        legs.add(", ")
    legs.add("keyword AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM (")
    for place, shelf in enumerate(scope.shelves):
        if place:
            legs.add(" UNION ALL ")
        if formula is not None and is_gated_last:
            _add_gated_last(legs, shelf, scope, formula)
        else:
            _add_gated_first(legs, shelf, formula)
        legs.add(" ORDER BY distance LIMIT %s)", depth)
    # Of several shelves each brings its best: never fewer than the best of all.
    legs.add(") AS best)")


def _add_gated_first(legs: Statement, shelf: Shelf, formula: Formula | None) -> None:
    legs.add(
        "(SELECT id AS chunk_id, terms <#> (SELECT terms FROM question) AS distance "
        f"FROM {shelf.passages} WHERE {shelf.within} ",
        *shelf.parameters,
    )
    if formula is None:
        # The weights tell the same, without fetching the lexemes.
        legs.add("AND terms <#> (SELECT terms FROM question) < 0")
    else:
        legs.add("AND search @@ %s::tsquery", query_of(formula))


def _add_gated_last(legs: Statement, shelf: Shelf, scope: Scope, formula: Formula) -> None:
    # OFFSET 0 keeps the planner from listing everything that is permitted before it sorts.
    legs.add(
        "(SELECT id AS chunk_id, distance FROM (SELECT id, node_id, "
        "terms <#> (SELECT terms FROM question) AS distance "
        f"FROM {shelf.passages} WHERE space_id = ANY(%s) AND search @@ %s::tsquery "
        f"ORDER BY distance OFFSET 0) AS weighed WHERE {shelf.within}",
        [*scope.space_ids],
        query_of(formula),
        *shelf.parameters,
    )


def query_of(formula: Formula) -> str:
    """Return a formula as a tsquery."""
    return " | ".join(f"({' & '.join(quoted(words))})" for words in formula.combinations)
