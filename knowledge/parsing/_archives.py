"""What a zip-based file may unpack to, and that its XML declares nothing.

Checked before any library opens the file: sizes as declared *and* as found, since a header can
lie; no member outside the archive's tree; no document type declaration in any XML part, which
office formats never have and every entity attack needs.
"""

import io
import zipfile
from itertools import pairwise
from pathlib import PurePosixPath
from xml.parsers import expat

from knowledge.parsing._faults import readable
from knowledge.parsing._speech import gettext as _
from knowledge.parsing.types import Limits, UnreadableDocument

BLOCK = 256 * 1024
_FREE_OF_RATIO = 10 * 1024 * 1024
_LOCKED = 0x1
_UNICODE_PATH = 0x7075  # the extra field in which Info-ZIP keeps a name in UTF-8
_UTF8_NAME = 0x800


def member_names(data: bytes) -> frozenset[str]:
    """The names in a zip file. Raises ``UnreadableDocument``."""
    with readable(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        return frozenset(archive.namelist())


def check_archive(data: bytes, limits: Limits) -> None:
    """Raise ``UnreadableDocument`` unless the archive is safe to hand to a library."""
    with readable(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        check_directory(members, limits)
        unpacked = 0
        for member in members:
            if member.flag_bits & _LOCKED:
                raise locked()
            unpacked = _check_member(archive, member, unpacked, len(data), limits)


def check_directory(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Raise ``UnreadableDocument`` for what an archive's list of members says already."""
    if len(members) > limits.archive_files:
        message = _("The archive has more than %(limit)s files.")
        raise UnreadableDocument("too_large", message % {"limit": limits.archive_files})
    if sum(member.file_size for member in members) > limits.unpacked_bytes:
        raise bomb()
    for member in members:
        _check_name(member.filename)


def check_zip(data: bytes, limits: Limits) -> list[zipfile.ZipInfo]:
    """Return the files of a ZIP archive, told by its directory alone.

    Raises ``UnreadableDocument``: ``broken``, ``empty``, ``encrypted`` (all of them),
    ``too_large``, ``unsafe_path``.
    """
    with readable(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    check_directory(members, limits)
    files = [member for member in members if not member.is_dir()]
    if not files:
        raise UnreadableDocument("empty", _("The archive holds no files."))
    if all(member.flag_bits & _LOCKED for member in files):
        raise locked()
    return files


def is_locked(member: zipfile.ZipInfo) -> bool:
    """Whether a password protects it."""
    return bool(member.flag_bits & _LOCKED)


def member_read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, packed: int, most: int,
                limits: Limits) -> bytes:  # fmt: skip
    """Unpack a member; ``packed``: bytes of the archive, ``most``: bytes it may have at all.

    Raises ``UnreadableDocument``: ``broken``, ``too_large``.
    """
    most = min(most, max(_FREE_OF_RATIO, packed * limits.unpacked_ratio))
    pieces: list[bytes] = []
    size = 0
    with readable(), archive.open(member) as stream:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > most:
                raise bomb()
            pieces.append(block)
    return b"".join(pieces)


def member_name(member: zipfile.ZipInfo) -> str:
    """The path of a member, whichever encoding its program wrote it in.

    Told by the archive (its flag, or Info-ZIP's extra field), else UTF-8 if it is that, else the
    code page that gives the most letters: 437 of the standard, 850 of Western Windows, or 1252.
    """
    name = member.filename
    if not member.flag_bits & _UTF8_NAME:
        try:
            raw = name.encode("cp437")
        except UnicodeEncodeError:
            raw = b""
        name = _extra_name(member.extra) or (_named(raw) if raw else name)
    return name.replace("\\", "/")


def _named(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pages = [raw.decode(page, errors="replace") for page in ("cp437", "cp850", "cp1252")]
        return max(pages, key=_letters)


def _letters(name: str) -> int:
    """Letters of Western languages, less signs that no one has in a name."""
    latin = sum(character.isalpha() and ord(character) < 0x250 for character in name)
    odd = sum(ord(character) > 0x250 or character in "¢£¥§¬±¶·¿¡" for character in name)
    mixed = sum(before.islower() and after.isupper() for before, after in pairwise(name))
    return latin - 3 * odd - mixed


def _extra_name(extra: bytes) -> str:
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind == _UNICODE_PATH and size > 5:
            return extra[9 : 4 + size].decode("utf-8", errors="replace")
        extra = extra[4 + size :]
    return ""


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        message = _("The archive has a file whose path leads out of it: it is not opened.")
        raise UnreadableDocument("unsafe_path", message)


def _check_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, unpacked: int, packed: int, limits: Limits
) -> int:
    """Read a member through, counting; ``unpacked`` so far, and with it."""
    is_xml = member.filename.lower().endswith((".xml", ".rels", ".vml"))
    prolog = _Prolog() if is_xml else None
    with archive.open(member) as stream:
        while block := stream.read(BLOCK):
            unpacked += len(block)
            if unpacked > limits.unpacked_bytes:
                raise bomb()
            if unpacked > max(_FREE_OF_RATIO, packed * limits.unpacked_ratio):
                raise bomb()
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


def locked() -> UnreadableDocument:
    return UnreadableDocument("encrypted", _("The file is protected with a password."))


def bomb() -> UnreadableDocument:
    return UnreadableDocument("too_large", _("The file unpacks to more than may be read."))
