"""The admin of knowledge, for staff with a role in a space.

Modules import in one direction: access, then one module a page; every write goes through
`knowledge.services`, so the admin may do exactly what the REST API may.
"""

from knowledge.admin import (
    evaluations,
    feed_runs,
    feeds,
    golden,
    index,
    jobs,
    kind_migrations,
    kinds,
    nodes,
    profiles,
    proposals,
    quality,
    relations,
    releases,
    sources,
    spaces,
    suggestions,
    tunings,
)

__all__ = [
    "evaluations",
    "feed_runs",
    "feeds",
    "golden",
    "index",
    "jobs",
    "kind_migrations",
    "kinds",
    "nodes",
    "profiles",
    "proposals",
    "quality",
    "relations",
    "releases",
    "sources",
    "spaces",
    "suggestions",
    "tunings",
]
