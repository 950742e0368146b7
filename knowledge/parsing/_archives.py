"""What a zip-based file may unpack to, and that its XML declares nothing.

Checked before any library opens the file: sizes as declared *and* as found, since a header can
lie; no member outside the archive's tree; no document type declaration in any XML part, which
office formats never have and every entity attack needs.
"""

import io
import zipfile
from pathlib import PurePosixPath
from xml.parsers import expat

from django.utils.translation import gettext as _

from knowledge.parsing._faults import broken, readable
from knowledge.parsing.types import Limits, UnreadableDocument

_BLOCK = 256 * 1024
_FREE_OF_RATIO = 10 * 1024 * 1024


def member_names(data: bytes) -> frozenset[str]:
    """The names in a zip file. Raises ``UnreadableDocument``."""
    with readable(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        return frozenset(archive.namelist())


def check_archive(data: bytes, limits: Limits) -> None:
    """Raise ``UnreadableDocument`` unless the archive is safe to hand to a library."""
    with readable(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > limits.archive_files:
            raise _bomb()
        if sum(member.file_size for member in members) > limits.unpacked_bytes:
            raise _bomb()
        unpacked = 0
        for member in members:
            if member.flag_bits & 0x1:
                message = _("The file is protected with a password.")
                raise UnreadableDocument("encrypted", message)
            _check_name(member.filename)
            unpacked = _check_member(archive, member, unpacked, len(data), limits)


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise broken()


def _check_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, unpacked: int, packed: int, limits: Limits
) -> int:
    """Read a member through, counting; ``unpacked`` so far, and with it."""
    is_xml = member.filename.lower().endswith((".xml", ".rels", ".vml"))
    prolog = _Prolog() if is_xml else None
    with archive.open(member) as stream:
        while block := stream.read(_BLOCK):
            unpacked += len(block)
            if unpacked > limits.unpacked_bytes:
                raise _bomb()
            if unpacked > max(_FREE_OF_RATIO, packed * limits.unpacked_ratio):
                raise _bomb()
            if prolog is not None:
                prolog.feed(block)
    return unpacked


class _Prolog:
    """Reads an XML part up to its first element and refuses a document type declaration."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._stop
        self._done = False

    def feed(self, block: bytes) -> None:
        if not self._done:
            self._parser.Parse(block, False)  # noqa: FBT003 - expat takes no keywords

    def _stop(self, *_arguments: object) -> None:
        self._done = True
        self._parser.StartElementHandler = None

    def _refuse(self, *_arguments: object) -> None:
        raise UnreadableDocument(
            "unsafe_xml", _("The file declares XML entities, which documents of its type never do.")
        )


def _bomb() -> UnreadableDocument:
    return UnreadableDocument("too_large", _("The file unpacks to more than may be read."))
