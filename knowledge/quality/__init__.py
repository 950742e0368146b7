"""How good a text is: checks of any state of a node, and the score that follows.

1. `catalogue`: every kind of finding; `types`: the state that is checked, and findings.
2. `texts`, `sentences`, `readability`, `vocabulary`, `claims`, `contradictions`: pure.
3. `structure`, `links`, `duplicates`, `neighbours`, `clashes`: the checks, with what they read.
4. `checks`: all of them in order; `scoring`: points.

Modules import in that direction. Checks look at all of a space, drafts too: only its editors may
see what they say.
"""

from knowledge.quality.catalogue import CATALOGUE, Severity
from knowledge.quality.checks import checks_of
from knowledge.quality.scoring import score_of, space_scores, tone_of_score
from knowledge.quality.types import Finding, NodeState, finding_restored

__all__ = [
    "CATALOGUE",
    "Finding",
    "NodeState",
    "Severity",
    "checks_of",
    "finding_restored",
    "score_of",
    "space_scores",
    "tone_of_score",
]
