"""Markdown to safe HTML, to plain text, and to HTML with a cited passage marked.

The only place where Markdown becomes HTML. Raw HTML in the source is shown, never obeyed; the
result needs no inline style or script, loads nothing from another site, and is therefore safe
under a strict Content-Security-Policy for text of any origin: curated, uploaded or generated.
"""

import re
import threading
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

from project.markdown import _inline, _links, _passage
from project.markdown._inline import WIKI_LINK
from project.markdown._links import LinkResolver
from project.markdown._passage import SourceLines, source_places
from project.markdown._sanitise import sanitise

__all__ = [
    "WIKI_LINK",
    "LinkResolver",
    "heading_slug",
    "link_targets",
    "parse_tokens",
    "plain_text",
    "render_markdown",
    "render_passage",
    "source_spans",
]

_local = threading.local()
_LINKED = re.compile(r"\][(\[:]|://|@|<\w+:")  # every form of a link or picture has one of these


def render_markdown(
    text: str,
    *,
    link_resolver: LinkResolver | None = None,
    citations: int = 0,
    citation_urls: Sequence[str] = (),
    doc_id: str = "",
    heading_ids: bool = False,
) -> str:
    """Render Markdown as safe HTML.

    ``link_resolver(title, heading)`` gives the address of a ``[[wiki link]]``, or None; without
    a resolver wiki links are shown as their text. ``citations``: how many citations the text
    may point to; ``[1]`` up to ``[citations]`` become ``<a class="citation" data-citation="1"
    href="#citation-1">``. ``citation_urls``: the addresses of the citations, instead of their
    number and of those anchors. ``doc_id`` keeps the anchors of several texts on one page apart.
    ``heading_ids`` gives headings the id ``h-`` + :func:`heading_slug`.
    """
    count = len(citation_urls) or citations
    env = _environment(link_resolver, count, doc_id, heading_ids=heading_ids)
    env["citation_urls"] = citation_urls
    return sanitise(_parser().render(text, env))


def render_passage(
    text: str,
    start: int,
    end: int,
    *,
    link_resolver: LinkResolver | None = None,
) -> str:
    """Render ``text`` with the passage ``text[start:end]`` inside ``<mark class="passage">``.

    A passage over several blocks has several marks; the first has ``id="passage"``. Offsets
    outside the text are clamped; an empty passage marks nothing. Headings have ids.
    """
    env = _environment(link_resolver, 0, "", heading_ids=True)
    start, end = max(0, start), min(len(text), end)
    # The parser reads "\r\n" and "\r" as one line break: count in its offsets.
    start -= text.count("\r\n", 0, start)
    end -= text.count("\r\n", 0, end)
    if start < end:
        env["passage"] = (start, end)
    return sanitise(_parser().render(text, env))


def plain_text(text: str) -> str:
    """The words of a Markdown text, one line a block, without markup. For snippets and models."""
    lines: list[str] = []
    cells: list[str] = []
    in_row = False
    for token in parse_tokens(text):
        if token.type == "tr_open":
            in_row, cells = True, []
        elif token.type == "tr_close":
            in_row = False
            lines.append(" | ".join(cell for cell in cells if cell))
        elif token.type == "inline":
            (cells if in_row else lines).append(_inline_text(token.children or []))
        elif token.type in ("fence", "code_block"):
            lines.append(token.content.rstrip("\n"))
    return "\n".join(line for line in lines if line.strip())


def source_spans(text: str, token_type: str) -> Iterator[tuple[Token, int, int]]:
    """The inline tokens of a type that knows its length, with their offsets in ``text``."""
    unified = text.replace("\r\n", "\n")
    breaks = [] if unified == text else _shortened_breaks(text)
    source = SourceLines(unified.replace("\r", "\n"))
    every_line = range(len(source.lines))
    for block, places in source_places(parse_tokens(text), source, every_line):
        for token in block.children or []:
            if token.type == token_type:
                first = token.meta["pos"]
                start, last = places[first], places[first + token.meta["length"] - 1]
                shift = bisect_left(breaks, start)
                yield token, start + shift, last + 1 + shift


def _shortened_breaks(text: str) -> list[int]:
    """Where each line break of two characters stands once every one of them has one."""
    return [match.start() - index for index, match in enumerate(re.finditer("\r\n", text))]


def link_targets(text: str) -> list[tuple[str, int]]:
    """Where the links and pictures lead, also those that are not shown as such, in order.

    Each with the number of the line, from 0, that its block begins on.
    """
    if _LINKED.search(text) is None:
        return []
    targets: list[tuple[str, int]] = []
    _parser().parse(text, {"targets": targets})
    return targets


def parse_tokens(text: str) -> list[Token]:
    """The parsed blocks of ``text``; inline tokens carry their offset in ``meta["pos"]``."""
    return _parser().parse(text, {})


def heading_slug(text: str) -> str:
    """The anchor of a heading: lower case, accents folded, words joined by hyphens."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", folded.lower()).strip("-")[:80] or "section"


def _environment(
    link_resolver: LinkResolver | None, citations: int, doc_id: str, *, heading_ids: bool
) -> dict[str, Any]:
    env: dict[str, Any] = {"citations": citations, "heading_ids": heading_ids}
    if link_resolver is not None:
        env["link_resolver"] = link_resolver
    if doc_id:
        env["docId"] = re.sub(r"[^\w-]", "", doc_id)
    return env


def _parser() -> MarkdownIt:
    """This thread's parser: linkify keeps its last match on itself, so threads cannot share."""
    if not hasattr(_local, "parser"):
        _local.parser = _build()
    parser: MarkdownIt = _local.parser
    return parser


def _build() -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False, "linkify": True})
    _inline.install(md)
    md.enable(["table", "strikethrough", "linkify"])
    # "main.py" and "node.js" are no addresses: link only what says http:// or is an e-mail.
    if md.linkify is not None:
        md.linkify.set({"fuzzy_link": False})
    footnote_plugin(md, inline=False)
    tasklists_plugin(md)
    md.core.ruler.before("linkify", "mark_passage", _passage.mark_passage)
    md.core.ruler.push("secure_links", _links.secure)
    md.core.ruler.push("heading_ids", _add_heading_ids)
    md.add_render_rule("wiki_link", _links.render_wiki_link)
    md.add_render_rule("citation", _links.render_citation)
    md.add_render_rule("fence", _passage.render_code)
    md.add_render_rule("code_block", _passage.render_code)
    return md


def _add_heading_ids(state: StateCore) -> None:
    if not state.env.get("heading_ids"):
        return
    seen: dict[str, int] = {}
    for opening, inline in zip(state.tokens, state.tokens[1:], strict=False):
        if opening.type != "heading_open":
            continue
        slug = heading_slug(_inline_text(inline.children or []))
        seen[slug] = seen.get(slug, 0) + 1
        opening.attrSet("id", f"h-{slug}" if seen[slug] == 1 else f"h-{slug}-{seen[slug]}")


def _inline_text(children: list[Token]) -> str:
    parts: list[str] = []
    for token in children:
        if token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif token.type == "image":
            parts.append(_inline_text(token.children or []))
        elif token.type not in ("html_inline", "footnote_ref"):
            parts.append(token.content)
    return " ".join("".join(parts).split())
