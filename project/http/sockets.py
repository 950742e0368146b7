"""What every WebSocket shares."""

from typing import Any, ClassVar

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

# Why the server closes. After the last four a client comes back: at once with what it has seen
# (too slow), later (process full, flood), or over plain HTTP (too many of one person).
NOT_SIGNED_IN, NOT_YOURS, NO_SUCH_SOCKET, IDLE = 4401, 4403, 4404, 4408
TOO_SLOW, FLOOD, TOO_MANY, PROCESS_FULL = 4413, 4429, 4430, 1013
TOO_BIG, NOT_TEXT = 1009, 1003


class Socket(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """A socket that closes once: what either side says afterwards is dropped.

    Frames that were on their way when the server closed still arrive, and an answer to them is
    against the protocol.

    Channels would look for old database connections before each message, in a thread: here they
    are given back where they are used (`project.aio`), and a message costs no thread.
    """

    channel_layer_alias: ClassVar[Any] = None  # the layer loses messages; nothing is sent over it
    _is_closed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the connection; `ended` is called however it ends."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.ended()

    def ended(self) -> None:
        """Give back what the connection holds."""

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the method for a message of the protocol server."""
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """End: the connection is gone."""
        await self.disconnect(message["code"])
        raise StopConsumer

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Take a frame, unless the socket was closed."""
        if not self._is_closed:
            await super().websocket_receive(message)

    async def send(
        self,
        text_data: str | None = None,
        bytes_data: bytes | None = None,
        close: bool = False,  # noqa: FBT001, FBT002 - as Channels has it
    ) -> None:
        """Send a frame, unless the socket was closed."""
        if not self._is_closed:
            await super().send(text_data, bytes_data, close)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close; only the first time counts."""
        if not self._is_closed:
            self._is_closed = True
            await super().close(code, reason)


class NoSuchSocket(Socket):
    """Turns away who opens an address that is no socket."""

    async def connect(self) -> None:
        """Refuse."""
        await self.close(NO_SUCH_SOCKET)
