"""Reads of the word lists of spaces."""

from knowledge.querysets import SpaceScopedQuerySet


class SpaceWordQuerySet(SpaceScopedQuerySet):
    """Chainable reads of watched words."""
