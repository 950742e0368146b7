"""Where a version of a node comes from, and what became of it.

Modules import in one direction: graph, layout, drawing; tracing asks the database.
"""
