"""The secret of a feed: sealed in its row, or in a variable of the process's environment."""

import os
import re
from pathlib import Path

from django.utils.translation import gettext as _

from knowledge.connectors.base import ConnectorFault
from knowledge.models import Feed
from project.inference import sealing

PREFIX = "ACERVO_FEED_SECRET_"
"""Only variables that begin so may be named: others hold secrets that are no feed's business."""


def is_variable(name: str) -> bool:
    """Return whether a variable may hold the secret of a feed."""
    return bool(re.fullmatch(rf"{PREFIX}[A-Z0-9_]+", name))


def feed_secret(feed: Feed) -> str:
    """Return the secret in clear, for calls only; "" for a feed without one.

    Raises ConnectorFault when it cannot be had.
    """
    if feed.secret_variable:
        return _from_environment(feed.secret_variable)
    try:
        return sealing.unseal(feed.secret_sealed)
    except sealing.SealBroken:
        message = _("The secret was sealed with another secret key: give it again.")
        raise ConnectorFault(message, is_lasting=True, field="secret") from None


def _from_environment(name: str) -> str:
    path = os.environ.get(f"{name}_FILE", "")
    try:
        found = Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(name, "")
    except OSError:
        found = ""
    if not is_variable(name) or not found:
        message = _("The variable %(name)s is not set where the workers run.") % {"name": name}
        raise ConnectorFault(message, is_lasting=True, field="secret_variable")
    return found
