"""Valkey (a Redis) in `<data>/valkey`."""

import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import ClassVar

from project.embedded.folders import folder_error, make_folder
from project.embedded.server import Server
from project.embedded.settings import write_private

# The end of an append-only file may be cut off by a crash (Valkey repairs that by itself);
# these lines mean that it is damaged in the middle.
_DAMAGED = ("Bad file format reading the append only file", "Error reading the RDB base file")
_STAMP = re.compile(r"^\d+:\S+ (\d+ \w+ \d+ [\d:.]+|\(\d+\)) ?[#*.-]? ?")


class Valkey(Server):
    """The Redis-compatible server. Nothing in it is the only copy of anything."""

    name: ClassVar[str] = "Valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    passing_faults: ClassVar[tuple[str, ...]] = (*_DAMAGED, "Address already in use")

    @property
    def folder(self) -> Path:
        return self.data / "valkey"

    @property
    def port(self) -> int:
        return self.settings.valkey_port

    def prepare(self) -> None:
        make_folder(self.folder, account=self.account)
        if any(mark in line for line in self.tail for mark in _DAMAGED):
            self._set_damaged_data_aside()
        configuration = self.folder / "valkey.conf"
        lines = (
            "bind 127.0.0.1",
            f"port {self.port}",
            f"requirepass {self.settings.valkey_password}",
            f"dir {_quoted(self.folder)}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
            "maxclients 4000",
            "tcp-backlog 128",
            "daemonize no",
            "loglevel warning",
            "always-show-logo no",
        )
        write_private(configuration, "\n".join(lines) + "\n")
        if self.account is not None:
            os.chown(configuration, self.account.uid, self.account.gid)

    def command(self) -> list[str]:
        return [str(self.binaries.valkey_server), str(self.folder / "valkey.conf")]

    def is_ready(self) -> bool:
        """Whether it answers PING; while it loads its data it answers an error instead."""
        request = f"AUTH {self.settings.valkey_password}\r\nPING\r\n".encode()
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(request)
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(256)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return b"+PONG" in answer

    def tidy(self, line: str) -> str:
        # Said on most machines at every start; the doctor tells it where it matters.
        return "" if "Memory overcommit must be enabled" in line else _STAMP.sub("", line)

    def _set_damaged_data_aside(self) -> None:
        """Start empty rather than never: Postgres is the truth, and what was here is kept."""
        damaged = self.folder / "appendonlydir"
        aside = damaged.with_name(f"appendonlydir.damaged-{int(time.time())}")
        try:
            damaged.rename(aside)
        except OSError as error:
            raise folder_error(damaged, error) from error
        self.tail.clear()


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
