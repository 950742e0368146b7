"""How the texts of a kind are cut: a strategy by name, and its parameters.

Stored on kinds as JSON, ``{"strategy": "sentences", "sentences": 3}``; ``{}`` is the default.
``Cutting.key`` stands for both, so that passages remember how they were cut.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

MAX_TOKENS = 180  # MiniLM reads 256 word pieces: this leaves room for title and headings
READ_TOKENS = 256  # of title, headings and text together: the built-in model reads no more
DEFAULT = "structure"
CUTTER_VERSION = 1
"""Raised when the same cutting gives other passages than before."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number that a strategy takes."""

    name: str
    default: int
    least: int
    most: int
    title: str | Promise
    help: str | Promise


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to cut texts."""

    name: str
    title: str | Promise
    help: str | Promise
    parameters: tuple[Parameter, ...]


def _tokens(default: int = MAX_TOKENS) -> Parameter:
    return Parameter(
        "max_tokens",
        default,
        20,
        2000,
        gettext_lazy("tokens a passage"),
        gettext_lazy("About as many word pieces at most, or a fifth more where that cuts better."),
    )


_OVERLAP = Parameter(
    "overlap",
    0,
    0,
    500,
    gettext_lazy("overlap in tokens"),
    gettext_lazy("Up to how much of the passage before is repeated, from a sentence's beginning."),
)
STRATEGIES: dict[str, Strategy] = {
    each.name: each
    for each in (
        Strategy(
            "structure",
            gettext_lazy("Structure"),
            gettext_lazy(
                "One passage a section; a long one is cut at paragraphs, list items, table rows"
                " and sentences. Right for most texts."
            ),
            (_tokens(), _OVERLAP),
        ),
        Strategy(
            "heading",
            gettext_lazy("By heading"),
            gettext_lazy(
                "A section down to a level stays together with its subsections, up to the limit."
                " For texts with many short subsections."
            ),
            (
                Parameter(
                    "level", 2, 1, 6, gettext_lazy("heading level"),
                    gettext_lazy("Deeper headings do not begin a passage."),
                ),
                _tokens(360),
                _OVERLAP,
            ),
        ),
        Strategy(
            "whole",
            gettext_lazy("Whole text"),
            gettext_lazy(
                "The node is one passage up to the limit, and cut by structure beyond it."
                " For short notes that make sense only as a whole."
            ),
            (_tokens(360),),
        ),
        Strategy(
            "table_rows",
            gettext_lazy("Table rows"),
            gettext_lazy(
                "Each row of a table is a passage, with the table's header above it; other text is"
                " cut by structure. For price lists and registers."
            ),
            (
                Parameter(
                    "rows", 1, 1, 50, gettext_lazy("rows a passage"),
                    gettext_lazy("Fewer where they would be too long."),
                ),
                _tokens(),
            ),
        ),
        Strategy(
            "questions",
            gettext_lazy("Questions and answers"),
            gettext_lazy(
                "A question and its answer are a passage: headings and bold lines that end with a"
                " question mark, lines that begin with Q: or Question:, tables of questions. A long"
                " answer is cut, its question above each part."
            ),
            (_tokens(),),
        ),
        Strategy(
            "sentences",
            gettext_lazy("Window of sentences"),
            gettext_lazy(
                "A few sentences a passage, the last of which begin the next one."
                " For dense texts in which every sentence counts."
            ),
            (
                Parameter(
                    "sentences", 3, 1, 30, gettext_lazy("sentences a passage"),
                    gettext_lazy("Fewer where they would be too long."),
                ),
                Parameter(
                    "repeated", 1, 0, 29, gettext_lazy("repeated sentences"),
                    gettext_lazy("With which the next passage begins; fewer than a passage has."),
                ),
                _tokens(),
            ),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cutting:
    """A strategy with all its parameters."""

    strategy: str = DEFAULT
    values: tuple[tuple[str, int], ...] = field(
        default=tuple((each.name, each.default) for each in STRATEGIES[DEFAULT].parameters)
    )

    def get(self, name: str, default: int = 0) -> int:
        """A parameter; ``default`` for one that the strategy does not take."""
        return dict(self.values).get(name, default)

    @property
    def key(self) -> str:
        """Stands for what passages this gives: 16 letters, ``""`` for the default."""
        if self == Cutting() and CUTTER_VERSION == 1:
            return ""
        told = json.dumps([CUTTER_VERSION, self.strategy, sorted(self.values)])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """As kinds store it: without what is the default anyway."""
        usual = {each.name: each.default for each in STRATEGIES[self.strategy].parameters}
        changed = {name: value for name, value in self.values if usual[name] != value}
        return {} if self == Cutting() else {"strategy": self.strategy, **changed}


class CuttingFault(ValueError):
    """What is wrong with a cutting, by the name of the field."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in faults.items()))
        self.faults = dict(faults)


def cutting_of(value: Any) -> Cutting:
    """The cutting that a JSON value says. Raises ``CuttingFault``."""
    if not value:
        return Cutting()
    if not isinstance(value, Mapping):
        raise CuttingFault({"strategy": _("It has to be an object with a strategy.")})
    given = dict(value)
    name = given.pop("strategy", DEFAULT)
    strategy = STRATEGIES.get(name) if isinstance(name, str) else None
    if strategy is None:
        message = _("There is no such strategy. There are: %(names)s.")
        raise CuttingFault({"strategy": message % {"names": ", ".join(STRATEGIES)}})
    faults = {}
    values: list[tuple[str, int]] = []
    for each in strategy.parameters:
        number = given.pop(each.name, each.default)
        if isinstance(number, bool) or not isinstance(number, int):
            faults[each.name] = _("It has to be a whole number.")
        elif not each.least <= number <= each.most:
            message = _("It has to be from %(least)s to %(most)s.")
            faults[each.name] = message % {"least": each.least, "most": each.most}
        else:
            values.append((each.name, number))
    for other in given:
        known = ", ".join(each.name for each in strategy.parameters)
        message = _("The strategy %(name)s has no such parameter. It has: %(known)s.")
        faults[str(other)] = message % {"name": name, "known": known}
    cutting = Cutting(name, tuple(values))
    if not faults:
        faults = _contradictions(cutting)
    if faults:
        raise CuttingFault(faults)
    return cutting


def _contradictions(cutting: Cutting) -> dict[str, str]:
    if cutting.get("overlap") * 2 >= cutting.get("max_tokens"):
        return {"overlap": _("It has to be less than half of the tokens of a passage.")}
    if cutting.strategy == "sentences" and cutting.get("repeated") >= cutting.get("sentences"):
        return {"repeated": _("It has to be less than the sentences of a passage.")}
    return {}
