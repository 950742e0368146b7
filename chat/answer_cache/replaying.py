"""A kept answer as the events of a new one."""

from __future__ import annotations

from collections.abc import Iterator

from chat.models import CachedAnswer
from chat.rendering import citation_url
from chat.types import Passage

PIECE_WORDS = 12


def cited_passages(answer: CachedAnswer) -> list[Passage]:
    """Return what a kept answer cites, by the numbers of its marks; the texts are its quotes."""
    return [
        Passage(
            node=each.cited_id,
            version=each.version,
            chunk=each.chunk_id,
            title=each.title,
            heading_path=(),
            text=each.snippet,
            start=each.start,
            end=each.end,
            page=each.page,
            url=citation_url(each),
            language="",
            score=1.0,
            place=each.place,
        )
        for each in answer.turn.citations.select_related("turn").order_by("index")
    ]


def pieces_of(text: str) -> Iterator[str]:
    """Yield a text a few words at a time."""
    words = text.split(" ")
    for start in range(0, len(words), PIECE_WORDS):
        end = start + PIECE_WORDS
        yield " ".join(words[start:end]) + (" " if end < len(words) else "")
