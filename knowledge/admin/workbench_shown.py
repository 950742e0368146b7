"""What the workbench shows of a search: each result's score as steps, and two searches compared."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.types import SearchResponse, SearchResult

LEAST = 1e-6
_POINT = re.compile(r"(?<=\d)\.(?=\d)")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a score: what it saw, what it added, and the score after it, from 0 to 1.

    `left` and `width` place its bar, in hundredths. `kind`: `up`, `down` or `sum`.
    """

    name: str
    detail: str
    change: float | None
    after: float
    kind: str
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """A result, its rank, and how its score came about."""

    rank: int
    result: SearchResult
    steps: tuple[Step, ...]
    terms: tuple[str, ...]
    led_from: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """A node in two searches. `kind`, seen from the first: `same`, `up`, `down`, `new`, `lost`."""

    node: uuid.UUID
    title: str
    url: str
    ranks: tuple[int | None, int | None]
    scores: tuple[float | None, float | None]
    kind: str
    words: str

    @property
    def symbol(self) -> str:
        """A sign that does without colour."""
        return {"same": "=", "up": "▲", "down": "▼", "new": "+", "lost": "✕"}[self.kind]

    @property
    def tone(self) -> str:
        """A colour besides."""
        tones = {"up": "success", "down": "warning", "new": "info", "lost": "danger"}
        return tones.get(self.kind, "default")


def rows_of(answer: SearchResponse) -> list[Row]:
    """Return the results of a search that was asked to explain itself."""
    return [
        Row(
            rank,
            result,
            tuple(steps_of(result)),
            tuple((result.signals or {}).get("keyword", {}).get("terms", ())),
            ((result.signals or {}).get("graph") or {}).get("from"),
        )
        for rank, result in enumerate(answer.results, 1)
    ]


def steps_of(result: SearchResult) -> list[Step]:
    """Return the steps that lead from nothing to a result's score."""
    signals: Mapping[str, Any] = result.signals or {}
    steps: list[Step] = []
    at = 0.0

    def add(name: str, detail: str, after: float) -> None:
        nonlocal at
        kind = "up" if after >= at else "down"
        low, high = sorted((at, after))
        steps.append(
            Step(name, _localised(detail), after - at, after, kind, 100 * low, 100 * (high - low))
        )
        at = after

    vector, keyword = signals.get("vector"), signals.get("keyword") or {}
    if vector:
        add(_("Vector"), _vector_words(vector), vector["weight"] * vector["similarity"])
    fused = signals.get("fused", result.score)
    add(_("Words"), _keyword_words(keyword), fused)
    for key, name in (
        ("feedback", _("Feedback")),
        ("smoothed", _("Neighbours")),
        ("refined", _("Feedback and neighbours")),
        ("capped", _("Kept below the best")),
    ):
        value = signals.get(key)
        if isinstance(value, int | float) and abs(value - at) > LEAST:
            add(name, _("from the nodes that are near it"), float(value))
    graph = signals.get("graph")
    rerank = signals.get("rerank")
    before_rerank = _number(rerank, "before", result.score)
    if graph and abs(before_rerank - at) > LEAST:
        add(_("Relations"), _graph_words(graph), before_rerank)
    elif abs(before_rerank - at) > LEAST:
        add(_("Kept below the best"), _("what was ranked before stays before"), before_rerank)
    if abs(result.score - at) > LEAST:
        add(_("Reranking"), _rerank_words(rerank), result.score)
    steps.append(Step(_("Score"), "", None, result.score, "sum", 0.0, 100 * result.score))
    return steps


def moves_of(first: SearchResponse, second: SearchResponse) -> list[Move]:
    """Return the nodes of two searches: the second's in their order, then those it lost."""
    ranks = [
        {result.node: (rank, result) for rank, result in enumerate(answer.results, 1)}
        for answer in (first, second)
    ]
    order = [*ranks[1], *(node for node in ranks[0] if node not in ranks[1])]
    return [_move(node, ranks[0].get(node), ranks[1].get(node)) for node in order]


def summary_of(moves: Sequence[Move]) -> str:
    """Return how two searches differ, in one sentence."""
    counts = {
        kind: sum(move.kind == kind for move in moves)
        for kind in ("same", "up", "down", "new", "lost")
    }
    if counts["same"] == len(moves):
        return _("Both find the same, in the same order.")
    parts = [
        ngettext("%(n)s stays", "%(n)s stay", counts["same"]) % {"n": counts["same"]},
        ngettext("%(n)s rises", "%(n)s rise", counts["up"]) % {"n": counts["up"]},
        ngettext("%(n)s falls", "%(n)s fall", counts["down"]) % {"n": counts["down"]},
        ngettext("%(n)s is new", "%(n)s are new", counts["new"]) % {"n": counts["new"]},
        ngettext("%(n)s is lost", "%(n)s are lost", counts["lost"]) % {"n": counts["lost"]},
    ]
    return _("Of %(all)s: %(parts)s.") % {"all": len(moves), "parts": ", ".join(parts)}


def timings_of(explanation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the stages of a search with their times and the places of their bars."""
    names = {
        "scope": _("Scope and words"),
        "embed": _("Embedding the question"),
        "legs": _("Candidates of the legs"),
        "rank": _("Fusion, feedback, neighbours"),
        "graph": _("Relations"),
        "rerank": _("Reranking"),
        "results": _("Passages and snippets"),
        "cache": _("Cache"),
    }
    spent: Mapping[str, float] = explanation.get("timings_ms") or {}
    total = sum(spent.values()) or 1.0
    found, at = [], 0.0
    for stage, milliseconds in spent.items():
        width = 100 * milliseconds / total
        name = names.get(stage, stage)
        found.append({"name": name, "ms": milliseconds, "left": at, "width": width})
        at += width
    return found


def _move(
    node: uuid.UUID,
    first: tuple[int, SearchResult] | None,
    second: tuple[int, SearchResult] | None,
) -> Move:
    before, after = first[0] if first else None, second[0] if second else None
    shown = second or first
    assert shown is not None
    if before is None:
        kind, words = "new", _("new at rank %(rank)s") % {"rank": after}
    elif after is None:
        kind, words = "lost", _("lost, was rank %(rank)s") % {"rank": before}
    elif before == after:
        kind, words = "same", _("the same")
    else:
        kind = "up" if after < before else "down"
        words = _("%(before)s → %(after)s") % {"before": before, "after": after}
    scores = (first[1].score if first else None, second[1].score if second else None)
    result = shown[1]
    return Move(node, result.title, result.url, (before, after), scores, kind, words)


def _number(row: Any, name: str, default: float) -> float:
    value = row.get(name) if isinstance(row, Mapping) else None
    return default if value is None else float(value)


def _localised(text: str) -> str:
    """Return a text with the decimal separator of the reader's language in its numbers."""
    return _POINT.sub(str(get_format("DECIMAL_SEPARATOR")), text)


def _ranked(row: Mapping[str, Any]) -> str:
    if row.get("rank") is None:
        return _("not among the candidates of its leg")
    return _("rank %(rank)s of its leg") % {"rank": row["rank"]}


def _vector_words(vector: Mapping[str, Any]) -> str:
    message = _("similarity %(similarity).3f × weight %(weight).2f; %(rank)s")
    return message % {
        "similarity": vector["similarity"],
        "weight": vector["weight"],
        "rank": _ranked(vector),
    }


def _keyword_words(keyword: Mapping[str, Any]) -> str:
    if not keyword:
        return ""
    message = _("match %(match).3f × weight %(weight).2f; BM25 %(bm25).2f; %(rank)s")
    text = message % {
        "match": keyword["match"],
        "weight": keyword["weight"],
        "bm25": keyword["bm25"],
        "rank": _ranked(keyword),
    }
    if keyword.get("phrases"):
        text += "; " + _("of the match, %(share).3f is phrases") % {"share": keyword["phrases"]}
    return text


def _graph_words(graph: Mapping[str, Any]) -> str:
    return _("%(led).3f led over from a related node") % {"led": graph.get("led", 0.0)}


def _rerank_words(rerank: Any) -> str:
    if isinstance(rerank, Mapping) and rerank.get("score") is not None:
        return _("the reranking model gave %(score).3f") % {"score": rerank["score"]}
    return ""
