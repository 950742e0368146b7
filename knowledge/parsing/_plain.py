"""Markdown, plain text and HTML pages: one page each."""

from collections.abc import Iterator

from knowledge.parsing._html import html_to_markdown
from knowledge.parsing._text import clean, decode, front_matter
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits


def read_markdown(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """The text as it stands; YAML front matter becomes metadata, its ``title`` the title."""
    metadata, text = front_matter(clean(decode(data)))
    title = metadata.pop("title", "")
    info = {"title": str(title or ""), "metadata": metadata}
    yield RawPage(index=0, total=1, markdown=text, info=info)


def read_text(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """The text as it stands: plain text is Markdown without markup."""
    yield RawPage(index=0, total=1, markdown=clean(decode(data)))


def read_html(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """The main part of the page."""
    markdown, found = html_to_markdown(data)
    info = {"title": found.pop("title", ""), "metadata": found}
    yield RawPage(index=0, total=1, markdown=markdown, info=info)
