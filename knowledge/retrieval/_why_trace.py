"""A node on its way through a search: the stages, and the verdict."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.models import Node
from knowledge.retrieval._found import Found
from knowledge.retrieval._scope import Reader
from knowledge.types import SearchRequest


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the search and the node: `passed` is None for one that was not reached."""

    key: str
    name: str
    passed: bool | None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """The verdict: `stage` lost the node, or is `shown`. `numbers` are for programs."""

    node: uuid.UUID
    title: str
    stage: str
    stage_name: str
    words: str
    advice: str
    stages: tuple[Stage, ...]
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def is_found(self) -> bool:
        """Whether the search shows the node."""
        return self.stage == "shown"


@dataclass(slots=True)
class Trace:
    """A node on its way through a search."""

    node: Node
    request: SearchRequest
    user: Reader
    found: Found
    stages: list[Stage] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    def passed(self, key: str, words: str = "") -> None:
        """Note a stage that the node came through."""
        self.stages.append(Stage(key, stage_names()[key], passed=True, words=words))

    def lost(self, key: str, words: str, advice: str) -> bool:
        """Note the stage that lost the node; True: nothing else is to be looked at."""
        self.stages.append(Stage(key, stage_names()[key], passed=False, words=words))
        self.advice = advice
        return True


def stage_names() -> dict[str, str]:
    """Return the stages in their order."""
    return {
        "space": _("Space"),
        "state": _("Published and valid"),
        "filters": _("Filters"),
        "operators": _("Operators of the question"),
        "index": _("Index"),
        "legs": _("Candidates"),
        "min_score": _("Least score"),
        "limit": _("Rank"),
    }
