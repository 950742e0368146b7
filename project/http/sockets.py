"""What every WebSocket shares."""

from typing import Any, ClassVar

from channels.generic.websocket import AsyncWebsocketConsumer

NO_SUCH_SOCKET = 4404


class Socket(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    """A socket that closes once: what either side says afterwards is dropped.

    Frames that were on their way when the server closed still arrive, and an answer to them is
    against the protocol.
    """

    channel_layer_alias: ClassVar[Any] = None  # the layer loses messages; nothing is sent over it
    _is_closed = False

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
