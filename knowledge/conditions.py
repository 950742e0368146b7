"""What a question may require and exclude."""

from dataclasses import dataclass, field
from enum import StrEnum


class Place(StrEnum):
    """Where a condition looks."""

    ANYWHERE = "anywhere"
    TITLE = "title"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to be there, or must not (`is_excluded`).

    `text` as typed. `is_exact` wants these very words in this order; otherwise any form of the one
    word will do. Of a tag, letters and accents in capitals or small make no difference.
    """

    text: str
    place: Place = Place.ANYWHERE
    is_excluded: bool = False
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a question; `exact` are folded words that nothing may stand in for."""

    every: tuple[Condition, ...]
    exact: frozenset[str] = field(default_factory=frozenset)
