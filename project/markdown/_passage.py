"""Marking a passage: from character offsets in the source to ``<mark>`` in the HTML.

The marks are put on the parsed tokens, never into the source or the HTML text: a passage may
begin and end anywhere, also inside a list marker, a table or a code block, without changing what
the Markdown means. Text is split exactly at the offsets; what has no text of its own length in
the source (inline code, pictures, wiki links) is marked whole.
"""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from project.markdown._code import coloured

MARK_ID = "passage"
_CODE = frozenset({"fence", "code_block"})
_LEAVES = frozenset(
    {"text", "text_special", "code_inline", "softbreak", "hardbreak", "image", "wiki_link",
     "citation", "footnote_ref"}
)  # fmt: skip


class SourceLines:
    """The lines of a source and the offset at which each begins."""

    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.lines)]

    def number_at(self, offset: int) -> int:
        """The line that holds ``offset``."""
        return min(bisect_right(self.starts, offset) - 1, len(self.lines) - 1)


def mark_passage(state: StateCore) -> None:
    """Core rule: mark ``env["passage"]``, (start, end) offsets into ``state.src``."""
    if "passage" not in state.env:
        return
    start, end = state.env["passage"]
    source = SourceLines(state.src)
    lines = range(source.number_at(start), source.number_at(end - 1) + 1)
    places = {id(token): at for token, at in source_places(state.tokens, source, lines)}
    for token in state.tokens:
        if id(token) in places:
            inner = [i for i, at in enumerate(places[id(token)][:-1]) if start <= at < end]
            if inner:
                _mark_children(token, inner[0], inner[-1] + 1, state.env)
        elif token.type in _CODE and token.map is not None:
            _mark_code(token, source, start, end, state.env)


def source_places(
    tokens: list[Token], source: SourceLines, lines: range
) -> Iterator[tuple[Token, list[int]]]:
    """The inline tokens on ``lines`` with the source offset of each character, and of the end."""
    cell_cursor: dict[int, int] = {}  # line of a table -> column after the last cell found
    for token in tokens:
        if token.type != "inline" or not token.children or token.map is None:
            continue
        first, end = token.map
        if first < lines.stop and max(end, first + 1) > lines.start:
            yield token, _inline_places(token, source, cell_cursor)


def _inline_places(token: Token, source: SourceLines, cursor: dict[int, int]) -> list[int]:
    """Source offset of each character of the token's content, and of its end."""
    assert token.map is not None
    first = token.map[0]
    places: list[int] = []
    for number, text in enumerate(token.content.split("\n"), start=first):
        if places:
            places.append(source.starts[number] - 1)  # the line break
        line = source.lines[min(number, len(source.lines) - 1)]
        raw = text.replace("|", "\\|") if text not in line else text
        column = line.find(raw, cursor.get(number, 0))
        if column < 0:  # tabs were widened: the nearest truth is the start of the line
            raw, column = text, len(line) - len(line.lstrip())
        cursor[number] = column + len(raw)
        place = source.starts[number] + column
        for character in text:
            if character == "|" and raw is not text:
                place += 1
            places.append(place)
            place += 1
    places.append((places[-1] + 1) if places else source.starts[first])
    return places


def _mark_children(token: Token, start: int, end: int, env: Any) -> None:
    """Wrap the children between two offsets of the token's content in mark tokens."""
    children = token.children or []
    spans = _child_spans(token, children)
    marked: list[Token] = []
    is_open = False
    for child, span in zip(children, spans, strict=True):
        selected = span is not None and span[0] < end and span[1] > start
        if is_open and not selected:
            marked.append(_mark_close(marked[-1]))
            is_open = False
        if not selected or span is None:
            marked.append(child)
            continue
        before, inside, after = _split(child, span[0], start, end)
        marked.extend(before)
        if not is_open:
            marked.append(_mark_open(env, child.level))
            is_open = True
        marked.extend(inside)
        if after:
            marked.append(_mark_close(child))
            is_open = False
            marked.extend(after)
    if is_open:
        marked.append(_mark_close(marked[-1]))
    token.children = marked


def _child_spans(token: Token, children: list[Token]) -> list[tuple[int, int] | None]:
    """Where each child's text stands in the content; None for markup."""
    spans: list[tuple[int, int] | None] = [None] * len(children)
    following = len(token.content)
    for index in range(len(children) - 1, -1, -1):
        child = children[index]
        if "pos" not in child.meta:
            continue
        position: int = child.meta["pos"]
        if child.type == "text" and not token.content.startswith(child.content, position):
            # a task list cut its "[ ]" off, or an address was written in its normal form
            found = token.content.find(child.content, position)
            position = found if found >= 0 else position
        if child.type == "text":
            spans[index] = (position, position + len(child.content))
        elif child.type in _LEAVES:
            spans[index] = (position, max(following, position + 1))
        following = position
    return spans


def _split(
    child: Token, position: int, start: int, end: int
) -> tuple[list[Token], list[Token], list[Token]]:
    """The parts of a leaf before, inside and after the passage. Only text is cut."""
    if child.type != "text":
        return [], [child], []
    left = max(0, start - position)
    right = min(len(child.content), end - position)
    parts = child.content[:left], child.content[left:right], child.content[right:]
    before, inside, after = ([_text(part, child)] if part else [] for part in parts)
    return before, inside, after


def _text(content: str, like: Token) -> Token:
    return Token("text", "", 0, content=content, level=like.level)


def _mark_close(inside: Token) -> Token:
    """The end of a mark, on the level of what it holds (linkify walks links by level)."""
    return Token("mark_close", "mark", -1, level=inside.level)


def _mark_open(env: Any, level: int = 0) -> Token:
    """An opening mark; the first of a document carries the id the page scrolls to."""
    attrs: dict[str, str | int | float] = {"class": "passage"}
    if not env.get("passage_marked"):
        attrs = {"id": MARK_ID, **attrs}
        env["passage_marked"] = True
    return Token("mark_open", "mark", 1, attrs=attrs, level=level)


def _mark_code(token: Token, source: SourceLines, start: int, end: int, env: Any) -> None:
    """Note in ``meta`` which part of a code block the passage covers."""
    assert token.map is not None
    first = token.map[0] + (1 if token.type == "fence" else 0)
    offset = 0
    covered: list[int] = []
    for number, text in enumerate(token.content.removesuffix("\n").split("\n"), start=first):
        if number >= len(source.lines):
            break
        place = source.starts[number] + max(0, len(source.lines[number]) - len(text))
        left, right = max(start, place), min(end, place + len(text))
        if left < right:
            covered += [offset + left - place, offset + right - place]
        offset += len(text) + 1
    if covered:
        token.meta["mark"] = (covered[0], covered[-1], _mark_open(env).attrs)


def render_code(
    _renderer: object, tokens: list[Token], index: int, _options: object, _env: object
) -> str:
    """A code block, with the passage marked inside it."""
    token = tokens[index]
    language = unescapeAll(token.info).strip().split(maxsplit=1)[0] if token.info.strip() else ""
    attribute = f' class="language-{escapeHtml(language)}"' if language else ""
    code = token.content
    if "mark" not in token.meta:
        (html,) = coloured(code, language)
    else:
        start, end, attrs = token.meta["mark"]
        names = "".join(f' {name}="{value}"' for name, value in attrs.items())
        before, passage, after = coloured(code, language, (start, end))
        html = f"{before}<mark{names}>{passage}</mark>{after}"
    return f"<pre><code{attribute}>{html}</code></pre>\n"
