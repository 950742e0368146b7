"""Exporting a release into a file: as an archive that is read back, or as a repository of git.

Both are written from one state of the database, in order, a few rows in memory at a time.
"""

import hashlib
import tempfile
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, BinaryIO

from knowledge.exporting.fields import line_of, record_plain
from knowledge.exporting.front_matter import document_join
from knowledge.exporting.manifest import ENTRIES_FILE, RELATIONS_FILE, SOURCES_FILE
from knowledge.exporting.names import attachment_path, history_path
from knowledge.exporting.records import ENTRY, NODE_VERSION, RELATION, SOURCE
from knowledge.exporting.zip_writer import ArchiveWriter
from knowledge.models import Release, Source
from knowledge.release_reading import ReleasedNode, ReleaseReader, one_state
from knowledge.versions import state_of

Progress = Callable[[float], None]
BLOCK = 256 * 1024
ENDINGS = {"zip": ".zip", "git": ".bundle"}
MOST_SHOWN = 500  # relations in the front matter of one node; all are in their own file
_SPOOL = 8 * 2**20


def export_archive(
    release: Release, target: BinaryIO, progress: Progress = lambda _share: None
) -> None:
    """Write a release as a zip file from which `release_import` restores it."""
    with one_state():
        _Archive(release, target, progress).write()


class _Archive:
    """An archive on its way."""

    def __init__(self, release: Release, target: BinaryIO, progress: Progress) -> None:
        self._release, self._progress = release, progress
        self._reader = ReleaseReader(release)
        self._writer = ArchiveWriter(target, release.created_at)
        self._known: set[uuid.UUID] = set()  # sources
        self._counts = {"versions": 0, "attachments": 0, "missing_attachments": 0}

    def write(self) -> None:
        """Write every part."""
        self._sources()
        paths = self._reader.paths()
        with tempfile.SpooledTemporaryFile(_SPOOL) as lines:
            for number, node in enumerate(self._reader.nodes(), 1):
                lines.write(f"{line_of(self._node(node, paths))}\n".encode())
                self._progress(0.9 * number / max(1, self._release.node_count))
            lines.seek(0)
            with self._writer.member(ENTRIES_FILE) as member:
                while piece := lines.read(BLOCK):
                    member.write(piece)
        self._relations()
        self._writer.close(manifest_facts(self._release, self._counts))
        self._progress(1.0)

    def _node(self, node: ReleasedNode, paths: dict[Any, str]) -> dict[str, Any]:
        """Write a node's history and text; return its line in the list of nodes."""
        pk, last = node.held.id, None
        with self._writer.member(history_path(pk)) as member:
            for last in node.versions:
                last.owner_name = self._reader.user_name(last.owner_id)
                last.history_change_reason = last.history_change_reason or ""
                member.line(line_of(record_plain(last, NODE_VERSION)))
                self._counts["versions"] += 1
        if last is None:
            message = f"{pk} has no version {node.held.version}"
            raise RuntimeError(message)
        facts = document_facts(last) | {"relations": _shown_relations(node, paths)}
        self._writer.text(paths[pk], document_join(facts, last.content))
        # Owners, dates of review and external ids change without a version.
        is_current = node.row is not None and node.row.version == node.held.version
        holder = node.row if is_current else last
        first_seen = node.row.created_at if node.row is not None else last.history_date
        entry = SimpleNamespace(
            id=pk,
            version=node.held.version,
            checksum=node.held.checksum,
            file=paths[pk],
            history=history_path(pk),
            created_at=first_seen,
            updated_at=holder.updated_at,
            published_at=holder.published_at,
            owner=self._reader.user_name(holder.owner_id),
            review_due=holder.review_due,
            external_id=holder.external_id,
            source_id=last.source_id if last.source_id in self._known else None,
            publications=node.publications,
            version_tags=node.tags,
        )
        return record_plain(entry, ENTRY)

    def _relations(self) -> None:
        with self._writer.member(RELATIONS_FILE) as member:
            member.line("[")
            before = ""
            for held, row, versions in self._reader.relations():
                for each in versions:
                    each.created_by_name = self._reader.user_name(each.created_by_id)
                    each.history_change_reason = each.history_change_reason or ""
                facts = SimpleNamespace(
                    **held._asdict(),
                    created_at=row.created_at if row else versions[0].history_date,
                    versions=versions,
                )
                if before:
                    member.line(f"{before},")
                before = line_of(record_plain(facts, RELATION))
            if before:
                member.line(before)
            member.line("]")

    def _sources(self) -> None:
        """Write the list of sources and the files; one that is missing here is counted."""
        written: set[str] = set()
        lines: list[str] = []
        for source in self._reader.sources():
            path: str | None = attachment_path(source.sha256, source.filename)
            if path not in written and path is not None:
                if self._attachment(source, path):
                    written.add(path)
                else:
                    path = None
            facts = source_facts(source, path, self._reader.user_name(source.created_by_id))
            lines.append(line_of(record_plain(facts, SOURCE)))
            self._known.add(source.pk)
        self._writer.text(SOURCES_FILE, "".join(f"{line}\n" for line in lines))

    def _attachment(self, source: Source, path: str) -> bool:
        if not is_stored(source):
            self._counts["missing_attachments"] += 1
            return False
        with self._writer.member(path) as member:
            for piece in stored_pieces(source):
                member.write(piece)
        self._counts["attachments"] += 1
        return True


def manifest_facts(release: Release, counts: dict[str, int]) -> SimpleNamespace:
    """Return what the manifest says of a release."""
    shown = SimpleNamespace(
        **{name: getattr(release, name) for name in _SHOWN}, created_by=release.author_name
    )
    return SimpleNamespace(release=shown, space=release.space, sums="", **counts)


_SHOWN = (
    "id", "name", "description", "as_of", "created_at", "node_count", "relation_count", "checksum",
)  # fmt: skip


def document_facts(version: Any) -> dict[str, Any]:
    """Return the facts of a version that stand before its text, ready for JSON."""
    state = state_of(version)
    del state["content"]
    facts = {
        "id": str(version.id),
        "version": version.version,
        "title": state.pop("title"),
        "kind": state.pop("kind"),
        "language": state.pop("language"),
        "tags": state.pop("tags"),
        "author": version.author_name,
        "date": record_plain(version, {"date": NODE_VERSION["date"]})["date"],
        "reason": version.history_change_reason or "",
        "status": str(version.status),
        "external_id": version.external_id,
        "review_due": version.review_due.isoformat() if version.review_due else None,
        **state,
        "checksum": version.checksum,
        "chain": version.chain,
    }
    if version.erased_at is not None:
        facts["erased_at"] = record_plain(version, {"at": NODE_VERSION["erased_at"]})["at"]
    return facts


def _shown_relations(node: ReleasedNode, paths: dict[Any, str]) -> list[dict[str, Any]]:
    return [
        {"kind": row.kind, "target": str(row.target_id), "file": paths[row.target_id]}
        for row in node.relations[:MOST_SHOWN]
    ]


def source_facts(source: Source, path: str | None, author: str) -> SimpleNamespace:
    """Return what an archive says of a source, with the path of its file in it."""
    names = set(SOURCE) - {"file", "created_by"}
    return SimpleNamespace(
        **{name: getattr(source, name) for name in names}, file=path, created_by=author
    )


def is_stored(source: Source) -> bool:
    """Whether a source's file is there, with the content that it came with."""
    digest = hashlib.sha256()
    try:
        for piece in stored_pieces(source):
            digest.update(piece)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == source.sha256


def stored_pieces(source: Source) -> Iterator[bytes]:
    """Yield the bytes of a source's file in pieces. Raises FileNotFoundError."""
    with source.file.open("rb") as file:
        while piece := file.read(BLOCK):
            yield piece
