"""What a link, an image and a table cell may become.

A link leads to this site or opens a new tab. A picture is loaded from this site only: one from
elsewhere would tell its server what the reader reads (and lets an injected instruction carry
data out without a click), so it is shown as a link.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

LinkResolver = Callable[[str, str | None], str | None]
"""(title, heading or None) -> address of the node, or None where there is none to see."""

EXTERNAL_SCHEMES = frozenset({"http", "https"})
PLAIN_SCHEMES = frozenset({"mailto", "tel"})
EXTERNAL_REL = "noopener noreferrer nofollow"
# Browsers read a backslash as a slash and drop tabs and line breaks inside addresses. Written as
# "%5C" they mean nothing of the kind, but nobody has use for a path that begins so.
_DECEPTIVE = re.compile(r"[\x00-\x20\x7f\\]|^/%(?:5c|2f|0[9ad])", re.IGNORECASE)


def is_same_origin(url: str) -> bool:
    """Whether ``url`` is a path on this site (``/path``, never ``//host``)."""
    return url.startswith("/") and not url.startswith("//") and _DECEPTIVE.search(url) is None


def link_kind(url: str) -> str | None:
    """``internal``, ``external``, ``plain`` (mailto, tel) or None: not to be followed."""
    if _DECEPTIVE.search(url):
        return None
    if url.startswith("#") or is_same_origin(url):
        return "internal"
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    if parts.scheme.lower() in EXTERNAL_SCHEMES and parts.netloc:
        return "external"
    if parts.scheme.lower() in PLAIN_SCHEMES:
        return "plain"
    return None


def secure(state: StateCore) -> None:
    """Core rule: rewrite the links and pictures of every inline token.

    Where the environment has a list ``targets``, it gets what they led to before that.
    """
    targets: list[tuple[str, int]] | None = state.env.get("targets")
    for token in state.tokens:
        if token.type == "inline" and token.children:
            if targets is not None:
                targets.extend(_targets(token))
            token.children = _secured(state.md, token.children, state.env)
        elif token.type in ("th_open", "td_open"):
            _align(token)


def _targets(block: Token) -> list[tuple[str, int]]:
    """Where the links and pictures of a block lead, each with the first line of the block."""
    line = block.map[0] if block.map else 0
    names = {"link_open": "href", "image": "src"}
    return [
        (str(token.attrGet(names[token.type]) or ""), line)
        for token in block.children or []
        if token.type in names
    ]


def _secured(md: MarkdownIt, children: list[Token], env: Any) -> list[Token]:
    tokens: list[Token] = []
    kept: list[bool] = []  # for each open link: whether it stays a link
    for token in children:
        if token.type == "link_open":
            kept.append(_keep_link(token))
            if kept[-1]:
                tokens.append(token)
        elif token.type == "link_close":
            if kept.pop():
                tokens.append(token)
        elif token.type == "image":
            tokens.extend(_picture(md, token, env, inside_link=any(kept)))
        else:
            tokens.append(token)
    return tokens


def _keep_link(token: Token) -> bool:
    """Set the attributes of a link that may stay; False where only its text may."""
    kind = link_kind(str(token.attrGet("href") or ""))
    if kind == "external":
        token.attrSet("target", "_blank")
        token.attrSet("rel", EXTERNAL_REL)
    return kind is not None


def _picture(md: MarkdownIt, token: Token, env: Any, *, inside_link: bool) -> list[Token]:
    source = str(token.attrGet("src") or "")
    if is_same_origin(source):
        token.attrSet("loading", "lazy")
        return [token]
    renderer = md.renderer
    alt = ""
    if isinstance(renderer, RendererHTML):
        alt = renderer.renderInlineAsText(token.children, md.options, env)
    text = Token("text", "", 0, content=alt or (source if link_kind(source) else ""))
    opening = Token("link_open", "a", 1, attrs={"href": source})
    if inside_link or not _keep_link(opening):
        return [text]
    return [opening, text, Token("link_close", "a", -1)]


def _align(token: Token) -> None:
    """Replace the inline style of a table cell, which a strict CSP blocks, by a class."""
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrSet("class", "align-" + style.removeprefix("text-align:"))


def render_wiki_link(
    _renderer: object, tokens: list[Token], index: int, _options: object, env: Any
) -> str:
    """A link where the resolver knows the title, else the text marked as leading nowhere."""
    token = tokens[index]
    resolver: LinkResolver | None = env.get("link_resolver")
    url = resolver(token.meta["title"], token.meta["heading"]) if resolver else None
    text = escapeHtml(token.content)
    if url is not None and link_kind(url):
        return f'<a class="wiki-link" href="{escapeHtml(url)}">{text}</a>'
    missing = " wiki-link-missing" if resolver else ""
    return f'<span class="wiki-link{missing}">{text}</span>'


def render_citation(
    _renderer: object, tokens: list[Token], index: int, _options: object, env: Any
) -> str:
    """``[2]`` as a link to its address or ``#citation-2``, the number in ``data-citation``."""
    doc = f"{env['docId']}-" if env.get("docId") else ""
    urls = env.get("citation_urls") or ()
    parts = []
    for number in tokens[index].meta["numbers"]:
        url = urls[number - 1] if urls else f"#citation-{doc}{number}"
        parts.append(
            f'<a class="citation" href="{escapeHtml(url)}" data-citation="{number}">{number}</a>'
        )
    return "".join(parts)
