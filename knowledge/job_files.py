"""What an interrupted job keeps: a folder of its own beside the sources.

JSON lines for pages, files as they came. Every write ends with the bytes on the disk; a
line or file that a crash cut short is not read.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings


class JobFolder:
    """The folder `jobs/<id>` of the uploads."""

    def __init__(self, job_id: uuid.UUID) -> None:
        self._path = Path(settings.MEDIA_ROOT) / "jobs" / str(job_id)

    def path(self, name: str) -> Path:
        """Return where a file of that name is, or would be."""
        return self._path / name

    def append(self, name: str, record: Any) -> None:
        """Add a record to a file. Raises OSError."""
        self._path.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        with (self._path / name).open("a+b") as file:
            _cut_torn_line(file)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def records(self, name: str) -> Iterator[Any]:
        """Yield the whole records of a file; none when there is no such file."""
        path = self._path / name
        if not path.exists():
            return
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield json.loads(line.decode("utf-8", "surrogatepass"))

    def file_keep(self, name: str, pieces: Iterable[bytes]) -> None:
        """Keep a file's bytes under a name. Raises OSError."""
        self._path.mkdir(parents=True, exist_ok=True)
        with (self._path / name).open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def file_open(self, name: str) -> BinaryIO:
        """Open a kept file. Raises FileNotFoundError."""
        return (self._path / name).open("rb")

    def remove(self) -> None:
        """Remove the folder, if there is one."""
        shutil.rmtree(self._path, ignore_errors=True)


def _cut_torn_line(file: BinaryIO) -> None:
    """Remove what a crash left of a line at the end of a file."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return
    file.seek(size - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
