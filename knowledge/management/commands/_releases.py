"""What the commands of releases share."""

import time
import uuid
from typing import Any

from django.core.management.base import CommandError

from knowledge.models import Release, Space

_EVERY = 1.0  # seconds between two words of progress


class Meter:
    """Says how far something is, at most once a second, and only to a person at a terminal."""

    def __init__(self, stream: Any, what: str) -> None:
        self._stream, self._what = stream, what
        self._is_watched = bool(getattr(stream, "isatty", lambda: False)())
        self._said_at = time.monotonic()

    def __call__(self, share: float) -> None:
        """Take a share from 0 to 1."""
        now = time.monotonic()
        if self._is_watched and now - self._said_at >= _EVERY:
            self._said_at = now
            self._stream.write(f"{self._what}: {share:4.0%}")


def space_named(slug: str) -> Space:
    """Return a space by its slug. Raises CommandError that names those there are."""
    space = Space.objects.filter(slug=slug).first()
    if space is None:
        slugs = Space.objects.order_by("slug").values_list("slug", flat=True)[:20]
        message = f"There is no space “{slug}”. There are: {', '.join(slugs)}."
        raise CommandError(message)
    return space


def release_named(name: str, slug: str | None) -> Release:
    """Return a release by its id, or by its name in a space. Raises CommandError."""
    releases = Release.objects.all()
    if slug is not None:
        releases = releases.filter(space=space_named(slug))
    try:
        found = releases.filter(pk=uuid.UUID(name)).first()
    except ValueError:
        if slug is None:
            message = "Say with --space which space's release of that name you mean."
            raise CommandError(message) from None
        found = releases.filter(name=name).first()
    if found is None:
        known = ", ".join(f"“{each}”" for each in releases.values_list("name", flat=True)[:20])
        message = f"There is no release “{name}”. There are: {known or 'none'}."
        raise CommandError(message)
    return found
