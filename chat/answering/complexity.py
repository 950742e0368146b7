"""How demanding a question is: which tier of models it goes to, and how much context. Pure.

English and Portuguese. Points are counted for what makes a question hard, and against what makes it
a plain look-up; each with its reason, for the trace of the turn.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chat.answering.confidence import Confidence, is_small_talk
from chat.rewriting import content_words, leans
from chat.types import Passage, PastMessage
from project.inference.choices import Tier

MORE, MOST = 1.5, 2.0
LONG_WORDS = 18  # content words
SOME_WORDS = 10
SHORT_WORDS = 7
LONG_TALK = 6  # messages
SURE, UNSURE = 0.25, 0.08
"""Above the threshold of confidence: from where on retrieval is sure, up to where it is not."""
SPREAD = 4  # nodes among the nearest passages
COMPLEX_POINTS = 3

# English and Portuguese: what asks to hold several things side by side.
_SEVERAL = re.compile(
    r"\b(?:compar\w+|contrast\w*|differ\w+|versus|vs|pros and cons|advantages?|trade-?offs?"
    r"|(?:list|name|tell me) all|all (?:the|of)|every|each of|step by step|overview|summar\w+"
    r"|diferen[cç]as?|vantage\w+|pr[oó]s e contras|list[ae]r? tod[oa]s|tod[oa]s (?:os|as)"
    r"|cada uma?|passo a passo|vis[aã]o geral|resum\w+)\b",
    re.IGNORECASE,
)
# What asks for more than to be told: reasons, consequences, advice, reckoning.
_REASONING = re.compile(
    r"\b(?:why|explain\w*|how come|what if|impl(?:y|ies|ication\w*)|consequen\w+|recommend\w*"
    r"|should (?:we|i)|evaluat\w+|analy[sz]\w+|calculat\w+|estimat\w+|justif\w+|argu\w+|design"
    r"|plan|draft|por ?qu[eê]|expli[cq]\w+|e se|implica\w*|consequ[eê]ncia\w*|recomend\w*"
    r"|dev(?:o|emos)|avali\w+|analis\w+|calcul\w+|estim\w+|justifi\w+|argument\w+|planej\w+"
    r"|elabor\w+)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|unless|except|provided|assuming|given that|depend\w+|while|whereas|se|exceto|caso"
    r"|a menos que|desde que|supondo|dado que|depende\w*|enquanto)\b",
    re.IGNORECASE,
)
_LOOK_UP = re.compile(
    r"^\W*(?:who|when|where|which|what(?:'s| is| are| does)|how (?:much|many|long|often|far)|is|are"
    r"|does|do|can|may|quem|quando|onde|qual|quais|o que (?:é|são)|quant[oa]s?|é|são|pode\w*|posso"
    r"|tem|há)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Complexity:
    """The tier that a question goes to, and why."""

    tier: str
    points: int
    reasons: tuple[str, ...]

    @property
    def trace(self) -> dict[str, object]:
        """What the trace of a turn keeps."""
        return {"tier": self.tier, "points": self.points, "reasons": list(self.reasons)}


def complexity_of(
    question: str,
    *,
    history: Sequence[PastMessage] = (),
    passages: Sequence[Passage] = (),
    confidence: Confidence | None = None,
) -> Complexity:
    """Return how demanding a question is; without `confidence` its words and history decide."""
    if is_small_talk(question):
        return Complexity(Tier.SIMPLE, 0, ("small talk",))
    found = {
        **_points_of_words(question),
        **_points_of_history(question, history),
        **(_points_of_finds(passages, confidence) if confidence is not None else {}),
    }
    points = sum(found.values())
    tier = (
        Tier.COMPLEX if points >= COMPLEX_POINTS else Tier.MODERATE if points >= 0 else Tier.SIMPLE
    )
    return Complexity(tier, points, tuple(found))


def context_factor(question: str, tier: str = "") -> float:
    """Return by how much the budget grows for a question.

    1.5 when it compares, lists, sums up, asks twice or is long; 2 when two of these hold, or the
    conversation asks for the tier `complex`.
    """
    signs = (
        _SEVERAL.search(question) is not None,
        question.count("?") > 1,
        len(content_words(question)) >= LONG_WORDS,
    )
    if tier == "complex" or sum(signs) > 1:
        return MOST
    return MORE if any(signs) else 1.0


def _points_of_words(question: str) -> dict[str, int]:
    words = len(content_words(question))
    points: dict[str, int] = {}
    if words >= LONG_WORDS:
        points["long"] = 2
    elif words >= SOME_WORDS:
        points["rather long"] = 1
    if _SEVERAL.search(question):
        points["compares or lists"] = 2
    if _REASONING.search(question):
        points["asks for reasons"] = 2
    if _CONDITION.search(question):
        points["has conditions"] = 1
    if question.count("?") > 1:
        points["asks twice"] = 1
    if not points and words <= SHORT_WORDS and _LOOK_UP.match(question):
        points["short look-up"] = -1
    return points


def _points_of_history(question: str, history: Sequence[PastMessage]) -> dict[str, int]:
    if not history or not leans(question):
        return {}
    return {"leans on a long talk": 2} if len(history) >= LONG_TALK else {"leans on the talk": 1}


def _points_of_finds(passages: Sequence[Passage], confidence: Confidence) -> dict[str, int]:
    above = confidence.score - confidence.threshold
    points: dict[str, int] = {}
    if above >= SURE:
        points["found for sure"] = -1
    elif above < UNSURE:
        points["hardly found"] = 1
    best = max((each.score for each in passages), default=0.0)
    near = {each.node for each in passages if each.score >= 0.85 * best}
    if len(near) >= SPREAD:
        points["spread over many texts"] = 1
    return points
