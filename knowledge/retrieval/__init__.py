"""Finding the passages and nodes that answer a question, of those a user may read.

1. `_shelves`: the tables that hold passages; `_gate`: the gates as SQL, made once; `_scope`: the
   spaces, the permitted nodes as SQL, the generations and their models.
2. `_question`: the words of the question with their weights, and its language.
3. `_route`: whether to look at all that is permitted, or through an index; `_pruning`: which words
   make a candidate; `_vectors` and `_keywords`: the two legs; `_legs`: candidates of both, each
   with both signals, in one statement; `_open_legs`: the same where no filter is, prepared.
4. `_snapshot`: the scope of another state (a moment, a release, a proposal), what is counted in it;
   `_gaps`: versions of it that have no passages yet.
5. `_found`: what comes of it; `_states`: the question counted in the state that is searched.
6. `_graph`: what relations lead to.
7. `_gathering`: what the legs bring; `_fusing`: units of it as a profile says
   (`knowledge.ranking`); `_pipeline`: all of it in order, in one view of the database (`_view`);
   `_replay`: searches that are recorded once and ranked by many profiles.
8. `_showing`: the passages with their titles; `_search`: what callers use: nodes for a search,
   passages for an answer.
   `_cache`: the answers that still hold; `_asked` and `_warming`: those to have ready.
9. `_why`: why a node is not among them, asked of the same modules.

Modules import in that direction. The one gate is inside every statement that yields a passage:
`Node.objects.searchable_by(user)`, and for another state the spaces that the user may read today.
"""

from knowledge.retrieval._cache import SearchState, search_state, tally
from knowledge.retrieval._gate import spaces_gate
from knowledge.retrieval._replay import Recorded, record
from knowledge.retrieval._search import retrieve_passages, search
from knowledge.retrieval._warming import searches_changed, searches_warm
from knowledge.retrieval._why import why_not
from knowledge.retrieval._why_trace import Why

__all__ = [
    "Recorded",
    "SearchState",
    "Why",
    "record",
    "retrieve_passages",
    "search",
    "search_state",
    "searches_changed",
    "searches_warm",
    "spaces_gate",
    "tally",
    "why_not",
]
