"""The knobs of a search: their built-in values, what they may be, and what they do, for people.

A `Profile` is one setting of all of them. It is immutable and knows the stored version that it
comes from; the built-in one is version 0. Pure: `knowledge.profiles` reads the stored ones.
"""

from __future__ import annotations

import dataclasses
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

GROUPS: Final = {
    "weights": gettext_lazy("Meaning and words"),
    "words": gettext_lazy("Words side by side"),
    "around": gettext_lazy("Around the best"),
    "graph": gettext_lazy("Relations"),
    "rerank": gettext_lazy("Reranking"),
    "depth": gettext_lazy("Depth"),
}
"""The groups of knobs in the order that people see them."""


def knob(value: Any, low: float, high: float, group: str, label: Any, help_text: Any) -> Any:
    """Return a field of a profile with its built-in value, its bounds and its words."""
    about = {"low": low, "high": high, "group": group, "label": label, "help": help_text}
    return field(default=value, metadata=about)


@dataclass(frozen=True, slots=True)
class Profile:
    """One setting of all knobs, and the stored version that it comes from (0: built in)."""

    id: uuid.UUID | None = None
    version: int = 0
    readable_weight: float = knob(
        0.5,
        0.0,
        1.0,
        "weights",
        gettext_lazy("Weight of meaning"),
        gettext_lazy(
            "For a question in a language that the embedding model reads. Words have the rest of 1."
        ),
    )
    unreadable_weight: float = knob(
        0.2,
        0.0,
        1.0,
        "weights",
        gettext_lazy("Weight of meaning, unread language"),
        gettext_lazy("For a question in a language that the embedding model does not read."),
    )
    hashing_weight: float = knob(
        0.1,
        0.0,
        1.0,
        "weights",
        gettext_lazy("Weight of meaning, without a model"),
        gettext_lazy("While hashed words stand in for an embedding model."),
    )
    confidence: float = knob(
        2.0,
        0.0,
        8.0,
        "weights",
        gettext_lazy("Trust in near meaning"),
        gettext_lazy(
            "How much the weight of meaning grows with the similarity of the nearest passage. "
            "0: not at all."
        ),
    )
    confidence_from: float = knob(
        0.6,
        0.0,
        1.0,
        "weights",
        gettext_lazy("Meaning is near from"),
        gettext_lazy("The similarity of the nearest passage at which the weights are as above."),
    )
    literal_from: float = knob(
        0.3,
        0.0,
        0.99,
        "weights",
        gettext_lazy("Words are found from"),
        gettext_lazy(
            "The share of a question's words in one passage from which on meaning loses weight."
        ),
    )
    literal_share: float = knob(
        0.35,
        0.0,
        1.0,
        "weights",
        gettext_lazy("Loss of meaning to found words"),
        gettext_lazy("The share of its weight that meaning loses where one passage has all words."),
    )
    phrase_share: float = knob(
        0.2,
        0.0,
        1.0,
        "words",
        gettext_lazy("Share of phrases"),
        gettext_lazy("What words that stand side by side as in the question add to their match."),
    )
    feedback_nodes: int = knob(
        3,
        0,
        20,
        "around",
        gettext_lazy("Nodes of feedback"),
        gettext_lazy("How many of the best nodes the question moves towards. 0: none."),
    )
    feedback_share: float = knob(
        0.4,
        0.0,
        2.0,
        "around",
        gettext_lazy("Share of feedback"),
        gettext_lazy("How far the question moves towards the best nodes."),
    )
    neighbours: int = knob(
        4,
        1,
        20,
        "around",
        gettext_lazy("Neighbours"),
        gettext_lazy("How many of the nearest nodes one takes over scores from."),
    )
    neighbour_share: float = knob(
        0.25,
        0.0,
        1.0,
        "around",
        gettext_lazy("Share of neighbours"),
        gettext_lazy("The share of its score that a node takes over from its neighbours. 0: none."),
    )
    neighbourhood: int = knob(
        48,
        0,
        200,
        "around",
        gettext_lazy("Nodes looked at again"),
        gettext_lazy(
            "How many of the best nodes take part in feedback and in the exchange of scores."
        ),
    )
    graph_seeds: int = knob(
        5,
        0,
        20,
        "graph",
        gettext_lazy("Nodes relations start from"),
        gettext_lazy(
            "How many of the best nodes relations are followed from. 0: relations take no part."
        ),
    )
    graph_share: float = knob(
        0.1,
        0.0,
        1.0,
        "graph",
        gettext_lazy("Share of relations"),
        gettext_lazy("The share of a score that a relation leads on in a hybrid search."),
    )
    graph_full_share: float = knob(
        0.5,
        0.0,
        1.0,
        "graph",
        gettext_lazy("Share of relations, graph search"),
        gettext_lazy("The same in a search by relations."),
    )
    graph_damping: float = knob(
        0.6,
        0.05,
        0.95,
        "graph",
        gettext_lazy("Reach of relations"),
        gettext_lazy("How likely a walk over relations goes on instead of beginning anew."),
    )
    rerank_endpoint: str = knob(
        "",
        0,
        36,
        "rerank",
        gettext_lazy("Reranking model"),
        gettext_lazy(
            "Reads the best passages together with the question and orders them anew. Empty: none."
        ),
    )
    rerank_nodes: int = knob(
        20,
        2,
        100,
        "rerank",
        gettext_lazy("Nodes reranked"),
        gettext_lazy("How many of the best nodes the model reads."),
    )
    rerank_weight: float = knob(
        0.7,
        0.0,
        1.0,
        "rerank",
        gettext_lazy("Weight of reranking"),
        gettext_lazy("How much of a score comes from the reranking model."),
    )
    rerank_seconds: float = knob(
        3.0,
        0.1,
        30.0,
        "rerank",
        gettext_lazy("Seconds for reranking"),
        gettext_lazy("After which a search goes on without it."),
    )
    depth: int = knob(
        100,
        20,
        500,
        "depth",
        gettext_lazy("Passages of each leg"),
        gettext_lazy("How many passages meaning and words bring, at least."),
    )

    def values(self) -> dict[str, Any]:
        """Return the knobs by name."""
        return {name: getattr(self, name) for name in KNOBS}

    def with_values(self, **changes: Any) -> Profile:
        """Return the profile with other knobs, as checked ones of no stored version."""
        changed = {**self.values(), **checked(changes)}
        return Profile(**changed)

    def differences_to(self, other: Profile) -> dict[str, tuple[Any, Any]]:
        """Return the knobs that differ: the other's value and this one's."""
        mine, theirs = self.values(), other.values()
        return {name: (theirs[name], mine[name]) for name in KNOBS if mine[name] != theirs[name]}


KNOBS: Final[dict[str, dataclasses.Field[Any]]] = {
    each.name: each for each in dataclasses.fields(Profile) if each.metadata
}
"""The knobs by name; their metadata has low, high, group, label and help."""

BUILT_IN: Final = Profile()


def checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as knobs hold them. Raises ValueError, whose argument has texts by name."""
    problems: dict[str, str] = {}
    found: dict[str, Any] = {}
    for name, value in values.items():
        about = KNOBS.get(name)
        if about is None:
            problems[name] = _("There is no such knob.")
            continue
        try:
            found[name] = _fitting(about, value)
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise ValueError(problems)
    return found


def profile_from(
    values: Mapping[str, Any], *, profile_id: uuid.UUID | None = None, version: int = 0
) -> Profile:
    """Return stored knobs as a profile: one that is not stored has its built-in value.

    A stored name that this version of Acervo no longer has is left out.
    """
    known = {name: value for name, value in values.items() if name in KNOBS}
    return Profile(id=profile_id, version=version, **checked(known))


def _fitting(about: dataclasses.Field[Any], value: Any) -> Any:
    low, high = about.metadata["low"], about.metadata["high"]
    if isinstance(about.default, str):
        if not isinstance(value, str):
            raise ValueError(_("Give the id of a model endpoint, or nothing."))
        return _id_of(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not low <= value <= high:
        message = _("A number between %(low)s and %(high)s.")
        raise ValueError(message % {"low": low, "high": high})
    if isinstance(about.default, int):
        if value != int(value):
            raise ValueError(_("A whole number."))
        return int(value)
    return float(value)


def _id_of(text: str) -> str:
    if not text.strip():
        return ""
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        raise ValueError(_("Give the id of a model endpoint, or nothing.")) from None
