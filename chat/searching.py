"""Words in conversations: what Postgres finds by them, and where they stand in a text.

Upper case and accents make no difference; a word finds those that begin with it, so that a list
can be narrowed while somebody types. Nothing is stemmed: people write in any language here.
"""

import re
from dataclasses import dataclass

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import models

MOST_WORDS = 8
AROUND = 60
"""Characters shown of a text before and after the first word that was found."""

_ACCENTED = "àáâãäåçèéêëìíîïñòóôõöùúûüýÿ"
_PLAIN = "aaaaaaceeeeiiiinooooouuuuyy"
_FOLDED = str.maketrans(_ACCENTED, _PLAIN)
_WORD = re.compile(r"\w+")


class Words(models.Func):
    """A text as a `tsvector` of its folded words; the expression of the index `message_words`."""

    template = (
        f"to_tsvector('simple', translate(lower(%(expressions)s), '{_ACCENTED}', '{_PLAIN}'))"
    )
    output_field = SearchVectorField()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an excerpt; `is_found` when it is one of the words that were looked for."""

    text: str
    is_found: bool


def words_of(text: str) -> list[str]:
    """Return the words to look for, folded; at most MOST_WORDS."""
    return [_fold(word) for word in _WORD.findall(text)[:MOST_WORDS]]


def query_of(word: str) -> SearchQuery:
    """Return what finds words that begin with `word`, one of `words_of`: letters and digits."""
    return SearchQuery(f"'{word}':*", config="simple", search_type="raw")


def excerpt(text: str, words: list[str]) -> list[Piece]:
    """Return the surroundings of the first of the words in `text`, in pieces; none without one."""
    places = list(found_in(text, words))
    if not places:
        return []
    first = max(0, places[0][0] - AROUND)
    last = min(len(text), places[0][1] + AROUND)
    if first:  # begin with a whole word
        space = text.find(" ", first, places[0][0])
        first = first if space < 0 else space + 1
    pieces, at = [Piece("… ", is_found=False)] if first else [], first
    for start, end in places:
        if end > last:
            break
        pieces += [Piece(text[at:start], is_found=False), Piece(text[start:end], is_found=True)]
        at = end
    tail = text[at:last] + (" …" if last < len(text) else "")
    return [each for each in [*pieces, Piece(tail, is_found=False)] if each.text]


def marked(text: str, words: list[str]) -> list[Piece]:
    """Return a whole text in pieces."""
    pieces, at = [], 0
    for start, end in found_in(text, words):
        pieces += [Piece(text[at:start], is_found=False), Piece(text[start:end], is_found=True)]
        at = end
    return [each for each in [*pieces, Piece(text[at:], is_found=False)] if each.text]


def found_in(text: str, words: list[str]) -> list[tuple[int, int]]:
    """Return where the beginnings of words in `text` are among `words`."""
    wanted = sorted(set(words), key=len, reverse=True)
    places = []
    for match in _WORD.finditer(text):
        folded = _fold(match[0])
        word = next((each for each in wanted if folded.startswith(each)), None)
        if word is not None:
            places.append((match.start(), match.start() + len(word)))
    return places


def _fold(text: str) -> str:
    return text.lower().translate(_FOLDED)
