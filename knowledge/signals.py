"""Signals with which apps above take part in what knowledge does. All are sent synchronously."""

from django.dispatch import Signal

versions_erased = Signal()
"""Sent inside the transaction of an erase for legal reasons, before a node itself is deleted.

Keyword arguments: `node_id` (UUID), `versions` (list of numbers; all of them for a whole node).
Receivers remove every copy of the text that they keep. What they raise stops the erase.
"""

dependents_asked = Signal()
"""Asks what stands on some nodes, before they are archived, deleted or changed by a merge.

Keyword arguments: `node_ids` (a frozenset of ids; the caller may see each of them) and `user`. Each
receiver returns a list of `knowledge.impact.Dependent`, counted for everybody, with examples that
`user` may open, and of what is somebody else's never more than the count. Must be quick: a few
indexed queries.
"""

lineage_asked = Signal()
"""Asks what became of some versions of a node, for the page that shows where they come from.

Keyword arguments: `node_id` (UUID), `versions` (a frozenset of their numbers; the caller may open
each of them) and `user`. Each receiver returns a list of `knowledge.lineage.graph.Follower`: what
`user` may open by name, what is somebody else's only counted. Must be quick: a few indexed queries.
"""

cocitations_asked = Signal()
"""Asks which nodes are cited together with one.

Keyword argument: `node_id` (UUID). Each receiver returns a `knowledge.relating.citing.CitedWith`:
counts alone, never who asked what. Must be quick, and bounded however often a node is cited.
"""
