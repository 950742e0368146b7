"""The one log of `up`: every process's lines, on the terminal and in a file that is rotated."""

import contextlib
import json
import re
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TextIO

LARGEST_FILE = 10 * 1024**2  # bytes
KEPT_FILES = 5

_COLOURS = {
    "up": 1,
    "web": 36,
    "agent": 35,
    "worker": 33,
    "beat": 34,
    "postgresql": 32,
    "valkey": 31,
}
_HAS_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_NAME_WIDTH = 10


class LogBook:
    """Takes lines from several threads; colours only on a terminal, never in the file.

    With `as_json` each line is one JSON object that names its process.
    """

    def __init__(
        self, path: Path, *, terminal: TextIO | None = None, as_json: bool = False
    ) -> None:
        self.path = path
        self.terminal = sys.stdout if terminal is None else terminal
        self.as_json = as_json
        self._is_tty = self.terminal.isatty()
        self._lock = threading.Lock()
        self._file: IO[str] | None = None

    def write(self, source: str, line: str) -> None:
        text = self._as_json(source, line) if self.as_json else self._as_text(source, line)
        coloured = text
        if self._is_tty and not self.as_json:
            colour = _COLOURS.get(source.partition("-")[0], 37)
            coloured = f"\x1b[{colour}m{text[:_NAME_WIDTH]}\x1b[0m{text[_NAME_WIDTH:]}"
        with self._lock:
            self._show(coloured)
            # A full disk must not stop the processes whose log this is.
            with contextlib.suppress(OSError):
                self._store(text)

    def show(self, text: str) -> None:
        """Show on the terminal only: for what must not be kept, such as a password."""
        with self._lock:
            self._show(text)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _show(self, text: str) -> None:
        # The terminal may be gone (a closed SSH session): the file goes on.
        with contextlib.suppress(OSError, ValueError):
            self.terminal.write(f"{text}\n")
            self.terminal.flush()

    def _store(self, text: str) -> None:
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
            self.path.chmod(0o640)
        if self._file.tell() > LARGEST_FILE:
            self._file.close()
            self._rotate()
            self._file = self.path.open("a", encoding="utf-8")
        self._file.write(f"{text}\n")
        self._file.flush()

    def _rotate(self) -> None:
        for number in range(KEPT_FILES - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))

    def _as_text(self, source: str, line: str) -> str:
        moment = "" if _HAS_TIME.match(line) else f"{_now()} "
        return f"{source:{_NAME_WIDTH}} | {moment}{line}"

    def _as_json(self, source: str, line: str) -> str:
        head = f'"process": {json.dumps(source)}'
        if line.startswith("{") and line.endswith("}") and len(line) > 2:
            return f"{{{head}, {line[1:]}"
        return f'{{{head}, "timestamp": "{_now()}", "event": {json.dumps(line)}}}'


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
