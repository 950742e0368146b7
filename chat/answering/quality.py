"""Whether an answer is worth asking a more capable model for another. Pure.

English and Portuguese. What is found here is about the whole answer and costs under a millisecond;
sentence by sentence it is checked later (`verify_stage`).
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

from chat.rewriting import content_words
from chat.types import Passage

Fault = Literal["", "cut", "empty", "refusal", "off topic", "no citation"]

STEM = 5
FEW_WORDS = 6
LEAST_SHARED = 0.15
"""Share of an answer's words that the passages must have, where none is of the question."""
_BEGINNING = 240  # characters
_REFUSES = re.compile(
    r"\b(?:i(?:['’]m| am) (?:sorry|unable|not able)\b.{0,40}\b(?:can(?:no|['’])t|unable|not able"
    r"|help|assist)|i can(?:not|['’]t) (?:help|assist|answer|provide|comply|do that|share)"
    r"|i(?:['’]m| am) (?:unable|not able) to|as an? (?:ai|artificial|language model)"
    r"|(?:desculp\w+|lamento|sinto muito)\b.{0,40}\bn[aã]o (?:posso|consigo)"
    r"|n[aã]o (?:posso|consigo) (?:ajudar|responder|fornecer|atender)"
    r"|como (?:uma? )?(?:ia\b|intelig[eê]ncia artificial|modelo de linguagem))",
    re.IGNORECASE | re.DOTALL,
)
_KNOWS_NOTHING = re.compile(
    r"\b(?:(?:knowledge base|passages?|sources?|documents?|texts?|context)"
    r" (?:do(?:es)?(?: not|n['’]t)|say nothing|ha(?:s|ve) no)"
    r"|no (?:information|mention|answer)|(?:could|can)(?: not|not|n['’]t) find"
    r"|i do(?: not|n['’]t) know|not (?:mentioned|specified|stated)"
    r"|(?:base de conhecimento|trechos?|passage(?:m|ns)|fontes?|documentos?|textos?) n[aã]o"
    r"|n[aã]o (?:h[aá]|encontrei|consta|sei|existe) ?(?:informa\w*|men[cç]\w*|resposta)?"
    r"|nenhuma (?:informa\w*|men[cç]\w*))",
    re.IGNORECASE,
)


def fault_of(
    answer: str,
    *,
    question: str,
    passages: Sequence[Passage],
    cited: int,
    finish_reason: str,
    needs_source: bool,
    is_sure: bool,
) -> Fault:
    """Return what is wrong with an answer, "" when nothing is.

    `needs_source` says that it should cite: passages were sent, and the question is one of
    knowledge. That nothing is known is a fault only where retrieval `is_sure`: elsewhere it is
    what a model is told to say.
    """
    if not answer.strip():
        return "empty"
    if finish_reason == "length":
        return "cut"
    if cited:
        return "off topic" if is_off_topic(answer, question, passages) else ""
    if _REFUSES.search(answer[:_BEGINNING]):
        return "refusal"
    if not needs_source:
        return ""
    if _KNOWS_NOTHING.search(answer):
        return "refusal" if is_sure else ""
    return "off topic" if is_off_topic(answer, question, passages) else "no citation"


def is_off_topic(answer: str, question: str, passages: Sequence[Passage]) -> bool:
    """Whether an answer shares no word with the question and next to none with the passages.

    Words are compared by their beginnings, without accents. Short answers never are.
    """
    said = _stems(answer)
    if len(said) < FEW_WORDS or said & _stems(question):
        return False
    known = _stems(" ".join(f"{each.title} {each.text}" for each in passages))
    return bool(known) and len(said & known) < LEAST_SHARED * len(said)


def _stems(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(char for char in plain if not unicodedata.combining(char))
    return {word[:STEM] for word in content_words(folded)}
