"""Parsing in a process of its own, which can be killed and may do little (``_sandbox``).

    with Apart(path, filename=…, bounds=…) as reading:
        for page in reading.pages(after=place, waiting=check):
            save(page.to_json())
        documents = reading.documents(pages_file)

What a file does to the process that reads it ends that process, not the caller: a crash, a full
memory, or a page that takes too long is an ``UnreadableDocument`` (``crashed``, ``memory``,
``timeout``). Leaving the block kills whatever still runs.

The processes are forked by a server that each process of Acervo starts when it first needs it
(``_forking``, ``_server``): about 6 ms a file instead of half a second to load the libraries.
"""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from knowledge.parsing._assemble import language_sample, language_told
from knowledge.parsing._forking import forking_server
from knowledge.parsing._frames import Frames, send
from knowledge.parsing._server import MEMORY_EXIT, STATUS
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._walk import Place
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import (
    Limits,
    Ocr,
    PageSpan,
    ParsedDocument,
    UnreadableDocument,
    UnsupportedDocument,
)

LOOK_EVERY = 0.25  # seconds between two looks whether the caller still wants it
MOST_LOST = 5  # documents of a container over which the process may fall before it is given up


class ParserGone(OSError):
    """The server that forks ended (the machine had no memory left, or somebody killed it)."""


@dataclass(frozen=True, slots=True)
class ParseBounds:
    """What reading one file may cost: ``memory`` in bytes, ``page_seconds`` without a new page."""

    memory: int = 1536 * 1024 * 1024
    page_seconds: float = 300.0
    processor_seconds: int = 7200


@dataclass(slots=True)
class Apart:
    """One file, read in a process of its own."""

    path: Path
    filename: str
    content_type: str | None = None
    language: str = "en"
    limits: Limits = field(default_factory=Limits)
    bounds: ParseBounds = field(default_factory=ParseBounds)
    ocr: Ocr | None = None
    _running: "_Process | None" = None

    def __enter__(self) -> "Apart":
        return self

    def __exit__(self, *_fault: object) -> None:
        self._stop()

    def pages(
        self, *, after: Place | None = None, waiting: Callable[[], None] = lambda: None
    ) -> Iterator[RawPage]:
        """Yield the pages after a place, each as soon as it is read.

        ``waiting`` is called a few times a second and may raise. A document of a container over
        which the process falls is a page with an ``error``, and the reading goes on after it.
        Raises ``ParsingError`` and OSError.
        """
        lost = 0
        while True:
            entry = after.entry if after is not None else ""
            try:
                for answer in self._answers({"after": asdict(after) if after else None}, waiting,
                                            self.path):  # fmt: skip
                    if "entry" in answer:
                        entry = answer["entry"]
                    else:
                        page = RawPage.from_json(answer["page"])
                        after = Place(page.entry, page.index, "error" in page.info)
                        yield page
            except UnreadableDocument as fault:
                lost += 1
                if fault.code not in _FALLS or not entry or lost > MOST_LOST:
                    raise
                info = {"error": {"code": fault.code, "message": fault.message}}
                after = Place(entry, 0, is_over=True)
                yield RawPage(index=0, total=1, entry=entry, info=info)
            else:
                return

    def documents(
        self, pages: Path, *, waiting: Callable[[], None] = lambda: None
    ) -> list[ParsedDocument]:
        """Return the documents that the kept pages (a JSON value a line) make."""
        order = {"assemble": True}
        return [_document(answer["document"]) for answer in self._answers(order, waiting, pages)]

    def _answers(
        self, more: dict[str, Any], waiting: Callable[[], None], path: Path
    ) -> Iterator[dict[str, Any]]:
        order = {
            "assemble": False,
            "after": None,
            "filename": self.filename,
            "content_type": self.content_type,
            "language": self.language,
            "limits": asdict(self.limits),
            "ocr": asdict(self.ocr) if self.ocr else None,
            "bounds": {
                "memory": self.bounds.memory,
                "seconds": self.bounds.processor_seconds,
            },
        }
        hint = PurePath(self.filename).suffix[1:].lower()
        with path.open("rb") as file:
            self._running = _Process(file, hint)
        try:
            send(self._running.data, order | more)
            yield from self._running.answers(self.bounds, waiting)
        finally:
            self._stop()

    def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.close()


_FALLS = frozenset({"crashed", "memory", "timeout"})


class _Process:
    """A forked process that reads one file."""

    def __init__(self, file: BinaryIO, hint: str) -> None:
        self.data, data = socket.socketpair()
        self._watch, watch = socket.socketpair()
        self.data.settimeout(LOOK_EVERY)
        try:
            forking_server().order(hint, [file.fileno(), data.fileno(), watch.fileno()])
        except BaseException:
            self.close()
            raise
        finally:
            data.close()
            watch.close()

    def answers(self, bounds: ParseBounds, waiting: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """Yield what it tells, up to its end. Raises ``ParsingError`` for a refusal or a fall."""
        frames = Frames(self.data)
        last = time.monotonic()
        while True:
            try:
                answer = frames.take()
            except TimeoutError:
                waiting()
                if time.monotonic() - last > bounds.page_seconds:
                    raise _too_slow(bounds) from None
                continue
            except ValueError:
                raise _crashed("nonsense") from None
            if answer is None:
                raise self._fall(bounds)
            last = time.monotonic()
            if "error" in answer:
                raise _refusal(answer["error"])
            if "end" in answer:
                return
            yield answer

    def _fall(self, bounds: ParseBounds) -> Exception:
        """Return what to raise for a process that ended without a word."""
        self._watch.settimeout(5)
        try:
            told = self._watch.recv(STATUS.size)
        except OSError:
            told = b""
        if len(told) < STATUS.size:
            return ParserGone("the process that forks parsers ended")
        status, memory = STATUS.unpack(told)
        if status == -signal.SIGXCPU:
            return _too_slow(bounds)
        is_full = memory * 1024 > 0.7 * bounds.memory
        if status in (MEMORY_EXIT, -signal.SIGKILL) or (status < 0 and is_full):
            message = _(
                "Reading the file takes more than %(limit)s MB of memory. Divide it, or ask the "
                "server's operator for a higher limit."
            )
            limit = bounds.memory // 2**20
            return UnreadableDocument("memory", message % {"limit": limit})
        try:
            return _crashed(signal.Signals(-status).name if status < 0 else str(status))
        except ValueError:
            return _crashed(str(status))

    def close(self) -> None:
        """Have it killed, if it still runs."""
        self.data.close()
        self._watch.close()


def _refusal(error: dict[str, str]) -> Exception:
    kind = UnsupportedDocument if error["kind"] == "unsupported" else UnreadableDocument
    return kind(error["code"], error["message"])


def _too_slow(bounds: ParseBounds) -> UnreadableDocument:
    message = _("A page of the file took more than %(seconds)s seconds to read: it was given up.")
    return UnreadableDocument("timeout", message % {"seconds": round(bounds.page_seconds)})


def _crashed(why: str) -> UnreadableDocument:
    message = _("The program that reads the file broke down over it (%(why)s): it is damaged.")
    return UnreadableDocument("crashed", message % {"why": why})


def _document(record: dict[str, Any]) -> ParsedDocument:
    spans = [PageSpan(**span) for span in record["pages"]]
    language = language_told(language_sample(record["markdown"]))
    return ParsedDocument(**{**record, "pages": spans, "language": language})
