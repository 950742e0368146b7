"""The WebSocket protocol of the web process: uvicorn's, with an end to connections that stall.

uvicorn waits until a full connection can be written to again, and closes one only once everything
was written: a reader that stopped reading, or whose machine is gone, would be kept for as long as
the kernel hopes. Here a reader that takes nothing for SLOW_SECONDS is told to come back (which it
reads if it ever reads on) and soon after cut off; what it missed it asks for by number.
"""

import asyncio
import contextlib
import socket
from asyncio.transports import BaseTransport
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from project.http.sockets import TOO_SLOW

HEARTBEAT_SECONDS = 30.0
ANSWER_SECONDS = 15.0  # for the answer to a heartbeat
SLOW_SECONDS = 10.0
LINGER_SECONDS = 3.0  # between the reason and the end
UNREAD_BYTES = 64 * 1024  # that wait in the process; the kernel keeps as much again
_USER_TIMEOUT_MS = 45_000


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection: bounded in what waits for it and in how long."""

    _stalled: asyncio.TimerHandle | None = None
    _lingering: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound what the kernel and the process keep for a reader."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=UNREAD_BYTES)
        connection: Any = transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):  # not TCP, or not Linux
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNREAD_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        for timer in (self._stalled, self._lingering):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the reader, but not for long."""
        super().pause_writing()
        self._stalled = self.loop.call_later(SLOW_SECONDS, self._too_slow)

    def resume_writing(self) -> None:
        """Go on: it has read."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def keepalive_timeout(self) -> None:
        """Drop a peer that answers no heartbeat, with what was still to be sent."""
        super().keepalive_timeout()
        self._linger()

    def _too_slow(self) -> None:
        self._stalled = None
        if self.handshake_complete and not self.close_sent:
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": TOO_SLOW})
            self.conn.send_close(TOO_SLOW, "too slow")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self.disconnected = True  # ends whoever waits to send
        self.writable.set()
        self.transport.close()
        self._linger()

    def _linger(self) -> None:
        if self._lingering is None:
            self._lingering = self.loop.call_later(LINGER_SECONDS, self.transport.abort)
