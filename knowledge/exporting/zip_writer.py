"""Writing the archive: members one after another, each with its checksum, none ever held whole."""

import datetime
import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO

from knowledge.exporting.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    README,
    README_FILE,
    SUMS_FILE,
    manifest_text,
    sums_text,
)

_EARLIEST, _LATEST = 1980, 2107  # the years that a zip file can state
_PACKED = frozenset(
    "7z bz2 docx gif gz jpeg jpg odt pdf png pptx webp xlsx zip zst".split()  # noqa: SIM905 - short
)


class Member:
    """A member that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self.hash.update(data)
        self._file.write(data)

    def line(self, text: str) -> None:
        """Add a line."""
        self.write(f"{text}\n".encode())


class ArchiveWriter:
    """A release on its way into a zip file. All members have one time, so that equal releases
    make equal files."""

    def __init__(self, target: BinaryIO, at: datetime.datetime) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        moment = at.astimezone(datetime.UTC)
        year = min(max(moment.year, _EARLIEST), _LATEST)
        self._time = (year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
        self._sums: dict[str, str] = {}
        self.text(README_FILE, README.format(version=FORMAT_VERSION))

    @contextmanager
    def member(self, name: str) -> Iterator[Member]:
        """Open a member for the block. Raises ValueError for a name that was used before."""
        if name in self._sums:
            message = f"{name} is there twice"
            raise ValueError(message)
        with self._zip.open(self._info(name), "w", force_zip64=True) as file:
            member = Member(file)
            yield member
        self._sums[name] = member.hash.hexdigest()

    def text(self, name: str, text: str) -> None:
        """Write a member whole."""
        with self.member(name) as member:
            member.write(text.encode())

    def close(self, facts: Any) -> None:
        """Write the checksums and the manifest; `facts` are those of `records.MANIFEST`."""
        sums = sums_text(self._sums).encode()
        facts.sums = hashlib.sha256(sums).hexdigest()
        for name, data in ((SUMS_FILE, sums), (MANIFEST_FILE, manifest_text(facts).encode())):
            self._zip.writestr(self._info(name), data)
        self._zip.close()

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, self._time)
        is_packed = name.rpartition(".")[2] in _PACKED
        info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        info.create_system = 3  # Unix on every system: equal releases make equal files
        return info
