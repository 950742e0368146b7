"""Reads of the word lists of spaces."""

import uuid
from typing import Self

from knowledge.models import Space
from knowledge.querysets import SpaceScopedQuerySet
from project.accounts.models import User


class SpaceWordQuerySet(SpaceScopedQuerySet):
    """Chainable reads of watched words."""

    def watching(self, user: User, space_id: uuid.UUID | None) -> Self:
        """Keep the words that a message in a space is held against.

        Without a space it asks all that the person may read, and the words of all of them count.
        """
        if space_id is not None:
            return self.filter(space=space_id)
        return self.filter(space__in=Space.objects.visible_to(user))
