"""What a lineage is made of: things with names, and what led to what."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class ThingType(StrEnum):
    """What a thing in a lineage is."""

    VERSION = "version"
    VERSIONS = "versions"  # several that are not shown one by one
    PROPOSAL = "proposal"
    MIGRATION = "migration"
    SOURCE = "source"
    JOB = "job"
    RELEASE = "release"
    ANSWER = "answer"
    ANSWERS = "answers"  # of other people: only counted


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing; `id` is unique in its lineage. `url` is empty where there is nothing to open.

    `count` is how many it stands for.
    """

    id: str
    type: ThingType
    label: str
    title: str = ""
    detail: str = ""
    url: str = ""
    at: datetime.datetime | None = None
    count: int = 1
    is_focus: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """`start` led to `end`; `label` says in which way."""

    start: str
    end: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Follower:
    """What came of one version, for receivers of `knowledge.signals.lineage_asked`."""

    version: int
    thing: Thing
    label: str = ""


@dataclass(slots=True)
class Lineage:
    """Things and links between them, each once, in the order in which they were added."""

    things: dict[str, Thing] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)

    def add(self, thing: Thing, *links: Link) -> None:
        """Add a thing, and what leads to or from it."""
        self.things.setdefault(thing.id, thing)
        for link in links:
            if link not in self.links:
                self.links.append(link)

    def before(self, thing_id: str) -> list[tuple[Thing, str]]:
        """Return what led to a thing, with the ways in which it did."""
        return [
            (self.things[each.start], each.label) for each in self.links if each.end == thing_id
        ]

    def edges(self) -> Iterable[tuple[str, str]]:
        """Yield the ends of every link."""
        return ((link.start, link.end) for link in self.links)


def version_id(number: int) -> str:
    """Return the id of a version in its lineage."""
    return f"version:{number}"
