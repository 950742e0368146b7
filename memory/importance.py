"""How much an episode matters: a number from 0 to 1, made of signals that a person can read.

No model is asked. The signals are the ones that the literature on long-term memory agrees on:
what someone asks to have remembered, what they say of themselves, commitments with a date, names
and numbers, and how much was said; small talk weighs less.
"""

import re
from dataclasses import dataclass

_REMEMBER = re.compile(
    r"\b(remember|don'?t forget|keep in mind|note that|lembre(-se)?|n[ãa]o (se )?esque[çc]a|"
    r"anote|guarde|tenha em mente)\b",
    re.IGNORECASE,
)
_SELF = re.compile(
    r"\b(my name is|i am|i'm|i live|i work|i prefer|i like|i hate|i need|i always|i never|"
    r"my \w+ is|call me|meu nome|minha?\b|eu sou|sou (o|a|um|uma)\b|moro|trabalho|prefiro|gosto|"
    r"odeio|preciso|me chamo|sempre|nunca)\b",
    re.IGNORECASE,
)
_COMMITMENT = re.compile(
    r"\b(deadline|due|appointment|meeting|promise[ds]?|agreed|decided|will|prazo|vence|reuni[ãa]o|"
    r"compromisso|combinamos|combinado|decidimos|vou|vamos)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}([/.]\d{2,4})?|\d{1,2}[:h]\d{2}|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|next week|"
    r"segunda|ter[çc]a|quarta|quinta|sexta|s[áa]bado|domingo|amanh[ãa]|semana que vem)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
_NAME = re.compile(r"(?<![.!?]\s)(?<!^)\b[A-ZÀ-Ý][a-zà-ÿ]{2,}\b", re.MULTILINE)
_SMALL_TALK = re.compile(
    r"\A\W*(hi|hello|hey|thanks?|thank you|ok(ay)?|bye|good (morning|afternoon|evening|night)|"
    r"oi|ol[áa]|obrigad[oa]|valeu|tchau|bom dia|boa (tarde|noite)|tudo bem)\W*\Z",
    re.IGNORECASE,
)

WEIGHTS = {
    "asked_to_remember": 0.35,
    "about_the_person": 0.2,
    "commitment": 0.12,
    "date": 0.08,
    "numbers": 0.05,
    "names": 0.07,
    "length": 0.13,
}
BASE = 0.2
SMALL_TALK = 0.05


@dataclass(frozen=True, slots=True)
class Importance:
    """A score from 0 to 1 and the share that each signal has in it."""

    score: float
    signals: dict[str, float]


def importance_of(text: str) -> Importance:
    """Return how much a text matters as a memory; the same text always scores the same."""
    stripped = text.strip()
    if not stripped or _SMALL_TALK.match(stripped):
        return Importance(SMALL_TALK, {"small_talk": SMALL_TALK})
    strengths = {
        "asked_to_remember": float(bool(_REMEMBER.search(stripped))),
        "about_the_person": min(1.0, len(_SELF.findall(stripped)) / 2),
        "commitment": float(bool(_COMMITMENT.search(stripped))),
        "date": float(bool(_DATE.search(stripped))),
        "numbers": float(bool(_NUMBER.search(stripped))),
        "names": min(1.0, len(_NAME.findall(stripped)) / 3),
        "length": min(1.0, len(stripped) / 600),
    }
    signals = {"base": BASE}
    signals |= {
        name: round(WEIGHTS[name] * strength, 4) for name, strength in strengths.items() if strength
    }
    return Importance(round(min(1.0, sum(signals.values())), 4), signals)
