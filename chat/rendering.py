"""Answers as HTML: Markdown blocks whose `[n]` marks lead to the cited passages."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.urls import reverse

from chat.models import Citation, Turn
from chat.states import state_of
from project.markdown import render_markdown
from project.markdown_blocks import BlockClosed, BlockSplitter

NOWHERE = "#"
"""The address of a citation whose node is gone."""


def citation_url(citation: Citation) -> str:
    """Return the address of the reading page of the cited version, at the passage."""
    if citation.node_id is None:
        return NOWHERE
    place = {
        "version": citation.version,
        "start": citation.start,
        "end": citation.end,
        **(state.query if (state := state_of(citation.turn)) is not None else {}),
    }
    return f"{reverse('node-page', args=[citation.node_id])}?{urlencode(place)}"


def render_answer(text: str, urls: Sequence[str]) -> str:
    """Render a text that cites `urls[0]` as `[1]`, and so on."""
    return render_markdown(text, citation_urls=urls)


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
