"""The metadata of nodes: what a kind's JSON Schema asks of it, and how it follows a new schema.

Pure functions without the database. Modules import in one direction: paths, patterns, formats,
schemas, outline; converting, steps.
"""
