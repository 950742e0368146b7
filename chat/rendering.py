"""Answers as HTML: Markdown blocks whose `[n]` marks lead to the cited passages.

Behind a sentence that its sources do not support stands a mark that says so. It is put into the
finished HTML, so that nothing in the text of an answer can look like one.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from chat.attaching import CITED_VERSION, attached_url
from chat.models import Citation, Turn
from chat.states import state_of
from project.markdown import render_markdown
from project.markdown_blocks import BlockClosed, BlockSplitter

MARKED = {
    "unsupported": _("not in its sources"),
    "partly": _("only partly in its sources"),
}
NOWHERE = "#"
"""The address of a citation whose node is gone."""


def citation_url(citation: Citation) -> str:
    """Return the address of the reading page of the cited version, at the passage."""
    if citation.version == CITED_VERSION:
        conversation = citation.turn.conversation_id
        return attached_url(conversation, citation.cited_id, citation.start, citation.end)
    if citation.node_id is None:
        return NOWHERE
    place = {
        "version": citation.version,
        "start": citation.start,
        "end": citation.end,
        **(state.query if (state := state_of(citation.turn)) is not None else {}),
    }
    return f"{reverse('node-page', args=[citation.node_id])}?{urlencode(place)}"


def render_answer(
    text: str, urls: Sequence[str], verification: dict[str, Any] | None = None
) -> str:
    """Render a text that cites `urls[0]` as `[1]`, and so on.

    With the `verification` of its turn, sentences that are not wholly supported are marked.
    """
    places = _places(text, verification)
    if not places:
        return render_markdown(text, citation_urls=urls)
    # Punctuation, so that emphasis before it still closes; made unlike anything in the text.
    sign = "⁅"
    while sign in text:
        sign += "⁅"
    for number, (place, _verdict) in reversed(list(enumerate(places))):
        text = f"{text[:place]}{sign}{number}⁆{text[place:]}"
    html = render_markdown(text, citation_urls=urls)
    return re.sub(f"{sign}(\\d+)⁆", lambda found: _mark(places[int(found[1])][1]), html)


def verdicts_of(turn: Turn | None) -> dict[str, Any] | None:
    """Return what is known of the sentences of a turn's answer, if they were checked."""
    return turn.trace.get("verification") if turn is not None else None


def _places(text: str, verification: dict[str, Any] | None) -> list[tuple[int, str]]:
    """Return where marks go, in order: behind sentences, inside the last cell of table rows."""
    places = []
    for each in (verification or {}).get("sentences", ()):
        place, verdict = each["end"], each["verdict"]
        if verdict not in MARKED or not 0 < place <= len(text):
            continue
        row = text[each["start"] : place].rstrip()
        if row.endswith("|") and row.startswith("|"):
            place = each["start"] + len(row[:-1].rstrip())
        places.append((place, verdict))
    return sorted(places)


def _mark(verdict: str) -> str:
    return format_html(
        ' <span class="claim-mark claim-{}" role="note">{}</span>', verdict, MARKED[verdict]
    )


def citation_urls(turn: Turn) -> list[str]:
    """Return the addresses of a turn's citations, in their order."""
    return [citation_url(each) for each in turn.citations.all()]


def answer_blocks(turn: Turn, text: str) -> list[tuple[str, str]]:
    """Return the blocks of a stored answer, each as its Markdown and its HTML."""
    splitter = BlockSplitter()
    urls = citation_urls(turn)
    return [
        (event.markdown, render_answer(event.markdown, urls))
        for event in [*splitter.feed(text), *splitter.finish()]
        if isinstance(event, BlockClosed)
    ]
