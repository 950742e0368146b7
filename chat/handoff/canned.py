"""Answers that are written already: passages of nodes, to be put into an operator's answer."""

import re
import uuid
from dataclasses import dataclass

from chat.models import Handoff
from knowledge.models import Chunk, Space
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User

OFFERED = 6
MOST_CHARS = 1500
_HEADINGS = re.compile(r"\A(?:\s*#{1,6} [^\n]*\n)+")


@dataclass(frozen=True, slots=True)
class Canned:
    """A passage with its text, as it would be inserted, and where it stands."""

    chunk: uuid.UUID
    title: str
    text: str
    snippet: str
    url: str
    version: int


def canned_answers(handoff: Handoff, user: User, words: str) -> list[Canned]:
    """Return passages for an answer, best first: such as both sides may read.

    What only the operator may read must not reach the person by a slip.
    """
    spaces = tuple(Space.objects.visible_to(user).values_list("pk", flat=True))
    asked = SearchRequest(query=words, limit=OFFERED, spaces=spaces)
    found = search(asked, user=handoff.conversation.user)
    rows = Chunk.objects.filter(pk__in=[each.chunk for each in found.results])
    texts = dict(rows.values_list("pk", "text"))
    return [
        Canned(
            chunk=each.chunk,
            title=each.title,
            text=_said(texts[each.chunk]),
            snippet=each.snippet,
            url=each.url,
            version=each.version,
        )
        for each in found.results
        if each.chunk in texts
    ]


def _said(passage: str) -> str:
    """Return a passage as somebody would say it: without the headings above it."""
    return (_HEADINGS.sub("", passage) or passage)[:MOST_CHARS].strip()
