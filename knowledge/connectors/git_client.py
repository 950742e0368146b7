"""The web client of dulwich, calling through Acervo's guard. Imported where it is used only."""

from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from dulwich.client import AbstractHttpGitClient

Caller = Callable[[str, Mapping[str, str], bytes | None], tuple[str, str, IO[bytes]]]


class _Answer:
    """What the library wants to know of an answer."""

    def __init__(self, asked: str, url: str, content_type: str, file: IO[bytes]) -> None:
        self.content_type = content_type
        self.redirect_location = url if url != asked else ""
        self._file = file

    def close(self) -> None:
        """Let go of the body."""
        self._file.close()


class GuardedGitClient(AbstractHttpGitClient):
    """Reads a repository over the web."""

    def __init__(self, url: str, caller: Caller) -> None:
        super().__init__(url, quiet=True)
        self._caller = caller

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,  # noqa: FBT001, FBT002 - the library's signature
    ) -> tuple[Any, Callable[[int], bytes]]:
        body = data if data is None or isinstance(data, bytes) else b"".join(data)
        asked = headers or {}
        sent = {name: each for name, each in asked.items() if name.lower() != "content-length"}
        ended, content_type, file = self._caller(url, sent, body)
        return _Answer(url, ended, content_type, file), file.read
