"""What a connector is: the interface that Acervo's own and everybody else's follow.

A connector is made for one run of one feed. It says what there is; what of it is new, changed or
gone, and what then happens to knowledge, is decided elsewhere and alike for all of them.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, ClassVar, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from knowledge.choices import SourceKind
from project.http.addresses import Blocked
from project.http.fetching import Fetcher, FetchFailed

MAX_KEY = 500
Words = str | Promise


class ConnectorFault(Exception):
    """The place cannot be read as a whole, and nothing may be concluded from that.

    `message` is for people. `is_lasting` says that trying again soon is no use: wrong settings, a
    refused password.
    """

    def __init__(self, message: str, *, is_lasting: bool = False, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.is_lasting = is_lasting
        self.field = field


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a connector, as its form and the REST API offer it.

    `kind` is text, number, flag or list (of texts). Where `binds_secret` is set, a changed value
    wants the secret to be given again: it must not be sent to another place.
    """

    name: str
    label: Words
    kind: str = "text"
    is_required: bool = False
    default: Any = ""
    help: Words = ""
    binds_secret: bool = False
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class KnownItem:
    """What is remembered of an item; `is_done` when the present run has dealt with it already."""

    key: str
    etag: str = ""
    modified: datetime | None = None
    sha256: str = ""
    memo: Mapping[str, Any] = field(default_factory=dict)
    is_done: bool = False


class Known(Protocol):
    """The memory of a feed. `cursor` is the connector's own; changes last if the run completes."""

    cursor: dict[str, Any]

    def get(self, key: str) -> KnownItem | None:
        """Return what is remembered under a key; None for a new one, or one that had gone."""

    def keys(self) -> Iterator[str]:
        """Yield the keys of all items that are there, as far as is known."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing with its content: bytes, or what opens them. Opened only if it may be new.

    `key` stays the same for as long as the thing does. `etag` is any text that differs whenever the
    content does. `memo` comes back with the item in the next run. `filename` tells the format.
    """

    key: str
    content: bytes | Callable[[], IO[bytes]]
    filename: str
    title: str = ""
    content_type: str = ""
    etag: str = ""
    modified: datetime | None = None
    url: str = ""
    memo: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """One thing that is as it was."""

    key: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is there and could not be read; it does not count as gone."""

    key: str
    message: str


Found = Item | Unchanged | Fault


class Connector(ABC):
    """A kind of place. Subclasses name themselves and their settings, and implement two methods."""

    name: ClassVar[str]
    label: ClassVar[Words]
    settings: ClassVar[tuple[Setting, ...]]
    source_kind: ClassVar[SourceKind] = SourceKind.FEED
    secret_label: ClassVar[Words] = ""
    """What the secret is called; empty for connectors without one."""

    def __init__(
        self, values: Mapping[str, Any], *, secret: str = "", fetcher: Fetcher | None = None
    ) -> None:
        self.values = dict(values)
        self.secret = secret
        self.fetcher = fetcher or Fetcher()

    @classmethod  # noqa: B027 - a kind need not check anything
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault, with its field, for settings that cannot work; calls nothing."""

    @abstractmethod
    def probe(self) -> str:
        """Try the connection; return a sentence about what is there. Raises ConnectorFault."""

    @abstractmethod
    def items(self, known: Known) -> Iterator[Found]:
        """Yield everything that is there: what is not yielded counts as missing.

        Raises ConnectorFault when the place cannot be read to its end.
        """


@contextmanager
def calls_told() -> Iterator[None]:
    """Turn what a fetcher raises, and a connector let through, into ConnectorFault."""
    try:
        yield
    except Blocked as error:
        raise ConnectorFault(error.message, is_lasting=True) from None
    except FetchFailed as error:
        raise ConnectorFault(error.message) from None


def key_of(text: str) -> str:
    """Return a key of a text, whatever its length: a long one ends with its hash."""
    text = text.replace("\0", "")
    if len(text) <= MAX_KEY:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text[: MAX_KEY - 65]}#{digest}"


def settings_cleaned(connector: type[Connector], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a connector, complete and of the right types.

    Raises ConnectorFault naming the field at fault.
    """
    known = {each.name: each for each in connector.settings}
    unknown = set(raw) - set(known)
    if unknown:
        name = min(unknown)
        message = _("This connector has no setting “%(name)s”.") % {"name": name}
        raise ConnectorFault(message, is_lasting=True, field=name)
    values = {}
    for name, setting in known.items():
        value = _cleaned(setting, raw.get(name, setting.default))
        if setting.is_required and value in ("", [], None):
            message = _("“%(label)s” is needed.") % {"label": setting.label}
            raise ConnectorFault(message, is_lasting=True, field=name)
        values[name] = value
    connector.check(values)
    return values


def _cleaned(setting: Setting, value: Any) -> Any:
    faulty = ConnectorFault(
        _("“%(label)s” cannot be read.") % {"label": setting.label},
        is_lasting=True,
        field=setting.name,
    )
    if setting.kind == "flag":
        if not isinstance(value, bool):
            raise faulty
        return value
    if setting.kind == "number":
        if isinstance(value, str) and value.strip().isdigit() and len(value) < 10:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise faulty
        low, high = setting.least, setting.most
        if (low is not None and value < low) or (high is not None and value > high):
            raise faulty
        return value
    if setting.kind == "list":
        if isinstance(value, str):
            value = value.splitlines()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise faulty
        return list(dict.fromkeys(each.strip() for each in value if each.strip()))
    if not isinstance(value, str) or len(value) > 2000 or "\0" in value:
        raise faulty
    return value.strip()
