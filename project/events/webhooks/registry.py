"""Which events webhooks may ask for. The apps that emit them say so, and who may know of each."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise

from project.accounts.choices import Scope
from project.accounts.models import User

TEST = "webhook.test"
"""The type of the event that a person sends to try a webhook."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event as it is told to a webhook."""

    type: str
    payload: dict[str, Any]
    space_id: uuid.UUID | None
    subject_id: uuid.UUID | None


Gate = Callable[[User, Told], bool]


@dataclass(frozen=True, slots=True)
class Offer:
    """A type that webhooks may ask for.

    A key that makes a webhook of it needs `scope`; `gate` is asked at each delivery whether its
    owner may know of the event now; of the payload only `fields` are told.
    """

    type: str
    description: str | Promise
    scope: Scope
    gate: Gate
    fields: tuple[str, ...]


SpacesOf = Callable[[User], list[tuple[uuid.UUID, str]]]
_offers: dict[str, Offer] = {}
_spaces: list[SpacesOf] = []


def offer(offers: Iterable[Offer]) -> None:
    """Let webhooks ask for these types. Raises ValueError for a type that is offered already."""
    for each in offers:
        if each.type in _offers and _offers[each.type] != each:
            message = f"{each.type} is offered twice."
            raise ValueError(message)
        _offers[each.type] = each


def offers() -> list[Offer]:
    """Return what is offered, in the order of the types."""
    return [_offers[name] for name in sorted(_offers)]


def offer_of(event_type: str) -> Offer | None:
    """Return the offer of a type; None for a type that webhooks never hear of."""
    return _offers.get(event_type)


def spaces_from(read: SpacesOf) -> None:
    """Let pages name the spaces that a user may choose; the app that knows them says so."""
    _spaces[:] = [read]


def spaces_of(user: User) -> list[tuple[uuid.UUID, str]]:
    """Return the id and the name of each space that a user may choose."""
    return _spaces[0](user) if _spaces else []
