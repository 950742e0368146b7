"""Messages between a worker and the process that parses: JSON values, each after its length."""

import json
import socket
import struct
from typing import Any

_HEAD = struct.Struct("=I")
MOST = 256 * 1024 * 1024  # bytes of a message
HINT = 16  # bytes that say which libraries an order will need


def frame(value: Any) -> bytes:
    """The bytes of a message."""
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return _HEAD.pack(len(body)) + body


def send(connection: socket.socket, value: Any) -> None:
    """Send a message. Raises OSError."""
    connection.sendall(frame(value))


class Frames:
    """Takes messages from a connection as they come in."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self.is_over = False

    def take(self) -> Any:
        """Return a message that is complete, else None; ``is_over`` says that none will come.

        Raises ValueError for what is no message, and TimeoutError.
        """
        while True:
            if (value := self._complete()) is not None:
                return value
            try:
                piece = self._connection.recv(1 << 20)
            except ConnectionResetError:
                piece = b""
            if not piece:
                self.is_over = True
                return None
            self._buffer += piece

    def _complete(self) -> Any:
        if len(self._buffer) < _HEAD.size:
            return None
        (size,) = _HEAD.unpack_from(self._buffer)
        if size > MOST:
            raise ValueError("a message that is too long")
        end = _HEAD.size + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[_HEAD.size : end])
        del self._buffer[:end]
        return json.loads(body.decode("utf-8", "surrogatepass"))
