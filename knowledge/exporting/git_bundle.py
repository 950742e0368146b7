"""A repository of git in one file, a bundle, which `git clone` takes like an address.

One commit follows the other on the branch `main`; a tag marks the last one. No git program is
needed. After gitformat-bundle(5) and the object formats of git.
"""

import datetime
import re
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from knowledge.exporting.packs import BLOB, COMMIT, TAG, TREE, PackWriter, Written

BRANCH = b"refs/heads/main"
_FILE, _FOLDER = b"100644", b"40000"
_ID_CHARS = 40
MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Signature:
    """Who did something, and when."""

    name: str
    at: datetime.datetime

    def line(self) -> bytes:
        """Return it as commits and tags have it; names lose what git does not allow in them."""
        name = " ".join(re.sub(r"[<>\0-\x1f\x7f]", " ", self.name).split()).strip(".,:;\"'")
        mail = re.sub(r"[^\w.+-]", "", name, flags=re.ASCII)
        address = f"{mail}@acervo.invalid" if mail else ""
        seconds = max(0, int(self.at.timestamp()))
        return f"{name or 'unknown'} <{address}> {seconds} +0000".encode()


@dataclass(slots=True)
class _Folder:
    """A folder: its rows by the keys that git sorts them by, and how it was last written.

    Rows are kept as they are written: most commits change one of many.
    """

    rows: dict[bytes, bytes] = field(default_factory=dict)
    order: list[bytes] = field(default_factory=list)
    folders: "dict[bytes, _Folder]" = field(default_factory=dict)
    changed: set[bytes] = field(default_factory=set)
    written: Written | None = None
    data: bytes = b""

    def put(self, name: bytes, mode: bytes, sha: bytes) -> None:
        """Set the row of a file or folder."""
        key = name + b"/" if mode == _FOLDER else name  # git sorts a folder as if it had a slash
        if key not in self.rows:
            insort(self.order, key)
        self.rows[key] = mode + b" " + name + b"\0" + sha

    def packed(self) -> bytes:
        """Return the folder as git keeps it."""
        return b"".join([self.rows[key] for key in self.order])


class BundleWriter:
    """A bundle on its way into a file that can be read and written at any place."""

    def __init__(self, target: BinaryIO, tag: str) -> None:
        self._file = target
        self._tag = tag
        target.write(b"# v2 git bundle\n")
        self._refs_at = target.tell()
        blank = b"0" * _ID_CHARS
        target.write(self._refs(blank, blank))
        self._pack = PackWriter(target)
        self._root = _Folder()
        self._last: bytes | None = None

    def file(self, data: bytes) -> bytes:
        """Store the content of a file; return its id for `commit`."""
        return self._pack.add(BLOB, data).sha

    def large_file(self, size: int, read: Callable[[], Iterable[bytes]]) -> bytes:
        """Store the content of a file without holding it; `read` gives it twice."""
        return self._pack.add_file(size, read).sha

    def commit(self, files: Mapping[str, bytes], who: Signature, message: str) -> bytes:
        """Write a commit that sets files, by path, to contents stored before; return its id."""
        for path, sha in files.items():
            self._set(path, sha)
        tree = self._tree(self._root)
        parent = [b"parent " + self._last] if self._last else []
        lines = [b"tree " + tree.hex().encode(), *parent]
        lines += [b"author " + who.line(), b"committer " + who.line(), b"", _text(message)]
        self._last = self._pack.add(COMMIT, b"\n".join(lines)).sha.hex().encode()
        return self._last

    def close(self, who: Signature, message: str) -> None:
        """Tag the last commit and finish the file. Raises ValueError without any commit."""
        if self._last is None:
            problem = "a repository without a commit has nothing to tag"
            raise ValueError(problem)
        lines = [b"object " + self._last, b"type commit", b"tag " + self._tag.encode()]
        lines += [b"tagger " + who.line(), b"", _text(message)]
        tag = self._pack.add(TAG, b"\n".join(lines)).sha.hex().encode()
        self._pack.close()
        self._file.seek(self._refs_at)
        self._file.write(self._refs(self._last, tag))

    def _refs(self, commit: bytes, tag: bytes) -> bytes:
        tag_ref = b"refs/tags/" + self._tag.encode()
        return b"%s HEAD\n%s %s\n%s %s\n\n" % (commit, commit, BRANCH, tag, tag_ref)

    def _set(self, path: str, sha: bytes) -> None:
        folder = self._root
        *folders, name = path.encode().split(b"/")
        for each in folders:
            folder.changed.add(each)
            folder = folder.folders.setdefault(each, _Folder())
        folder.put(name, _FILE, sha)

    def _tree(self, folder: _Folder) -> bytes:
        """Write a folder with those in it that changed; return its id."""
        for name in folder.changed:
            folder.put(name, _FOLDER, self._tree(folder.folders[name]))
        folder.changed.clear()
        data, old = folder.packed(), folder.written
        if old is None or old.at < 0:
            folder.written = self._pack.add(TREE, data)
        else:
            folder.written = self._pack.add_changed(TREE, data, old, folder.data)
        folder.data = data
        return folder.written.sha


def _text(message: str) -> bytes:
    """Return a message as git keeps it: without NUL, and with one line's end at its end."""
    return message.replace("\0", "").replace("\r\n", "\n").strip().encode() + b"\n"


def subject_of(text: str, fallback: str) -> str:
    """Return the first line of a commit's message: that of the text, if it has one."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = first or " ".join(fallback.split())
    return line if len(line) <= MAX_SUBJECT else f"{line[: MAX_SUBJECT - 1]}…"
