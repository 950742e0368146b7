"""Which kind of place a page of the admin is about, and its words."""

from typing import Any

from django.http import HttpRequest

from knowledge.connectors import Connector, ConnectorFault, connector_of, connectors
from knowledge.models import Feed


def kind_wanted(request: HttpRequest) -> str | None:
    """Return the connector that a request for a new feed names, None for none that there is."""
    name = request.POST.get("connector") or request.GET.get("connector", "")
    return name if name in connectors() else None


def kind_of(request: HttpRequest, feed: Feed | None) -> type[Connector] | None:
    """Return the connector of a feed, or of a request for a new one; None for none there is."""
    name = feed.connector if feed is not None and feed.connector else kind_wanted(request)
    try:
        return connector_of(name or "")
    except ConnectorFault:
        return None


def kind_facts(connector: type[Connector]) -> dict[str, Any]:
    """Return a connector for a template, which would call a class."""
    return {"name": connector.name, "label": connector.label}


def kind_words(feed: Feed) -> str:
    """Return the kind of place that a feed reads, in words."""
    try:
        return str(connector_of(feed.connector).label)
    except ConnectorFault as error:
        return error.message


def form_field(name: str | None) -> str | None:
    """Return the field of the form that a service means."""
    if name is None:
        return None
    if name.startswith("settings."):
        return f"set_{name.removeprefix('settings.')}"
    return "new_secret" if name == "secret" else name
