"""Ids that people, forms and addresses name."""

import uuid


def uuid_or_none(text: str) -> uuid.UUID | None:
    """Return the id that a form or an address names; None for anything else."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
