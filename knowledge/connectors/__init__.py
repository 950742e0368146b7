"""Connectors: kinds of places from which knowledge comes again and again.

    for found in connector(values, secret=secret).items(known):
        ...                                    # Item, Unchanged or Fault

Acervo brings those of `BUILT_IN`; an operator adds more with `ACERVO_CONNECTORS`, dotted paths of
classes that follow `knowledge.connectors.base`. docs/connectors.md has a recipe.
"""

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Fault,
    Found,
    Item,
    Known,
    KnownItem,
    Setting,
    Unchanged,
    calls_told,
    key_of,
    settings_cleaned,
)

__all__ = [
    "Connector",
    "ConnectorFault",
    "Fault",
    "Found",
    "Item",
    "Known",
    "KnownItem",
    "Setting",
    "Unchanged",
    "calls_told",
    "connector_of",
    "connectors",
    "key_of",
    "settings_cleaned",
]

BUILT_IN = (
    "knowledge.connectors.page.PageConnector",
    "knowledge.connectors.website.WebsiteConnector",
    "knowledge.connectors.folder.FolderConnector",
    "knowledge.connectors.git.GitConnector",
    "knowledge.connectors.bucket.BucketConnector",
    "knowledge.connectors.mailbox.MailboxConnector",
)


def connectors() -> dict[str, type[Connector]]:
    """Return all connectors by name. Raises ImproperlyConfigured for a path that leads to none."""
    return _loaded((*BUILT_IN, *settings.ACERVO_CONNECTORS))


def connector_of(name: str) -> type[Connector]:
    """Return a connector. Raises ConnectorFault when there is none of that name (any more)."""
    try:
        return connectors()[name]
    except KeyError:
        message = _("There is no connector “%(name)s” here.") % {"name": name}
        raise ConnectorFault(message, is_lasting=True, field="connector") from None


@cache
def _loaded(paths: tuple[str, ...]) -> dict[str, type[Connector]]:
    found: dict[str, type[Connector]] = {}
    for path in paths:
        try:
            made = import_string(path)
        except ImportError as error:
            message = f"ACERVO_CONNECTORS names {path}, which cannot be imported: {error}"
            raise ImproperlyConfigured(message) from None
        if not (isinstance(made, type) and issubclass(made, Connector)):
            message = f"ACERVO_CONNECTORS names {path}, which is no Connector."
            raise ImproperlyConfigured(message)
        if made.name in found:
            message = f"Two connectors are named {made.name}."
            raise ImproperlyConfigured(message)
        found[made.name] = made
    return found
