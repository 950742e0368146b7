"""What the trace of a turn says about signs of orders to the model."""

from collections.abc import Sequence
from typing import Any

from chat.types import Passage
from project.guarding import Signals, signals_of

MOST_FOUND = 5


def guard_trace(
    question: str, passages: Sequence[Passage], words: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what was found in a question and in the passages of its prompt; empty for nothing.

    `words` are those of the space's list that only mark a message.
    """
    trace: dict[str, Any] = {}
    if words:
        trace["words"] = list(words)
    asked = signals_of(question)
    if asked.found:
        trace["message"] = _noted(asked)
    suspects = []
    for passage in passages:
        signals = passage_signals(passage)
        if signals.is_suspect:
            place = {"node": str(passage.node), "title": passage.title, "chunk": str(passage.chunk)}
            suspects.append(place | _noted(signals))
    if suspects:
        trace["passages"] = suspects
    return trace


def passage_signals(passage: Passage) -> Signals:
    """Return the signals of all that a prompt shows of a passage."""
    return titled_signals(passage.title, passage.heading_path, passage.text)


def titled_signals(title: str, heading_path: Sequence[str], content: str) -> Signals:
    """Return the signals of a text with what stands above it."""
    return signals_of("\n".join((title, *heading_path, content)))


def _noted(signals: Signals) -> dict[str, Any]:
    found = [each.found for each in signals.found[:MOST_FOUND]]
    return {"score": signals.score, "rules": list(signals.rules), "found": found}
