"""The inline parser with source positions, and the product's own inline syntax.

markdown-it tells on which lines a block stands, but not where inside them a word stands. Here
each inline token carries ``meta["pos"]``: its offset in the block's inline content. Own syntax:
``[[wiki links]]`` and, where an answer has citations, ``[3]``.
"""

import re
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline, fragments_join
from markdown_it.token import Token

# [[Title]], [[Title#Heading]], [[Title|shown text]]; one line, no brackets inside.
WIKI_LINK = re.compile(
    r"\[\[(?P<title>[^\[\]|#\n]+)(?:#(?P<heading>[^\[\]|\n]+))?(?:\|(?P<text>[^\[\]\n]+))?\]\]"
)
# [1] or [1, 2], but not the text of a link or a reference.
CITATION = re.compile(r"\[(\d{1,3}(?:[ \t]*,[ \t]*\d{1,3})*)\](?![(\[])")


class PositionedState(StateInline):
    """A ``StateInline`` whose tokens remember where they began."""

    pending_start = 0

    def append_pending(self, text: str) -> None:
        if not self._pending and not self._pending_buffer:
            self.pending_start = self.pos
        super().append_pending(text)

    def pushPending(self) -> Token:  # noqa: N802 - overrides markdown-it's name
        token = super().pushPending()
        token.meta["pos"] = self.pending_start
        return token

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        token = super().push(ttype, tag, nesting)
        token.meta["pos"] = self.pos
        return token


class PositionedInline(ParserInline):
    """The stock inline parser on :class:`PositionedState`."""

    def parse(self, src: str, md: MarkdownIt, env: Any, tokens: list[Token]) -> list[Token]:
        state = PositionedState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def join_fragments(state: StateInline) -> None:
    """The stock ``fragments_join``, where a joined text begins where its first part began."""
    first: Token | None = None
    for token in state.tokens:
        if token.type != "text":
            first = None
        elif first is None:
            first = token
        else:
            token.meta["pos"] = first.meta.get("pos", 0)
    fragments_join(state)


def wiki_link(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - a markdown-it rule
    """``[[Title#Heading|text]]`` becomes one token with its parts in ``meta``."""
    if state.linkLevel or not state.src.startswith("[[", state.pos):
        return False
    match = WIKI_LINK.match(state.src, state.pos, state.posMax)
    if match is None or not match["title"].strip():
        return False
    if not silent:
        title = match["title"].strip()
        heading = (match["heading"] or "").strip() or None
        token = state.push("wiki_link", "", 0)
        token.meta |= {"title": title, "heading": heading, "length": len(match[0])}
        token.content = (match["text"] or "").strip() or title
    state.pos = match.end()
    return True


def citation(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 - a markdown-it rule
    """``[2]`` becomes a citation where the text has at least that many of them."""
    count = state.env.get("citations", 0)
    if not count or state.linkLevel or state.src[state.pos] != "[":
        return False
    match = CITATION.match(state.src, state.pos, state.posMax)
    if match is None:
        return False
    numbers = [int(number) for number in match[1].split(",")]
    if not all(1 <= number <= count for number in numbers):
        return False
    if not silent:
        # It must not begin a line: it belongs to the words before it.
        if state.pending != (words := state.pending.rstrip(" ")):
            state.pending = f"{words}\N{NARROW NO-BREAK SPACE}"
        token = state.push("citation", "", 0)
        token.content = match[0]
        token.meta["numbers"] = numbers
    state.pos = match.end()
    return True


def install(md: MarkdownIt) -> None:
    """Give ``md`` positioned inline tokens and the own syntax. Before any other plugin."""
    inline = PositionedInline()
    md.inline = inline
    inline.ruler2.at("fragments_join", join_fragments)
    inline.ruler.before("link", "wiki_link", wiki_link)
    inline.ruler.before("link", "citation", citation)
