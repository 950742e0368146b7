"""A folder of this machine, inside those that the operator has opened.

Links are never followed: every step from the folder to a file is opened without following them, so
that nothing a link is changed to in between leads out of the folder.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Fault,
    Found,
    Item,
    Known,
    Setting,
    Unchanged,
    key_of,
)
from knowledge.connectors.checks import folder_inside, is_readable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MOST_DEPTH = 64


class FolderConnector(Connector):
    """The files of a folder and of those in it."""

    name = "folder"
    label = gettext_lazy("Watched folder")
    settings = (
        Setting("path", gettext_lazy("Folder"), is_required=True),
        Setting(
            "patterns",
            gettext_lazy("Files"),
            kind="list",
            default=[],
            help=gettext_lazy("Patterns such as *.md, one a line; empty: all that can be read."),
        ),
        Setting("subfolders", gettext_lazy("With its folders"), kind="flag", default=True),
    )

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault for a folder that the operator has not opened."""
        folder_inside(values["path"], "path")

    def probe(self) -> str:
        """Count the files."""
        count = sum(1 for _found in self._files())
        return _("The folder is there; %(count)s files in it can be read.") % {"count": count}

    def items(self, known: Known) -> Iterator[Found]:
        """Yield the files by their paths from the folder."""
        for path, facts in self._files():
            key = key_of(path)
            before = known.get(key)
            tag = f"{facts.st_ino}-{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}"
            if before is not None and (before.is_done or before.etag == tag):
                yield Unchanged(key)
            elif facts.st_size > settings.ACERVO_MAX_UPLOAD_BYTES:
                yield Fault(key, _("The file is too large."))
            else:
                yield Item(
                    key,
                    self._opener(path),
                    filename=PurePosixPath(path).name,
                    etag=tag,
                    modified=datetime.fromtimestamp(facts.st_mtime, tz=UTC),
                    url="",
                )

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        root = folder_inside(self.values["path"], "path")
        try:
            handle = os.open(root, _FOLDER)
        except OSError:
            raise ConnectorFault(_("The folder cannot be read.")) from None
        try:
            yield from self._walk(handle, "", 0)
        finally:
            os.close(handle)

    def _walk(self, handle: int, before: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
        try:
            names = sorted(os.listdir(handle))
        except OSError:
            raise ConnectorFault(_("The folder cannot be read.")) from None
        for name in names:
            if name.startswith("."):
                continue
            path = f"{before}{name}"
            try:
                facts = os.stat(name, dir_fd=handle, follow_symlinks=False)
            except OSError:
                continue  # it went while the folder was read
            if stat.S_ISREG(facts.st_mode) and self._is_wanted(path):
                yield path.encode("utf-8", "replace").decode(), facts
            elif stat.S_ISDIR(facts.st_mode) and self.values["subfolders"] and depth < MOST_DEPTH:
                try:
                    inner = os.open(name, _FOLDER, dir_fd=handle)
                except FileNotFoundError:
                    continue
                except OSError:
                    raise ConnectorFault(_("The folder cannot be read.")) from None
                try:
                    yield from self._walk(inner, f"{path}/", depth + 1)
                finally:
                    os.close(inner)

    def _is_wanted(self, path: str) -> bool:
        patterns = self.values["patterns"]
        if not patterns:
            return is_readable(path)
        name = PurePosixPath(path).name
        return any(fnmatch(path, each) or fnmatch(name, each) for each in patterns)

    def _opener(self, path: str) -> Callable[[], IO[bytes]]:
        def opened() -> IO[bytes]:
            return _opened_inside(folder_inside(self.values["path"], "path"), path)

        return opened


def _opened_inside(root: Path, path: str) -> IO[bytes]:
    """Open a file below a folder without following a link on the way. Raises OSError."""
    *folders, name = path.split("/")
    handle = os.open(root, _FOLDER)
    try:
        for each in folders:
            inner = os.open(each, _FOLDER, dir_fd=handle)
            os.close(handle)
            handle = inner
        file = os.open(name, _FILE, dir_fd=handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError("not a file")
    return os.fdopen(file, "rb")
