"""What is said when the knowledge base does not answer. Pure."""

import re
from collections.abc import Sequence

from chat.types import Passage
from project.inference.extractive_words import PHRASES

NEAREST = 3
_MARKUP = re.compile(r"([\\`*_\[\]<>])")
_WORDS = {
    "en": {
        "unknown": "I don't know: the knowledge base does not seem to answer this.",
        "nearest": "The nearest pages are:",
    },
    "pt": {
        "unknown": "Não sei: a base de conhecimento não parece responder a isso.",
        "nearest": "As páginas mais próximas são:",
    },
}


def unknown_answer(passages: Sequence[Passage], language: str) -> str:
    """Return that nothing is known, with links to the nearest nodes, in Portuguese or English."""
    spoken = "pt" if language.startswith("pt") else "en"
    if not passages:
        return f"{PHRASES[spoken]['nothing']} {PHRASES[spoken]['hint']}"
    nearest: dict[object, Passage] = {}
    for each in passages:
        nearest.setdefault(each.node, each)
    links = [f"- [{_escaped(each.title)}]({each.url})" for each in list(nearest.values())[:NEAREST]]
    words = _WORDS[spoken]
    return "\n\n".join([words["unknown"], words["nearest"], "\n".join(links)])


def _escaped(title: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(title.split()))
