"""How the admin shows suggested relations: evidence in words, passages side by side."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.choices import EvidenceWay
from knowledge.models import Chunk, Node, RelationSuggestion
from project.markdown import render_markdown

PASSAGE_CHARS = 700
AROUND = 110
"""Characters shown on both sides of a name in a text."""
_MARKUP = re.compile(r"^#{1,6}\s+|\*\*|__|`", re.MULTILINE)
ICONS = {
    EvidenceWay.SIMILAR: "compare_arrows",
    EvidenceWay.CITED: "format_quote",
    EvidenceWay.MENTION: "text_fields",
    EvidenceWay.ADDRESS: "link",
    EvidenceWay.DUPLICATE: "content_copy",
}


@dataclass(frozen=True, slots=True)
class Quoted:
    """A piece of a text: the marked part between what is before and after it."""

    node: uuid.UUID
    before: str
    marked: str
    after: str
    url: str

    @property
    def html(self) -> SafeString:
        """The marked part as safe HTML."""
        return mark_safe(render_markdown(self.marked))  # noqa: S308 - the renderer makes it safe


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion as its page shows it. `passages` stand side by side, source first."""

    row: RelationSuggestion
    percent: int
    reasons: tuple[tuple[str, str], ...]
    passages: tuple[Quoted, ...]
    mentions: tuple[Quoted, ...]
    pair_url: str


@dataclass(frozen=True, slots=True)
class _Place:
    node: uuid.UUID
    version: int
    start: int
    end: int

    @classmethod
    def of(cls, stored: dict[str, Any], name: str) -> _Place:
        return cls(
            uuid.UUID(stored[name]), stored["version"], int(stored["start"]), int(stored["end"])
        )


def shown(rows: Sequence[RelationSuggestion]) -> list[Shown]:
    """Return suggestions with their evidence; places whose version has gone are left out."""
    texts = _texts(place for row in rows for place in (*_passages(row), *_mentions(row)))
    return [_shown(row, texts) for row in rows]


def _passages(row: RelationSuggestion) -> list[_Place]:
    named = [each for each in row.evidence if each["way"] == EvidenceWay.SIMILAR]
    places = [_Place.of(place, "node") for each in named for place in each["passages"]]
    return sorted(places, key=lambda place: place.node != row.source_id)


def _mentions(row: RelationSuggestion) -> list[_Place]:
    return [_Place.of(each, "by") for each in row.evidence if "by" in each]


def _texts(places: Iterable[_Place]) -> dict[tuple[uuid.UUID, int], list[Chunk]]:
    """Return the passages that hold the places, by node and version."""
    wanted = [
        Q(node=each.node, version=each.version, start__lte=each.start, end__gte=each.end)
        for each in places
    ]
    found: dict[tuple[uuid.UUID, int], list[Chunk]] = {}
    if wanted:
        rows = Chunk.objects.filter(reduce(or_, wanted)).only("node", "version", "start", "text")
        for row in rows.order_by("start"):
            found.setdefault((row.node_id, row.version), []).append(row)
    return found


def _shown(row: RelationSuggestion, texts: dict[tuple[uuid.UUID, int], list[Chunk]]) -> Shown:
    passages = (_quoted(place, texts, around=0) for place in _passages(row))
    mentions = (_quoted(place, texts, around=AROUND) for place in _mentions(row))
    is_double = EvidenceWay.DUPLICATE in row.ways
    ends = [row.source_id, row.target_id]
    return Shown(
        row,
        round(row.score * 100),
        tuple((ICONS[EvidenceWay(each["way"])], _words(each, row)) for each in row.evidence),
        tuple(each for each in passages if each is not None),
        tuple(each for each in mentions if each is not None),
        reverse("admin:knowledge_nodequality_pair", args=ends) if is_double else "",
    )


def _quoted(
    place: _Place, texts: dict[tuple[uuid.UUID, int], list[Chunk]], *, around: int
) -> Quoted | None:
    for chunk in texts.get((place.node, place.version), ()):
        low, high = place.start - chunk.start, place.end - chunk.start
        if low < 0 or high > len(chunk.text):
            continue
        first, last = max(0, low - around), min(len(chunk.text), high + around)
        marked = chunk.text[low:high]
        is_cut = len(marked) > PASSAGE_CHARS
        query = f"version={place.version}&start={place.start}&end={place.end}"
        return Quoted(
            place.node,
            ("…" if first else "") + _MARKUP.sub("", chunk.text[first:low]),
            marked[:PASSAGE_CHARS] + ("…" if is_cut else ""),
            _MARKUP.sub("", chunk.text[high:last]) + ("…" if last < len(chunk.text) else ""),
            f"{reverse('node-page', args=[place.node])}?{query}#passage",
        )
    return None


def _words(evidence: dict[str, Any], row: RelationSuggestion) -> str:
    way = evidence["way"]
    if way == EvidenceWay.CITED:
        text = ngettext(
            "cited together in %(count)s answer",
            "cited together in %(count)s answers",
            evidence["answers"],
        )
        return text % {"count": evidence["answers"]}
    if way == EvidenceWay.DUPLICATE:
        return _("the texts are %(percent)s %% the same") % {"percent": evidence["percent"]}
    if way in {EvidenceWay.MENTION, EvidenceWay.ADDRESS}:
        by: Node = row.source if evidence["by"] == str(row.source_id) else row.target
        other = row.target if by is row.source else row.source
        if way == EvidenceWay.ADDRESS:
            return _("“%(by)s” gives the address of “%(other)s”") % {"by": by, "other": other}
        return _("“%(by)s” names “%(other)s”") % {"by": by, "other": other}
    percent = round(evidence["strength"] * 100)
    return _("similar text (%(percent)s %%)") % {"percent": percent}
