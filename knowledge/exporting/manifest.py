"""What an archive says of itself, and the checksum that a release has."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from django.utils.translation import gettext as _

from knowledge.exporting.faults import ArchiveFault
from knowledge.exporting.fields import RecordFault, record_plain, record_read
from knowledge.exporting.records import MANIFEST

MANIFEST_FILE = "manifest.json"
SUMS_FILE = "SHA256SUMS"
ENTRIES_FILE = "nodes.jsonl"
RELATIONS_FILE = "relations.json"
SOURCES_FILE = "sources.jsonl"
README_FILE = "README.txt"
FORMAT = "acervo-release"
FORMAT_VERSION = 1

README = """\
This is a release of a space of knowledge, as Acervo exports it (format {version}).

nodes/          one Markdown file a node, with its facts before the text
relations.json  the relations between them, with all their versions
history/        every kept version of every node, one JSON object a line
attachments/    the files that nodes were made of, named by their SHA-256
nodes.jsonl     which version of which node the release has, and where its files are
sources.jsonl   what is known of the attachments
manifest.json   the release itself, and the checksum of SHA256SUMS
SHA256SUMS      checksums of all other files: sha256sum -c SHA256SUMS

`manage.py release_import` reads it back; it refuses an archive in which anything was changed.
"""


class ReleaseDigest:
    """The checksum of a release: SHA-256 over a line for each node, then one for each relation.

    A line is `node` or `relation`, id, version and checksum, divided by spaces; ids ascend. Two
    releases of equal contents have equal checksums, whatever they are called.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._last = ("", -1)

    def add(self, what: str, pk: uuid.UUID, version: int, checksum: str) -> None:
        """Count one more; raises ValueError for one out of order."""
        place = (what, pk.int)
        if place <= self._last:
            message = f"{what} {pk} comes too late"
            raise ValueError(message)
        self._last = place
        self._hash.update(f"{what} {pk} {version} {checksum}\n".encode())

    def hexdigest(self) -> str:
        """Return the checksum so far."""
        return self._hash.hexdigest()


def release_checksum(
    nodes: Iterable[tuple[uuid.UUID, int, str]], relations: Iterable[tuple[uuid.UUID, int, str]]
) -> str:
    """Return the checksum of a release with these versions, each in ascending order of ids."""
    digest = ReleaseDigest()
    for each in nodes:
        digest.add("node", *each)
    for each in relations:
        digest.add("relation", *each)
    return digest.hexdigest()


def manifest_text(facts: Any) -> str:
    """Return the text of the manifest; `facts` has the attributes of MANIFEST."""
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    return json.dumps(head | record_plain(facts, MANIFEST), ensure_ascii=False, indent=2) + "\n"


def manifest_read(text: str) -> SimpleNamespace:
    """Return the facts of a manifest. Raises ArchiveFault."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ArchiveFault(MANIFEST_FILE, _("it is no JSON")) from None
    if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
        raise ArchiveFault(MANIFEST_FILE, _("this is no release of Acervo"))
    version = value.pop("format_version", None)
    if version != FORMAT_VERSION:
        problem = _("its format is %(found)s; this Acervo reads format %(known)s")
        shown = str(version)[:20]
        raise ArchiveFault(MANIFEST_FILE, problem % {"found": shown, "known": FORMAT_VERSION})
    try:
        return record_read(value, MANIFEST)
    except RecordFault as fault:
        raise ArchiveFault(MANIFEST_FILE, str(fault)) from None


def sums_text(sums: Mapping[str, str]) -> str:
    """Return checksums by file name in the form that sha256sum(1) checks."""
    return "".join(f"{digest}  {name}\n" for name, digest in sums.items())


def sums_read(text: str) -> dict[str, str]:
    """Return the checksums by file name. Raises ArchiveFault."""
    sums: dict[str, str] = {}
    for line in text.split("\n")[:-1]:
        digest, gap, name = line[:64], line[64:66], line[66:]
        if gap != "  " or not name or name in sums or set(digest) - set("0123456789abcdef"):
            problem = _("there is no checksum in the line “%(line)s”")
            raise ArchiveFault(SUMS_FILE, problem % {"line": line[:100]})
        sums[name] = digest
    return sums
