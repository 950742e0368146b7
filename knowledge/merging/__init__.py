"""Comparing and merging: pure functions of two or three texts, sets, trees and states of nodes.

Nothing here knows the database. `ours` is the side of whoever merges, `theirs` the other one.
Modules import in one direction: settling; aligning; text, sets, tree, rows; nodes.
"""

from knowledge.merging.nodes import NodeConflict, NodeMerge, merge_nodes
from knowledge.merging.sets import merge_sets
from knowledge.merging.text import TextMerge, merge_texts
from knowledge.merging.tree import MISSING, TreeConflict, TreeMerge, merge_trees

__all__ = [
    "MISSING",
    "NodeConflict",
    "NodeMerge",
    "TextMerge",
    "TreeConflict",
    "TreeMerge",
    "merge_nodes",
    "merge_sets",
    "merge_texts",
    "merge_trees",
]
