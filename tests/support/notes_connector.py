"""A connector as somebody outside would write it, after the recipe of docs/connectors.md."""

import json
from collections.abc import Iterator
from typing import Any

from knowledge.connectors import Connector, Fault, Found, Item, Known, Setting, Unchanged


class NotesConnector(Connector):
    """Notes that a server gives as JSON: `[{"id", "text", "changed", "broken"?}]`."""

    name = "notes"
    label = "Notes"
    settings = (
        Setting("url", "Address", is_required=True, binds_secret=True),
        Setting("most", "Most", kind="number", default=10, least=1, most=100),
        Setting("kinds", "Kinds", kind="list", default=[]),
        Setting("is_open", "Open", kind="flag", default=True),
    )
    secret_label = "Key"

    def probe(self) -> str:
        return f"{len(self._notes())} notes."

    def items(self, known: Known) -> Iterator[Found]:
        for note in self._notes():
            before = known.get(note["id"])
            if before and (before.is_done or before.etag == note["changed"]):
                yield Unchanged(note["id"])
            elif note.get("broken"):
                yield Fault(note["id"], "The note is broken.")
            else:
                yield Item(
                    note["id"], note["text"].encode(), filename="note.md", etag=note["changed"]
                )

    def _notes(self) -> list[dict[str, Any]]:
        answer = self.fetcher.fetch(self.values["url"], headers={"Authorization": self.secret})
        notes: list[dict[str, Any]] = json.loads(answer.read())
        return notes
