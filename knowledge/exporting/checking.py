"""Whether an archive is what it says: every version, chain and file of it, before any is used.

A change of one text shows in its checksum; a history that was rewritten from end to end shows only
against a release's checksum that is kept elsewhere.
"""

import datetime
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from django.utils.translation import gettext as _

from knowledge.choices import RelationOrigin
from knowledge.exporting.faults import ArchiveFault
from knowledge.exporting.fields import RecordFault, Schema, line_read
from knowledge.exporting.front_matter import FrontMatterFault, document_split
from knowledge.exporting.manifest import (
    ENTRIES_FILE,
    MANIFEST_FILE,
    RELATIONS_FILE,
    SOURCES_FILE,
    ReleaseDigest,
)
from knowledge.exporting.names import attachment_path, history_path
from knowledge.exporting.records import ENTRY, NODE_VERSION, RELATION, SOURCE
from knowledge.exporting.zip_reader import ArchiveReader
from knowledge.versions import CONTENT_FIELDS, chain_of, checksum_of, relation_checksum_of

Progress = Callable[[float], None]
_LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(slots=True)
class Checked:
    """What a checked archive holds."""

    nodes: set[uuid.UUID] = field(default_factory=set)
    relations: int = 0
    sources: dict[uuid.UUID, SimpleNamespace] = field(default_factory=dict)
    versions: int = 0


def archive_check(reader: ArchiveReader, progress: Progress = lambda _share: None) -> Checked:
    """Check all of an archive; return what it holds. Raises ArchiveFault naming the file."""
    checked, digest, release = Checked(), ReleaseDigest(), reader.manifest.release
    for source in sources(reader):
        _source_check(reader, source, checked)
    for entry in entries(reader):
        last: Any = None
        for version in node_versions(reader, entry):
            checked.versions += 1
            last = version
        if entry.source_id is not None and entry.source_id not in checked.sources:
            raise ArchiveFault(SOURCES_FILE, _("the source of a node is missing"))
        _document_check(reader, entry, last)
        _times_check(entry)
        digest.add("node", entry.id, entry.version, entry.checksum)
        checked.nodes.add(entry.id)
        progress(len(checked.nodes) / max(1, release.node_count))
    for relation in relations(reader):
        if not {relation.versions[-1].source_id, relation.versions[-1].target_id} <= checked.nodes:
            raise ArchiveFault(RELATIONS_FILE, _("a relation leads to a node that is not there"))
        digest.add("relation", relation.id, relation.version, relation.checksum)
        checked.relations += 1
    counts = (len(checked.nodes), checked.relations)
    if counts != (release.node_count, release.relation_count):
        raise ArchiveFault(MANIFEST_FILE, _("it counts other nodes or relations than there are"))
    if digest.hexdigest() != release.checksum:
        raise ArchiveFault(MANIFEST_FILE, _("the release's checksum is another"))
    reader.rest_check()
    return checked


def entries(reader: ArchiveReader) -> Iterator[SimpleNamespace]:
    """Yield the nodes of the release, by ascending ids."""
    yield from _ascending(ENTRIES_FILE, _records(reader, ENTRIES_FILE, ENTRY))


def sources(reader: ArchiveReader) -> Iterator[SimpleNamespace]:
    """Yield what is known of the stored files, by ascending ids."""
    yield from _ascending(SOURCES_FILE, _records(reader, SOURCES_FILE, SOURCE))


def node_versions(reader: ArchiveReader, entry: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """Yield the versions of a node, each checked; the last one is that of the release."""
    name = history_path(entry.id)
    if entry.history != name:
        raise ArchiveFault(ENTRIES_FILE, _("a history has another name than its node's id"))
    rows = _records(reader, name, NODE_VERSION)
    yield from _chained(name, entry, rows, checksum_of)


def relations(reader: ArchiveReader) -> Iterator[SimpleNamespace]:
    """Yield the relations of the release with their versions, each checked, by ascending ids."""
    for relation in _ascending(RELATIONS_FILE, _relation_records(reader)):
        if not all(map(_names_its_links, relation.versions)):
            raise ArchiveFault(RELATIONS_FILE, _("a relation of a text does not name its links"))
        rows = iter(relation.versions)
        relation.versions = list(_chained(RELATIONS_FILE, relation, rows, relation_checksum_of))
        yield relation


def _chained(
    name: str,
    held: SimpleNamespace,
    rows: Iterator[SimpleNamespace],
    checksum: Callable[[object], str],
) -> Iterator[SimpleNamespace]:
    """Yield the versions of one node or relation as long as each follows from the one before."""
    chain, number, last = "", 0, ""
    for row in rows:
        row.id = held.id
        number += 1
        facts = {"id": held.id, "version": row.version}
        if row.version != number or row.history_type == "-" or not _are_before(row):
            raise ArchiveFault(name, _("version %(version)s of %(id)s is out of place") % facts)
        if row.erased_at is None and checksum(row) != row.checksum:
            problem = _("version %(version)s of %(id)s has another content than was stored")
            raise ArchiveFault(name, problem % facts)
        if chain_of(chain, row) != row.chain:
            problem = _("version %(version)s of %(id)s does not follow from the one before")
            raise ArchiveFault(name, problem % facts)
        chain, last = row.chain, row.checksum
        yield row
    if (number, last) != (held.version, held.checksum):
        problem = _("the history of %(id)s does not end with the version of the release")
        raise ArchiveFault(name, problem % {"id": held.id})


def _names_its_links(version: Any) -> bool:
    """Whether a relation that follows a text says which links of the text made it."""
    links = version.metadata.get("links", [])
    is_list = isinstance(links, list) and all(isinstance(link, str) for link in links)
    return is_list or version.origin != RelationOrigin.TEXT


def _are_before(row: SimpleNamespace) -> bool:
    return all(0 < parent < row.version for parent in row.parents)


def _document_check(reader: ArchiveReader, entry: SimpleNamespace, version: Any) -> None:
    """Compare the Markdown file of a node, which people read, with its version."""
    reader.require(entry.file)
    try:
        facts, content = document_split(reader.text(entry.file))
    except FrontMatterFault as fault:
        raise ArchiveFault(entry.file, str(fault)) from None
    shown = (facts.get("id"), facts.get("version"), facts.get("checksum"))
    if shown != (str(entry.id), entry.version, entry.checksum):
        raise ArchiveFault(entry.file, _("it is of another node or version"))
    if version.erased_at is not None:
        return
    state = {name: facts.get(name) for name in CONTENT_FIELDS} | {"content": content}
    if checksum_of(SimpleNamespace(**state)) != entry.checksum:
        raise ArchiveFault(entry.file, _("its text or facts are not those of its version"))


def _source_check(reader: ArchiveReader, source: SimpleNamespace, checked: Checked) -> None:
    """Compare a stored file with what is known of it; its checksum is its name."""
    if source.file is not None:
        if source.file != attachment_path(source.sha256, source.filename):
            raise ArchiveFault(SOURCES_FILE, _("an attachment has another name than its checksum"))
        reader.require(source.file)
        if reader.sums[source.file] != source.sha256:
            raise ArchiveFault(source.file, _("it was changed: its checksum is another"))
        if reader.size(source.file) != source.size:
            raise ArchiveFault(
                SOURCES_FILE, _("an attachment has another size than is known of it")
            )
    checked.sources[source.id] = source


def _times_check(entry: SimpleNamespace) -> None:
    """Refuse times that contradict each other, and what is said of versions that are not there."""
    is_right = all(
        0 < row.version <= entry.version for row in [*entry.publications, *entry.version_tags]
    )
    free_from: datetime.datetime | None = _LONG_AGO
    for row in entry.publications:
        is_right &= free_from is not None and free_from <= row.started_at
        is_right &= row.ended_at is None or row.started_at <= row.ended_at
        free_from = row.ended_at
    if not is_right:
        problem = _("the times of publication of %(id)s contradict each other")
        raise ArchiveFault(ENTRIES_FILE, problem % {"id": entry.id})


def _relation_records(reader: ArchiveReader) -> Iterator[SimpleNamespace]:
    """Yield the relations of a JSON array that has one of them a line."""
    is_open = is_closed = False
    for line in reader.lines(RELATIONS_FILE):
        if is_open and not is_closed and line == "]":
            is_closed = True
        elif not is_open and line == "[":
            is_open = True
        elif is_open and not is_closed:
            yield _record(RELATIONS_FILE, line.removesuffix(","), RELATION)
        else:
            is_open = False
            break
    if not (is_open and is_closed):
        raise ArchiveFault(RELATIONS_FILE, _("it is no list with one relation a line"))


def _records(reader: ArchiveReader, name: str, schema: Schema) -> Iterator[SimpleNamespace]:
    reader.require(name)
    for line in reader.lines(name):
        yield _record(name, line, schema)


def _record(name: str, line: str, schema: Schema) -> SimpleNamespace:
    try:
        return line_read(line, schema)
    except RecordFault as fault:
        raise ArchiveFault(name, str(fault)) from None


def _ascending(name: str, rows: Iterator[SimpleNamespace]) -> Iterator[SimpleNamespace]:
    last = -1
    for row in rows:
        if row.id.int <= last:
            raise ArchiveFault(name, _("its lines are out of order, or one is there twice"))
        last = row.id.int
        yield row
