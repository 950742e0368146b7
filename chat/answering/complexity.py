"""Which questions get more context than others. Pure."""

import re

from chat.rewriting import content_words

MORE, MOST = 1.5, 2.0
LONG_WORDS = 18  # content words

# English and Portuguese: what asks to hold several things side by side.
_SEVERAL = re.compile(
    r"\b(?:compar\w+|contrast\w*|differ\w+|versus|vs|pros and cons|advantages?|trade-?offs?"
    r"|(?:list|name|tell me) all|all (?:the|of)|every|each of|step by step|overview|summar\w+"
    r"|diferen[cç]as?|vantage\w+|pr[oó]s e contras|list[ae]r? tod[oa]s|tod[oa]s (?:os|as)"
    r"|cada uma?|passo a passo|vis[aã]o geral|resum\w+)\b",
    re.IGNORECASE,
)


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
