"""Answering: from a question to typed events. Knows no transport and writes nothing.

Direction: `marks`, `snippets`, `complexity`, `diversity`, `confidence`, `stated`, `evidence` (pure)
<- `budget`, `verifying`, `unknown` (pure) <- `composing`, `grounding`, `checking`, `judging` <-
`verify_stage`, `noting` <- `pipeline`.
"""

from chat.answering.grounding import warm_up
from chat.answering.pipeline import answer_turn

__all__ = ["answer_turn", "warm_up"]
