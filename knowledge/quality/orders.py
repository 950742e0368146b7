"""Text that speaks to a language model instead of readers."""

from collections.abc import Iterator

from knowledge.quality.types import Finding, NodeState, finding
from project.guarding import signals_of

WORDS_SHOWN = 100  # characters


def order_findings(state: NodeState) -> Iterator[Finding]:
    """Yield that a text gives orders to whatever answers from it; once, with its strongest words.

    Nothing is blocked: manuals of such attacks are texts, too.
    """
    signals = signals_of(f"{state.title}\n{state.content}")
    if signals.is_suspect:
        strongest = max(signals.found, key=lambda each: each.weight)
        words = " ".join(strongest.found.split())[:WORDS_SHOWN]
        yield finding("gives_orders", words=words, rules=list(signals.rules), score=signals.score)
