"""Objects of git, written one after another into a pack.

After gitformat-pack(5): a header, each object as its type and size and its compressed bytes, or as
what to change in an earlier one, and the SHA-1 of it all. Folders change little from commit to
commit: they are written as differences, up to MAX_DEPTH in a row.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

BLOCK = 1024 * 1024
MAX_DEPTH = 50  # as git itself packs
COMMIT, TREE, BLOB, TAG, DELTA = 1, 2, 3, 4, 6
_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_MOST_COPIED = 0xFFFFFF  # bytes that one instruction of a difference copies
_MOST_INSERTED = 127


class Written(NamedTuple):
    """An object in the pack: its id, where it is, and how many differences lead to it."""

    sha: bytes
    at: int
    depth: int = 0


class PackWriter:
    """A pack at the end of a file that can be read and written at any place."""

    def __init__(self, target: BinaryIO) -> None:
        self._file = target
        self._start = target.tell()
        self._count = 0
        self._known: set[bytes] = set()
        target.write(struct.pack(">4sLL", b"PACK", 2, 0))

    def add(self, kind: int, data: bytes) -> Written:
        """Write an object and return it; one that is there already is not written again."""
        sha = object_id(kind, data)
        return self._write(sha, kind, len(data), [data])

    def add_file(self, size: int, read: Callable[[], Iterable[bytes]]) -> Written:
        """Write a file of `size` bytes, which `read` gives twice: for its id, and to be written.

        Raises ValueError for a file of another size, or one that changes meanwhile.
        """
        sha = _blob_id(size, read())
        again = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)

        def counted() -> Iterator[bytes]:
            for piece in read():
                again.update(piece)
                yield piece

        is_new = sha not in self._known
        written = self._write(sha, BLOB, size, counted())
        if is_new and again.digest() != sha:
            message = "a file changed while it was written"
            raise ValueError(message)
        return written

    def add_changed(self, kind: int, data: bytes, base: Written, base_data: bytes) -> Written:
        """Write an object as what differs from an earlier one."""
        sha = object_id(kind, data)
        if base.depth >= MAX_DEPTH or sha in self._known:
            return self._write(sha, kind, len(data), [data])
        delta = delta_of(base_data, data)
        at = self._file.tell()
        self._count += 1
        self._known.add(sha)
        self._file.write(_head(DELTA, len(delta)) + _offset(at - base.at) + zlib.compress(delta))
        return Written(sha, at, base.depth + 1)

    def close(self) -> None:
        """Write how many objects there are, and the checksum."""
        self._file.seek(self._start + 8)
        self._file.write(struct.pack(">L", self._count))
        self._file.seek(self._start)
        digest = hashlib.sha1(usedforsecurity=False)
        while piece := self._file.read(BLOCK):
            digest.update(piece)
        self._file.write(digest.digest())

    def _write(self, sha: bytes, kind: int, size: int, pieces: Iterable[bytes]) -> Written:
        at = self._file.tell()
        if sha in self._known:
            return Written(sha, -1, MAX_DEPTH)  # where it is was not kept: no base for others
        self._known.add(sha)
        self._count += 1
        self._file.write(_head(kind, size))
        packer = zlib.compressobj()
        for piece in pieces:
            self._file.write(packer.compress(piece))
        self._file.write(packer.flush())
        return Written(sha, at)


def object_id(kind: int, data: bytes) -> bytes:
    """Return the SHA-1 that names an object, in bytes."""
    head = _NAMES[kind] + f" {len(data)}\0".encode()
    return hashlib.sha1(head + data, usedforsecurity=False).digest()


def _blob_id(size: int, pieces: Iterable[bytes]) -> bytes:
    digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    found = 0
    for piece in pieces:
        digest.update(piece)
        found += len(piece)
    if found != size:
        message = f"a file has {found} bytes, not {size}"
        raise ValueError(message)
    return digest.digest()


def delta_of(old: bytes, new: bytes) -> bytes:
    """Return the instructions that make `new` of `old`: their common ends, and what is between."""
    limit = min(len(old), len(new))
    head = _common(old, new, limit)
    tail = _common(old[::-1], new[::-1], limit - head)
    parts = [_varint(len(old)), _varint(len(new)), *_copies(0, head)]
    middle = new[head : len(new) - tail]
    for at in range(0, len(middle), _MOST_INSERTED):
        piece = middle[at : at + _MOST_INSERTED]
        parts.append(bytes([len(piece)]) + piece)
    parts.extend(_copies(len(old) - tail, tail))
    return b"".join(parts)


def _common(left: bytes, right: bytes, limit: int) -> int:
    """Return how many first bytes are equal, by bisection: comparing slices is fast."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _copies(offset: int, size: int) -> Iterator[bytes]:
    while size:
        piece = min(size, _MOST_COPIED)
        # All four bytes of the offset and all three of the size: shorter forms save nothing here.
        yield b"\xff" + struct.pack("<L", offset) + struct.pack("<L", piece)[:3]
        offset, size = offset + piece, size - piece


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _head(kind: int, size: int) -> bytes:
    first, rest = kind << 4 | size & 0x0F, size >> 4
    return bytes([first | 0x80]) + _varint(rest) if rest else bytes([first])


def _offset(number: int) -> bytes:
    """Return how far back the base is, in the form of OFS_DELTA."""
    out = [number & 0x7F]
    while number := number >> 7:
        number -= 1
        out.append(number & 0x7F | 0x80)
    return bytes(reversed(out))
