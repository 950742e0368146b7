"""The keyword leg: the passages with the best BM25 scores."""

from __future__ import annotations

from knowledge.retrieval._question import Question
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._shelves import Statement, quoted

SCAN_FROM_SHARE = 0.15
"""Share of the scope that the words bring, from which on reading every weight is quicker."""


def add_keyword_leg(
    legs: Statement, question: Question, scope: Scope, depth: int, *, is_large: bool
) -> None:
    if legs.parts:
        legs.add(", ")
    by_word = is_large or question.share < SCAN_FROM_SHARE
    legs.add("keyword AS (SELECT chunk_id, row_number() OVER (ORDER BY distance) AS rank FROM (")
    for place, shelf in enumerate(scope.shelves):
        legs.add(
            f"{' UNION ALL ' if place else ''}"
            "(SELECT id AS chunk_id, terms <#> (SELECT terms FROM question) AS distance "
            f"FROM {shelf.passages} WHERE {shelf.within} ",
            *shelf.parameters,
        )
        if by_word:
            legs.add("AND search @@ %s::tsquery ", " | ".join(quoted(question.candidates)))
        else:
            # Most of the scope: the weights tell the same, without fetching the lexemes.
            legs.add("AND terms <#> (SELECT terms FROM question) < 0 ")
        legs.add("ORDER BY distance LIMIT %s)", depth)
    # Of several shelves each brings its best: never fewer than the best of all.
    legs.add(") AS best)")
