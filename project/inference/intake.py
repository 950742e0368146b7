"""Takes in a stream of bytes as it comes, for a reader who looks at it now and then.

An answer that breaks off takes what the connection still held with it. So what arrives is taken at
once, and whoever reads is given all of it before being told how it ended.
"""

import asyncio
from collections.abc import AsyncIterable

MOST_BYTES = 1024 * 1024
"""That wait for the reader; then the connection waits."""


class Intake:
    """Reads `stream` in the background, from the start to `close`."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream
        self._chunks: list[bytes] = []
        self._size = 0
        self._changed = asyncio.Event()  # something came, or it is over
        self._taken = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def next(self) -> bytes | None:
        """Return what has come, at least a byte; None at the end. Raises what ended the stream."""
        await self._changed.wait()
        if self._chunks:
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._size = 0
            self._taken.set()
            if not self._task.done():
                self._changed.clear()
            return data
        await self._task  # it is over
        return None

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # told to the reader, or nobody asks

    async def _run(self) -> None:
        try:
            async for chunk in self._stream:
                if not chunk:
                    continue
                self._chunks.append(chunk)
                self._size += len(chunk)
                self._changed.set()
                while self._size > MOST_BYTES:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            # After the task is done: the reader asks it how it ended.
            asyncio.get_running_loop().call_soon(self._changed.set)
