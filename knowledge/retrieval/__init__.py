"""Finding the passages and nodes that answer a question, of those a user may read.

1. `_scope`: the spaces, the permitted nodes as SQL, the generations and their models.
2. `_question`: the words of the question with their weights, and its language.
3. `_legs`: candidates of the vector and keyword legs with both signals of each, in one statement.
4. `_graph`: what relations lead to.
5. `_pipeline`: all of it in order; the fusion itself is `knowledge.ranking`.
6. `_search`: what callers use: nodes for a search, passages for an answer.

Modules import in that direction. The one gate, `Node.objects.searchable_by(user)`, is inside every
statement that yields a passage.
"""

from knowledge.retrieval._search import retrieve_passages, search

__all__ = ["retrieve_passages", "search"]
