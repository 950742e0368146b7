"""Fitting a prompt into a model's window. Tokens are estimated: four characters each."""

from collections.abc import Sequence

from chat import prompts
from chat.types import Passage, PastMessage, Recollection

CHARS_A_TOKEN = 4
HISTORY_TOKENS = 1200
PASSAGE_TOKENS = 3000
MEMORY_TOKENS = 300
PAST_MESSAGE_CHARS = 2000


def tokens_in(text: str) -> int:
    """Return about how many tokens a text has."""
    return -(-len(text) // CHARS_A_TOKEN)


def fit_history(history: Sequence[PastMessage]) -> list[PastMessage]:
    """Return the newest messages that fit, oldest first; long ones are cut in the middle."""
    kept: list[PastMessage] = []
    left = HISTORY_TOKENS
    for message in reversed(history):
        content = _shortened(message.content)
        left -= tokens_in(content)
        if left < 0:
            break
        kept.append(PastMessage(message.role, content))
    while kept and kept[-1].role == "assistant":
        kept.pop()  # an answer without its question says little
    return kept[::-1]


def fit_passages(passages: Sequence[Passage]) -> list[Passage]:
    """Return the best passages that fit, in their order; the first always."""
    kept: list[Passage] = []
    left = PASSAGE_TOKENS
    for passage in passages:
        cost = tokens_in(prompts.passage_text(len(kept) + 1, passage))
        if cost > left and kept:
            continue
        left -= cost
        kept.append(passage)
    return kept


def fit_memories(memories: Sequence[Recollection]) -> list[Recollection]:
    """Return the best memories that fit."""
    kept: list[Recollection] = []
    left = MEMORY_TOKENS
    for memory in memories:
        left -= tokens_in(memory.content)
        if left < 0:
            break
        kept.append(memory)
    return kept


def _shortened(text: str) -> str:
    if len(text) <= PAST_MESSAGE_CHARS:
        return text
    half = PAST_MESSAGE_CHARS // 2
    return f"{text[:half]} […] {text[-half:]}"
