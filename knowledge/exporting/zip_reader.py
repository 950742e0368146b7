"""Reading an archive that anybody may have made: nothing is unpacked to the disk or held whole.

1. The directory: its size before it is read; names, sizes and flags before anything is opened.
2. The manifest, the checksum of the checksums, and that they name exactly what is there.
3. Each member as it is asked for, with its length and checksum. Sizes are counted as found: a
   header can lie.
"""

import hashlib
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from types import SimpleNamespace
from typing import IO, BinaryIO, Self, cast

from django.utils.translation import gettext as _

from knowledge.exporting.faults import ArchiveFault
from knowledge.exporting.manifest import (
    MANIFEST_FILE,
    SUMS_FILE,
    manifest_read,
    sums_read,
)

BLOCK = 256 * 1024
ARCHIVE = "archive"
_END, _END64 = b"PK\x05\x06", b"PK\x06\x06"
_TAIL = 22 + 65_535 + 20 + 56  # bytes: the end record with its comment, and those of zip64
_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold, in bytes unless said otherwise."""

    members: int = 500_000  # a number
    directory: int = 128 * 2**20
    unpacked: int = 16 * 2**30
    text: int = 128 * 2**20  # a text or a line: what is held in memory at once
    sums: int = 64 * 2**20


class ArchiveReader:
    """A release in a zip file. Every method raises ArchiveFault."""

    def __init__(self, source: BinaryIO, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._unpacked = 0
        self._checked: set[str] = set()
        try:
            _directory_check(source, self.limits)
            self._zip = zipfile.ZipFile(source)
        except _FAULTS:
            raise ArchiveFault(ARCHIVE, _("it is no zip file, or not a whole one")) from None
        self._members = self._listed()
        self.manifest = self._manifest()
        self.sums = self._sums()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def text(self, name: str) -> str:
        """Return a member that is text, once its checksum is known to be right."""
        pieces = list(self.pieces(name, limit=self.limits.text))
        return _decoded(name, b"".join(pieces))

    def lines(self, name: str) -> Iterator[str]:
        """Yield the lines of a member; after the last one its checksum is known to be right."""
        with self._opened(name) as file:
            digest = hashlib.sha256()
            while line := file.readline(self.limits.text):
                self._count(name, len(line))
                digest.update(line)
                if not line.endswith(b"\n"):
                    raise ArchiveFault(name, _("a line is too long, or the last one has no end"))
                yield _decoded(name, line[:-1])
            self._compare(name, digest.hexdigest())

    def pieces(self, name: str, *, limit: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of a member; after the last ones its checksum is known to be right."""
        size, digest = 0, hashlib.sha256()
        with self._opened(name) as file:
            while piece := file.read(BLOCK):
                size += len(piece)
                self._count(name, len(piece))
                if limit is not None and size > limit:
                    raise ArchiveFault(name, _("it is too long"))
                digest.update(piece)
                yield piece
        self._compare(name, digest.hexdigest())

    def require(self, name: str) -> None:
        """Refuse a name that is no member with a checksum."""
        if name not in self.sums:
            raise ArchiveFault(name, _("it is missing"))

    def size(self, name: str) -> int:
        """Return the length that the archive states of a member, in bytes."""
        return self._members[name].file_size

    def rest_check(self) -> None:
        """Compare the checksums of the members that nobody has read to their end."""
        for name in self.sums:
            if name not in self._checked:
                for _piece in self.pieces(name):
                    pass

    def _listed(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if sum(info.file_size for info in infos) > self.limits.unpacked:
            raise ArchiveFault(ARCHIVE, _("it would unpack to more than is allowed"))
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = info.filename
            if name.endswith("/") and not info.file_size:
                continue  # other programs list folders, too
            parts = name.split("/")
            if "\\" in name or ":" in name or not all(parts) or {".", ".."} & set(parts):
                raise ArchiveFault(name, _("this is no name of a file in a release"))
            if info.flag_bits & 0x1:
                raise ArchiveFault(name, _("it is protected with a password"))
            if name in members:
                raise ArchiveFault(name, _("it is there twice"))
            members[name] = info
        return members

    def _manifest(self) -> SimpleNamespace:
        if MANIFEST_FILE not in self._members:
            raise ArchiveFault(MANIFEST_FILE, _("it is missing: this is no release of Acervo"))
        return manifest_read(_decoded(MANIFEST_FILE, self._raw(MANIFEST_FILE)))

    def _sums(self) -> dict[str, str]:
        if SUMS_FILE not in self._members:
            raise ArchiveFault(SUMS_FILE, _("it is missing"))
        data = self._raw(SUMS_FILE)
        if hashlib.sha256(data).hexdigest() != self.manifest.sums:
            raise ArchiveFault(SUMS_FILE, _("it was changed: its checksum is another"))
        sums = sums_read(_decoded(SUMS_FILE, data))
        for name in sums:
            if name not in self._members:
                raise ArchiveFault(name, _("it is missing"))
        for name in self._members:
            if name not in sums and name not in {SUMS_FILE, MANIFEST_FILE}:
                raise ArchiveFault(name, _("it does not belong to the release"))
        return sums

    def _raw(self, name: str) -> bytes:
        with self._opened(name) as file:
            data = file.read(self.limits.sums + 1)
        if len(data) > self.limits.sums:
            raise ArchiveFault(name, _("it is too long"))
        return data

    def _opened(self, name: str) -> "_Member":
        if name not in self._members:
            raise ArchiveFault(name, _("it is missing"))
        try:
            return _Member(name, self._zip.open(self._members[name]))
        except _FAULTS:
            raise _broken(name) from None

    def _count(self, name: str, size: int) -> None:
        self._unpacked += size
        if self._unpacked > 2 * self.limits.unpacked:  # what is read twice counts twice
            raise ArchiveFault(name, _("the archive unpacks to more than is allowed"))

    def _compare(self, name: str, digest: str) -> None:
        if self.sums[name] != digest:
            raise ArchiveFault(name, _("it was changed: its checksum is another"))
        self._checked.add(name)


class _Member:
    """An open member, whose damage is told as a fault of the archive."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = BufferedReader(cast("RawIOBase", file), BLOCK)  # it has readinto, too

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        with _told(self._name):
            return self._file.read(size)

    def readline(self, size: int) -> bytes:
        with _told(self._name):
            return self._file.readline(size)


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS:
        raise _broken(name) from None


def _broken(name: str) -> ArchiveFault:
    return ArchiveFault(name, _("it is damaged, or packed in a way that is not read"))


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ArchiveFault(name, _("it is no text in UTF-8")) from None


def _directory_check(source: BinaryIO, limits: Limits) -> None:
    """Refuse a directory of members that is too large to be read.

    After the end record of a zip file, and that of zip64, in PKWARE's APPNOTE 4.3.14 to 4.3.16.
    """
    length = source.seek(0, os.SEEK_END)
    tail = min(length, _TAIL)
    source.seek(length - tail)
    data = source.read(tail)
    at = data.rfind(_END)
    if at < 0:
        raise zipfile.BadZipFile
    count, size = struct.unpack_from("<HL", data, at + 10)
    at64 = data.rfind(_END64, 0, at)
    if at64 >= 0 and (count == 0xFFFF or size == 0xFFFFFFFF):
        count, size = struct.unpack_from("<QQ", data, at64 + 32)
    if count > limits.members or size > limits.directory:
        raise ArchiveFault(ARCHIVE, _("it has too many files"))
    source.seek(0)
