"""Writing what a checked archive holds, in the caller's transaction: what is here already stays.

Modules import in one direction: groundwork, sources, nodes, relations.
"""
