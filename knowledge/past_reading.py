"""Reading another state of knowledge on a page: its nodes, their neighbours, the links between."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, Max, OuterRef, Q
from django.urls import reverse

from knowledge.choices import NodeStatus, RelationOrigin, RelationStatus
from knowledge.models import (
    Node,
    NodeVersion,
    Publication,
    RelationVersion,
    Release,
    ReleaseEntry,
    ReleaseRelation,
    Space,
)
from knowledge.moments import Moment, moment_of, time_of
from knowledge.querysets import Reader
from knowledge.reading import MOST_RELATIONS, relation_words
from project.markdown import LinkResolver, heading_slug

RELEASES = 50


@dataclass(frozen=True, slots=True)
class PastRelated:
    """A neighbour of a node in another state: its version then, and in which ways it is one."""

    node: Any
    ways: tuple[str, ...]
    url: str


def asked_moment(values: Mapping[str, str], user: Reader) -> Moment | None:
    """Return the state that the parameters `as_of` and `release` of an address ask, if any.

    Raises Invalid.
    """
    as_of, release = values.get("as_of", "").strip(), values.get("release", "").strip()
    return moment_of(user, as_of=time_of(as_of) if as_of else None, release=release or None)


def page_url(row: Any, moment: Moment) -> str:
    """Return the address of the reading page of a version in a state."""
    place = urlencode({"version": row.version, **moment.query})
    return f"{reverse('node-page', args=[row.id])}?{place}"


def releases_offered(user: Reader) -> list[Release]:
    """Return the newest releases that a person may look at, with their spaces."""
    rows = Release.objects.visible_to(user).select_related("space")
    return list(rows.order_by("-created_at", "id")[:RELEASES])


def versions_in(user: Reader, moment: Moment) -> Any:
    """Return the versions of a state that a person may read, without the erased ones."""
    spaces = Space.objects.visible_to(user)
    rows = NodeVersion.objects.filter(erased_at=None)
    if moment.release is not None:
        held = ReleaseEntry.objects.filter(
            release=moment.release,
            release__space__in=spaces,
            node_id=OuterRef("id"),
            version=OuterRef("version"),
        )
        return rows.filter(Exists(held))
    at = moment.as_of
    public = Publication.objects.filter(
        Q(ended_at=None) | Q(ended_at__gt=at),
        space__in=spaces,
        started_at__lte=at,
        node_id=OuterRef("id"),
        version=OuterRef("version"),
    )
    return rows.filter(
        Q(valid_from=None) | Q(valid_from__lte=at),
        Q(valid_until=None) | Q(valid_until__gt=at),
        Exists(public),
    )


def related_then(node_id: uuid.UUID, user: Reader, moment: Moment) -> list[PastRelated]:
    """Return the confirmed neighbours of a node in a state, strongest first."""
    relations = [
        each
        for each in _relations(node_id, moment)
        if each.status == RelationStatus.CONFIRMED and each.history_type != "-"
    ]
    relations.sort(key=lambda each: (-each.weight, each.kind, each.id))
    ways: dict[uuid.UUID, list[str]] = {}
    for each in relations[:MOST_RELATIONS]:
        is_outgoing = each.source_id == node_id
        neighbour = each.target_id if is_outgoing else each.source_id
        words = relation_words(each.kind, is_outgoing=is_outgoing)
        ways.setdefault(neighbour, []).append(words)
    rows = {row.id: row for row in versions_in(user, moment).filter(id__in=ways).defer("content")}
    return [
        PastRelated(rows[pk], tuple(dict.fromkeys(words)), page_url(rows[pk], moment))
        for pk, words in ways.items()
        if pk in rows
    ]


def wiki_links_then(node_id: uuid.UUID, user: Reader, moment: Moment) -> LinkResolver:
    """Return how `[[Title]]` in a text became an address then, as far as a person may open it."""
    targets: dict[str, uuid.UUID] = {}
    for each in _relations(node_id, moment):
        is_link = each.origin == RelationOrigin.TEXT and each.history_type != "-"
        if is_link and each.source_id == node_id:
            targets |= dict.fromkeys(map(str, each.metadata.get("links", [])), each.target_id)
    rows = versions_in(user, moment).filter(id__in=set(targets.values())).only("id", "version")
    urls = {row.id: page_url(row, moment) for row in rows}

    def resolve(title: str, heading: str | None) -> str | None:
        target = targets.get(title.lower())
        url = urls.get(target) if target is not None else None
        return f"{url}#h-{heading_slug(heading)}" if url and heading else url

    return resolve


def _relations(node_id: uuid.UUID, moment: Moment) -> Any:
    """Return the versions of the relations at a node that a state has, deleted ones too."""
    rows = RelationVersion.objects.filter(Q(source_id=node_id) | Q(target_id=node_id))
    if moment.release is not None:
        held = ReleaseRelation.objects.filter(
            release=moment.release, relation_id=OuterRef("id"), version=OuterRef("version")
        )
        return rows.filter(Exists(held))
    before = rows.filter(history_date__lte=moment.as_of)
    return before.order_by("id", "-version").distinct("id")


def node_at(user: Reader, node_id: uuid.UUID, moment: Moment) -> Node | None:
    """Return a node with the values of a past state, not to be saved; None where it has none."""
    row = versions_in(user, moment).filter(id=node_id).first()
    if row is None:
        return None
    node = Node(**{field.attname: getattr(row, field.attname) for field in row.tracked_fields})
    node.status = NodeStatus.PUBLISHED
    node.updated_at = row.history_date
    first = NodeVersion.objects.filter(id=node_id, version=1).first()
    node.created_at = first.history_date if first is not None else row.history_date
    started = Publication.objects.filter(node_id=node_id, version=row.version)
    if moment.as_of is not None:
        started = started.filter(started_at__lte=moment.as_of)
    node.published_at = started.aggregate(at=Max("started_at"))["at"]
    return node
