"""Words and phrases that a space watches for."""

from collections.abc import Iterable
from dataclasses import dataclass

from project.guarding import folded_words


@dataclass(frozen=True, slots=True)
class Word:
    """A word or phrase as it was written, and whether it refuses a message."""

    phrase: str
    folded: str
    refuses: bool
    space: str = ""


def words_found(text: str, words: Iterable[Word]) -> list[Word]:
    """Return the words that a text holds, as whole words, whatever their case and accents.

    `folded` is what `folded_words` makes of a phrase.
    """
    view = folded_words(text)
    return [word for word in words if word.folded in view]
