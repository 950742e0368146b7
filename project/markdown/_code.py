"""Code with its words in colours: spans with a class for each kind of word.

Languages are a short list and texts are short, because a lexer is a pile of regular expressions
and the text may be anybody's.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby, pairwise
from typing import Any

from markdown_it.common.utils import escapeHtml

LONGEST = 10_000
"""Characters of a block that is coloured."""

_LEXERS = {
    "bash": "bash", "sh": "bash", "shell": "bash", "c": "c", "c++": "cpp", "cpp": "cpp",
    "cs": "csharp", "csharp": "csharp", "css": "css", "diff": "diff", "dockerfile": "docker",
    "go": "go", "html": "html", "ini": "ini", "java": "java", "javascript": "javascript",
    "js": "javascript", "json": "json", "kotlin": "kotlin", "php": "php",
    "powershell": "powershell", "py": "python", "python": "python", "r": "r", "ruby": "ruby",
    "rust": "rust", "sql": "sql", "swift": "swift", "toml": "toml", "ts": "typescript",
    "typescript": "typescript",
    "xml": "xml", "yaml": "yaml", "yml": "yaml",
}  # fmt: skip
_KINDS = (  # the first that fits
    ("Token.Comment", "c"),
    ("Token.Keyword", "k"),
    ("Token.Literal.String", "s"),
    ("Token.Literal.Number", "n"),
    ("Token.Name.Function", "f"),
    ("Token.Name.Class", "f"),
    ("Token.Name.Tag", "k"),
    ("Token.Name.Attribute", "f"),
    ("Token.Name.Builtin", "b"),
    ("Token.Name.Decorator", "b"),
    ("Token.Generic.Deleted", "d"),
    ("Token.Generic.Inserted", "i"),
)


def coloured(code: str, language: str, cuts: Sequence[int] = ()) -> list[str]:
    """Return `code` as HTML, in pieces between the offsets `cuts`, which rise.

    In colours when its language is known and it is not too long. No span crosses a cut.
    """
    name = _LEXERS.get(language.lower())
    bounds = [0, *cuts, len(code)]
    if name is None or len(code) > LONGEST:
        return [escapeHtml(code[low:high]) for low, high in pairwise(bounds)]
    letters = _letters(code, name)
    return ["".join(_spans(code, letters, low, high)) for low, high in pairwise(bounds)]


def _letters(code: str, name: str) -> list[str]:
    """Return the kind of each character; none where the lexer changed the text."""
    tokens = list(_lexer(name).get_tokens(code))
    if "".join(text for _kind, text in tokens) != code:
        return [""] * len(code)
    return [letter for kind, text in tokens for letter in [_letter(str(kind))] * len(text)]


def _spans(code: str, letters: list[str], low: int, high: int) -> Iterator[str]:
    at = low
    for letter, group in groupby(letters[low:high]):
        end = at + sum(1 for _each in group)
        text = escapeHtml(code[at:end])
        yield f'<span class="code-{letter}">{text}</span>' if letter else text
        at = end


@cache
def _letter(kind: str) -> str:
    return next((letter for prefix, letter in _KINDS if kind.startswith(prefix)), "")


@cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)
