"""What a question requires and excludes, made part of the scope.

The nodes that meet a condition are found first, in the state that is searched, and the scope is
narrowed to them: then no leg, and no relation, can bring anything else.

1. A word in any of its forms is a lookup in the index of words, each passage in its own language.
2. A phrase is looked up by its words, narrowed by the order of their numbers in the passages, and
   then read in the texts themselves: function words, endings and order have to be as asked.
3. A tag is read from the nodes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from knowledge.analysis import fold, former_words, term_key, term_of, words
from knowledge.binary import sequence_pack
from knowledge.conditions import Condition, Conditions, Place
from knowledge.moments import Moment
from knowledge.passages import without_markup
from knowledge.retrieval import _gaps
from knowledge.retrieval._scope import Scope
from knowledge.retrieval._shelves import Statement, quoted
from knowledge.statistics import FORMER, spoken_in, totals
from knowledge.stemming import CODES, OTHER

MOST_READ = 20_000
"""Passages whose text is read for a phrase."""
_SPOKEN = "split_part(lower(language), '-', 1)"
_IS_TOLD = f"{_SPOKEN} = ANY(%s) AND (analysis > 1 OR {_SPOKEN} = ANY(%s))"


@dataclass(frozen=True, slots=True)
class Row:
    """A passage that may meet a condition; `title` is that of its version."""

    node: uuid.UUID
    language: str
    title: str
    headings: Sequence[str]
    text: str


def narrowed(scope: Scope, moment: Moment | None, conditions: Conditions) -> tuple[Scope, bool]:
    """Return the scope with only what meets the conditions, and whether they were all looked into.

    A phrase of very common words may be in more passages than are read: then some are missing.
    """
    finder = _Finder(scope, moment)
    allowed: set[uuid.UUID] | None = None
    excluded: set[uuid.UUID] = set()
    for condition in conditions.every:
        met = finder.nodes(condition)
        if condition.is_excluded:
            excluded |= met
        else:
            allowed = met if allowed is None else allowed & met
    clauses, parameters = [], [*scope.parameters]
    if allowed is not None:
        clauses.append("id = ANY(%s)")
        parameters.append(sorted(allowed - excluded))
    elif excluded:
        clauses.append("id <> ALL(%s)")
        parameters.append(sorted(excluded))
    if not clauses:
        return scope, finder.is_whole
    sql = (
        f"SELECT {scope.columns} FROM ({scope.permitted}) AS asked ({scope.columns}) "
        f"WHERE {' AND '.join(clauses)}"
    )
    scope = replace(scope, permitted=sql, parameters=tuple(parameters), is_narrow=True)
    return scope, finder.is_whole


class _Finder:
    """Finds the nodes of a state that meet a condition, whether it is to be met or not."""

    def __init__(self, scope: Scope, moment: Moment | None) -> None:
        self.is_whole = True
        self._scope = scope
        self._moment = moment
        languages = {*FORMER, *totals(scope.space_ids).languages}
        self._languages = sorted(languages)
        self._gaps: list[Row] = []
        if scope.is_past and (moment is None or moment.proposal is None):
            passages, self.is_whole = _gaps.gap_passages(scope)
            self._gaps = [
                Row(
                    each.node,
                    each.indexed.language,
                    each.title,
                    each.indexed.passage.heading_path,
                    each.indexed.passage.text,
                )
                for each in passages
            ]

    def nodes(self, condition: Condition) -> set[uuid.UUID]:
        """Return the nodes for which the condition says what is there."""
        if condition.place == Place.TAG:
            return self._tagged(condition.text)
        asked = words(condition.text)
        in_gaps = {row.node for row in self._gaps if _meets(row, condition)}
        if not condition.is_exact and condition.place == Place.ANYWHERE:
            forms = self._forms(asked[0])
            if not self._silent(asked):
                return self._with_word(forms) | in_gaps
        return {row.node for row in self._possible(condition) if _meets(row, condition)} | in_gaps

    def _forms(self, word: str) -> dict[str, list[str]]:
        """Return the terms of a word with the languages in which it has them."""
        forms: dict[str, list[str]] = {}
        for language in self._languages:
            if (term := term_of(word, language)) is not None:
                forms.setdefault(term, []).append(language)
        return forms

    def _silent(self, asked: list[str]) -> list[str]:
        """Return the languages whose index has none of the words: function words, all of them."""
        return [
            language
            for language in self._languages
            if not any(term_of(word, language) for word in asked)
        ]

    def _with_word(self, forms: dict[str, list[str]]) -> set[uuid.UUID]:
        statement = self._begun()
        for place, shelf in enumerate(self._scope.shelves):
            statement.add(" UNION " if place else "")
            statement.add(f"SELECT node_id FROM {shelf.passages} ")
            statement.add(f"WHERE {shelf.within} AND (", *shelf.parameters)
            for number, (term, languages) in enumerate(forms.items()):
                statement.add(" OR " if number else "")
                statement.add("(search @@ %s::tsquery AND ", *quoted([term]))
                _add_spoken(statement, languages)
                statement.add(")")
            statement.add(")")
        return {row[0] for row in statement.run()}

    def _tagged(self, tag: str) -> set[uuid.UUID]:
        statement = self._begun()
        statement.add("SELECT node_id, tags FROM (")
        self._add_facts(statement)
        statement.add(") AS facts WHERE cardinality(tags) > 0")
        wanted = fold(tag)
        return {node for node, tags in statement.run() if wanted in map(fold, tags)}

    def _possible(self, condition: Condition) -> Iterator[Row]:
        """Yield the passages that may hold the words of a condition, by the indexes."""
        silent = self._silent(words(condition.text))
        statement = self._begun()
        if condition.place == Place.TITLE:
            statement.add("SELECT DISTINCT c.node_id, language, title, '{}'::text[], '' FROM (")
        else:
            statement.add("SELECT c.node_id, language, title, heading_path, text FROM (")
        for place, shelf in enumerate(self._scope.shelves):
            statement.add(" UNION ALL " if place else "")
            statement.add(
                "SELECT node_id, language, analysis, heading_path, text "
                f"FROM {shelf.passages} WHERE {shelf.within}",
                *shelf.parameters,
            )
            self._add_words(statement, condition.text, silent)
        statement.add(") AS c JOIN (")
        self._add_facts(statement)
        statement.add(") AS facts ON facts.node_id = c.node_id")
        if silent:
            statement.add(" WHERE NOT ")
            _add_spoken(statement, silent)
            for column in ("title", "text", "array_to_string(heading_path, ' ')"):
                statement.add(f" OR {column} ~* %s", _pattern(words(condition.text)))
        statement.add(" LIMIT %s", MOST_READ + 1)
        rows = statement.run()
        self.is_whole = self.is_whole and len(rows) <= MOST_READ
        for row in rows:
            yield Row(*row)

    def _add_words(self, statement: Statement, text: str, silent: list[str]) -> None:
        """Require the words, and in their order, as the index has them in any of the languages."""
        asked, before = words(text), former_words(text)
        formers = before if len(before) == len(asked) else asked
        for word, former in zip(asked, formers, strict=True):
            forms = self._forms(word)
            if set().union(*forms.values()) >= set(self._languages):  # nobody's function word
                either = " | ".join(quoted(sorted({*forms, former})))
                statement.add(" AND search @@ %s::tsquery", either)
        runs = {
            sequence_pack([term_key(term) for term in terms])
            for language in self._languages
            if (terms := [term for word in asked if (term := term_of(word, language)) is not None])
        }
        runs.add(sequence_pack(map(term_key, before)))
        clauses = " OR ".join("position(%s::bytea IN sequence) > 0" for _run in runs)
        statement.add(f" AND ({clauses}", *sorted(runs))
        if silent:
            statement.add(" OR ")
            _add_spoken(statement, silent)
        statement.add(")")

    def _begun(self) -> Statement:
        statement = Statement()
        statement.add(f"WITH permitted ({self._scope.columns}) AS MATERIALIZED (")
        statement.add(self._scope.permitted, *self._scope.parameters)
        statement.add(") ")
        return statement

    def _add_facts(self, statement: Statement) -> None:
        """Add a SELECT of what the nodes say of themselves in the state that is searched."""
        if self._moment is None:
            statement.add(
                "SELECT id AS node_id, title, tags FROM knowledge_node "
                "WHERE id IN (SELECT id FROM permitted)"
            )
        elif self._moment.proposal is None:
            statement.add(
                "SELECT facts.id AS node_id, facts.title, facts.tags "
                "FROM knowledge_nodeversion AS facts JOIN permitted "
                "ON permitted.id = facts.id AND permitted.version = facts.version"
            )
        else:
            statement.add(
                "SELECT id AS node_id, title, tags FROM knowledge_node "
                "WHERE id IN (SELECT id FROM permitted WHERE is_served) "
                "UNION ALL SELECT node_id, title, tags FROM knowledge_previewnode "
                "WHERE proposal_id = %s "
                "AND node_id IN (SELECT id FROM permitted WHERE NOT is_served)",
                self._moment.proposal.pk,
            )


def _add_spoken(statement: Statement, languages: list[str]) -> None:
    """Add the condition that a passage counts for one of the languages, as `spoken_in` has it."""
    codes = [code for code, base in CODES.items() if base in languages]
    statement.add(
        f"(CASE WHEN {_IS_TOLD} THEN {_SPOKEN} = ANY(%s) ELSE %s END)",
        *([[*CODES], ["en", "pt"], codes, OTHER in languages]),
    )


def _meets(row: Row, condition: Condition) -> bool:
    """Return whether a passage, or the title above it, has what a condition wants."""
    fields = [row.title]
    if condition.place == Place.ANYWHERE:
        fields += [*row.headings, without_markup(row.text)]
    asked = words(condition.text)
    if condition.is_exact:
        return any(_stands_in(asked, words(field)) for field in fields)
    spoken = spoken_in(row.language)
    forms = {term_of(word, spoken) or word for word in asked}
    return any(
        (term_of(word, spoken) or word) in forms for field in fields for word in words(field)
    )


def _stands_in(asked: Sequence[str], held: Sequence[str]) -> bool:
    """Return whether words stand in a text in order, with nothing between them."""
    return f"\0{chr(0).join(asked)}\0" in f"\0{chr(0).join(held)}\0"


def _pattern(asked: Iterable[str]) -> str:
    """Return a pattern for texts that may have the folded words near each other."""
    loose = (re.sub(r"[^b-df-hj-km-np-rtv-xz0-9]", ".", re.escape(word)) for word in asked)
    return "[^0-9a-z]{1,20}".join(loose)
