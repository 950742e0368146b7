"""Connectors on their own: what they find, with a memory that is a dictionary."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from knowledge.connectors import Item, KnownItem, Unchanged, connector_of, settings_cleaned
from project.http.addresses import Guard
from project.http.fetching import Fetcher


class Memory:
    """What a feed would remember, after it applied all that was found."""

    def __init__(self) -> None:
        self.cursor: dict[str, Any] = {}
        self.items: dict[str, KnownItem] = {}

    def get(self, key: str) -> KnownItem | None:
        return self.items.get(key)

    def keys(self) -> Iterator[str]:
        return iter(list(self.items))


def guarded(*allowed: str, names: Mapping[str, Sequence[str]] | None = None) -> Fetcher:
    """A fetcher that may call this machine, and for which names lead where a test says."""

    def resolve(host: str, port: int) -> Sequence[str]:
        return (names or {}).get(host, [host])

    return Fetcher(guard=Guard(allowed=[*allowed, "127.0.0.1"], resolver=resolve), timeout=20)


def made(name: str, *, secret: str = "", fetcher: Fetcher | None = None, **values: Any) -> Any:
    kind = connector_of(name)
    cleaned = settings_cleaned(kind, values)
    return kind(cleaned, secret=secret, fetcher=fetcher or guarded())


def looked(connector: Any, memory: Memory) -> dict[str, str]:
    """What a connector finds: keys with the word for what became of each; it is remembered."""
    found: dict[str, str] = {}
    for each in connector.items(memory):
        assert each.key not in found, f"{each.key} was found twice"
        if isinstance(each, Unchanged):
            found[each.key] = "same"
        elif isinstance(each, Item):
            before = memory.items.get(each.key)
            found[each.key] = "changed" if before else "new"
            memory.items[each.key] = KnownItem(
                each.key, each.etag, each.modified, content_of(each).hex(), each.memo
            )
        else:
            found[each.key] = "fault"
    memory.items = {key: item for key, item in memory.items.items() if key in found}
    return found


def content_of(item: Item) -> bytes:
    if isinstance(item.content, bytes):
        return item.content
    with item.content() as file:
        return file.read()
