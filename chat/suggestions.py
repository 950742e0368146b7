"""Questions that an empty chat proposes, from the spaces that the person may read."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from knowledge.models import Space

SHOWN = 6
FROM_ONE_SPACE = 6


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question and the space that proposes it."""

    text: str
    space: Space


def suggestions_for(spaces: Iterable[Space], language: str) -> list[Suggestion]:
    """Return the questions of `spaces` in `language`, taking turns between the spaces."""
    columns = [
        [
            Suggestion(text, space)
            for text in questions_in(space.suggested_questions, language)[:FROM_ONE_SPACE]
        ]
        for space in spaces
    ]
    return [each for row in zip_longest(*columns) for each in row if each is not None]


def questions_in(stored: Any, language: str) -> list[str]:
    """Return the questions for `language` from a list, or from lists by language.

    The language itself comes first ("pt-br"), then its family ("pt"), English, and any.
    """
    if isinstance(stored, dict):
        family = language.split("-")[0]
        by_code = {str(code).lower(): texts for code, texts in stored.items()}
        names = (language, family, *(c for c in by_code if c.split("-")[0] == family), "en")
        stored = next((by_code[name] for name in names if by_code.get(name)), None) or next(
            iter(by_code.values()), []
        )
    if not isinstance(stored, list):
        return []
    return [text.strip() for text in stored if isinstance(text, str) and text.strip()]
