"""Restoring nodes: their rows, every version, the times of publication and the tags.

A version here and one in an archive are the same when their chains are: a chain stands for all
that came before, too. So one comparison says whether a history continues what is here, is behind
it, or went another way.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from knowledge.exporting.checking import node_versions
from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.linking import link_names, links_resolve, links_sync
from knowledge.models import (
    Erasure,
    Node,
    NodeVersion,
    Publication,
    ReleaseEntry,
    VersionTag,
)
from knowledge.publications import publications_follow
from knowledge.restoring.groundwork import BATCH, Ground, rows_copy, times_set
from knowledge.version_rows import version_written
from knowledge.versions import CONTENT_FIELDS
from knowledge.writing import announce_many

_HELD_CHARS = 8_000_000  # of texts of versions, before they are written
_VERSION_FIELDS = (
    *CONTENT_FIELDS, "anchors", "status", "review_due", "external_id", "source_id", "updated_at",
    "published_at",
)  # fmt: skip
_FACTS = (
    "id", "version", "checksum", "chain", "parents", "author_name", "change_origin",
    "change_origin_id", "trace_id", "erased_at", "history_date", "history_type",
    "history_change_reason",
)  # fmt: skip


@dataclass(slots=True)
class _Here:
    """What is known here of the nodes of a group."""

    rows: dict[uuid.UUID, Node]
    chains: dict[uuid.UUID, dict[int, str]]
    spaces: dict[uuid.UUID, uuid.UUID | None]
    taken_ids: dict[str, uuid.UUID]


class NodeRestorer:
    """Writes the nodes of one release, a group at a time."""

    def __init__(self, ground: Ground, reader: ArchiveReader, release_id: uuid.UUID | None) -> None:
        self._ground, self._reader, self._release_id = ground, reader, release_id
        self._versions: list[Any] = []
        self._chars = 0
        self._new: list[tuple[SimpleNamespace, Any]] = []
        self._behind: list[tuple[SimpleNamespace, Any]] = []

    def restore(self, entries: Sequence[SimpleNamespace]) -> list[Node]:
        """Write a group; return the nodes that were written, for their links and news."""
        here = self._here(entries)
        self._new, self._behind = [], []
        for entry in entries:
            self._compare(entry, here)
        if self._ground.conflict_count:
            return []
        self._flush()
        created = self._create()
        continued = self._continue(here)
        self._publications(continued)
        self._tags()
        if self._release_id is not None:
            ReleaseEntry.objects.bulk_create(
                [
                    ReleaseEntry(
                        release_id=self._release_id,
                        node_id=entry.id,
                        version=entry.version,
                        checksum=entry.checksum,
                    )
                    for entry in entries
                ],
                batch_size=BATCH,
            )
        announce_many([("created", node) for node in created], None)
        announce_many([("updated", node) for node in continued], None)
        published = [node for node in created if node.status == NodeStatus.PUBLISHED]
        announce_many([("published", node) for node in published], None)
        written = [*created, *continued]
        self._ground.to_index += [
            node.pk for node in written if node.status == NodeStatus.PUBLISHED
        ]
        return written

    def _tags(self) -> None:
        """Store the tags of versions; where a name is given away here, that stays."""
        tags = [
            (entry.id, tag)
            for entry, _last in [*self._new, *self._behind]
            for tag in entry.version_tags
        ]
        VersionTag.objects.bulk_create(
            [
                VersionTag(
                    node_id=pk,
                    version=tag.version,
                    name=tag.name,
                    created_by_id=self._ground.account(tag.created_by),
                )
                for pk, tag in tags
            ],
            batch_size=BATCH,
            ignore_conflicts=True,
        )
        for pk, tag in tags:
            rows = VersionTag.objects.filter(node_id=pk, name=tag.name, version=tag.version)
            rows.update(created_at=tag.created_at)

    def _here(self, entries: Sequence[SimpleNamespace]) -> _Here:
        ids = [entry.id for entry in entries]
        # Locked before the versions are read: nobody writes another one from here on.
        found = Node.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
        locked = {row.pk: row for row in found}
        chains: dict[uuid.UUID, dict[int, str]] = {}
        spaces: dict[uuid.UUID, uuid.UUID | None] = {}
        rows = NodeVersion.objects.filter(id__in=ids)
        for pk, space_id, number, chain in rows.values_list("id", "space_id", "version", "chain"):
            chains.setdefault(pk, {})[number] = chain
            spaces[pk] = space_id
        names = [entry.external_id for entry in entries if entry.external_id]
        taken = Node.objects.filter(space=self._ground.space, external_id__in=names)
        return _Here(
            locked,
            chains,
            spaces,
            {str(name): pk for name, pk in taken.values_list("external_id", "pk")},
        )

    def _compare(self, entry: SimpleNamespace, here: _Here) -> None:
        """Read a node's history beside the one here; keep what is new of it."""
        chains = here.chains.get(entry.id, {})
        newest, counts = max(chains, default=0), self._ground.restored
        if chains and here.spaces[entry.id] != self._ground.space.pk:
            message = _("The node %(id)s is in another space here.") % {"id": entry.id}
            self._ground.conflict("other_space", "node", entry.id, message)
            return
        if not chains and here.taken_ids.get(entry.external_id or "", entry.id) != entry.id:
            message = _("Another node of this space has the external id “%(name)s”.")
            name = {"name": entry.external_id}
            self._ground.conflict("external_id_taken", "node", entry.id, message % name)
            return
        last: Any = None
        for last in node_versions(self._reader, entry):
            if last.version <= newest and chains.get(last.version) != last.chain:
                message = _("The node %(id)s has another history here from version %(version)s on.")
                facts = {"id": entry.id, "version": last.version}
                self._ground.conflict("other_history", "node", entry.id, message % facts)
                return
            if last.version > newest:
                self._keep(last)
        if newest > entry.version:
            counts.nodes_ahead += 1
        elif newest == entry.version:
            counts.nodes_equal += 1
        elif newest == 0:
            counts.nodes_created += 1
            self._new.append((entry, last))
        elif entry.id not in here.rows:
            message = _("The node %(id)s was deleted here.") % {"id": entry.id}
            self._ground.conflict("deleted", "node", entry.id, message)
        else:
            counts.nodes_continued += 1
            self._behind.append((entry, last))

    def _keep(self, record: Any) -> None:
        """Hold a version until some of them are written together."""
        if self._ground.conflict_count:
            return
        self._versions.append(
            NodeVersion(
                **{name: getattr(record, name) for name in (*_FACTS, *_VERSION_FIELDS)},
                space_id=self._ground.space.pk,
                owner_id=self._ground.account(record.owner_name),
                history_relation_id=record.id,
                history_user_id=self._ground.account(record.author_name),
            )
        )
        self._chars += len(record.content)
        if self._chars > _HELD_CHARS or len(self._versions) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        rows_copy(NodeVersion, self._versions)
        self._erasures()
        self._ground.restored.versions += len(self._versions)
        self._versions, self._chars = [], 0

    def _erasures(self) -> None:
        """Say of versions that come empty why they are: `verify_history` asks."""
        erased: dict[uuid.UUID, list[int]] = {}
        for row in self._versions:
            if row.erased_at is not None:
                erased.setdefault(row.id, []).append(row.version)
        reason = _("Erased before it was imported.")
        Erasure.objects.bulk_create(
            Erasure(space=self._ground.space, node_id=pk, versions=numbers, reason=reason)
            for pk, numbers in erased.items()
        )

    def _create(self) -> list[Node]:
        nodes = []
        for entry, last in self._new:
            node = Node(id=entry.id, space=self._ground.space, external_id=entry.external_id)
            node.owner_id = self._ground.account(entry.owner)
            node.review_due, node.source_id = entry.review_due, entry.source_id
            _version_take(node, entry, last)
            nodes.append(node)
        Node.objects.bulk_create(nodes, batch_size=BATCH)
        rows = [(entry.id, entry.created_at, entry.updated_at) for entry, _last in self._new]
        times_set("knowledge_node", ["created_at", "updated_at"], rows)
        return nodes

    def _continue(self, here: _Here) -> list[Node]:
        """Bring nodes that are behind to the released version; who looks after them stays."""
        nodes = []
        for entry, last in self._behind:
            node = here.rows[entry.id]
            _version_take(node, entry, last)
            with version_written(node):
                node.save()
            nodes.append(node)
        return nodes

    def _publications(self, continued: Sequence[Node]) -> None:
        """Store the times of publication that are not here; the status says what is open now."""
        rows = [
            _publication(self._ground, entry, each, last)
            for entry, last in self._new
            for each in entry.publications
        ]
        for entry, last in self._behind:
            known = Publication.objects.filter(node_id=entry.id)
            begun = known.order_by("-started_at").values_list("started_at", flat=True).first()
            later = [
                each for each in entry.publications if begun is None or each.started_at > begun
            ]
            end = later[0].started_at if later else last.history_date
            known.filter(ended_at=None).update(ended_at=Greatest("started_at", end))
            rows += [_publication(self._ground, entry, each, last) for each in later]
        Publication.objects.bulk_create(rows, batch_size=BATCH)
        publications_follow(continued, timezone.now())


def links_settle_all(nodes: Sequence[Node]) -> None:
    """Relate restored texts to what is here: links of theirs, and links that waited for them."""
    if nodes:
        links_sync(nodes, author=None)
        links_resolve(nodes, author=None)


def _version_take(node: Node, entry: SimpleNamespace, last: Any) -> None:
    """Give a node the fields of a version, and the status that its publications say."""
    for name in (*CONTENT_FIELDS, "version", "checksum", "anchors"):
        setattr(node, name, getattr(last, name))
    node.published_at = entry.published_at
    node.wiki_links = link_names(last.content)
    open_version = entry.publications and entry.publications[-1].ended_at is None
    is_public = last.erased_at is None and bool(open_version)
    node.status = NodeStatus.PUBLISHED if is_public else NodeStatus.ARCHIVED


def _publication(
    ground: Ground, entry: SimpleNamespace, times: SimpleNamespace, last: Any
) -> Publication:
    ended: datetime.datetime | None = times.ended_at
    if ended is None and last.erased_at is not None:
        ended = max(times.started_at, last.erased_at)
    return Publication(
        node_id=entry.id,
        space=ground.space,
        version=times.version,
        started_at=times.started_at,
        ended_at=ended,
    )
