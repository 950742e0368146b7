"""One file to its pages; a ZIP file, a mailbox or a message to those of all documents in it.

Every document has a place, its ``entry``: the path in an archive, the identifier of a message, the
name of what is attached to it, and these joined by ``/`` where one holds another. Places do not
depend on what else is in the file, so a later edition of it is told apart document by document.

What cannot be read in a container is a page with an ``error``: the others are read all the same.
Nothing is written to disk, whatever paths an archive names.
"""

import hashlib
import io
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

from knowledge.parsing import _mail, _office, _pdf, _pictures, _plain, _tables
from knowledge.parsing._archives import (
    bomb,
    check_archive,
    check_zip,
    is_locked,
    locked,
    member_name,
    member_read,
)
from knowledge.parsing._faults import broken, empty
from knowledge.parsing._formats import CONTAINERS, PICTURES, Format, detect_format
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._text import clean, json_value
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits, Ocr, ParsingError, UnreadableDocument

_READERS: dict[Format, Callable[[bytes, Limits], Iterator[RawPage]]] = {
    Format.MARKDOWN: _plain.read_markdown,
    Format.TEXT: _plain.read_text,
    Format.HTML: _plain.read_html,
    Format.DOCX: _office.read_docx,
    Format.PPTX: _office.read_pptx,
    Format.XLSX: _tables.read_xlsx,
    Format.CSV: _tables.read_csv,
    Format.TSV: _tables.read_tsv,
    Format.JSON: _tables.read_json,
    Format.JSONL: _tables.read_jsonl,
}
_OFFICE = frozenset({Format.DOCX, Format.PPTX, Format.XLSX})
_FURNITURE = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
_LONGEST_NAME = 300


Load = Callable[[], tuple[bytes, str, str]]
"""Gives the bytes, the file name and the claimed type of a document in a container."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading stopped: the last page kept. ``is_over``: nothing more of that entry."""

    entry: str
    index: int
    is_over: bool = False


@dataclass(slots=True)
class Walk:
    """One reading of a file. ``begins`` is told each document in it before that is read."""

    limits: Limits
    ocr: Ocr | None = None
    after: Place | None = None
    begins: Callable[[str], None] = lambda _entry: None
    _entries: int = 0
    _unpacked: int = 0
    _characters: int = 0
    _seen: dict[str, str] = field(default_factory=dict)  # entry by SHA-256

    def pages(self, data: bytes, filename: str, content_type: str | None) -> Iterator[RawPage]:
        """The pages after ``after``. Raises ``ParsingError`` for the file as a whole."""
        found = detect_format(data, filename, content_type)
        try:
            if found not in CONTAINERS:
                for page in self._simple(data, found, ""):
                    yield replace(page, share=(page.index + 1) / page.total)
                return
            if found is not Format.EML:  # which is a document itself
                if self.after is None:
                    yield RawPage(index=0, total=1, info={"format": found.value})
                elif self.after.entry == "":
                    self.after = None
            yield from self._container(data, found, "", 1, (0.0, 1.0))
        except _WholeFileFault as fault:
            raise fault.error from None

    def _simple(self, data: bytes, found: Format, entry: str) -> Iterator[RawPage]:
        """The pages of a document that holds no others."""
        first = 0
        if self.after is not None:
            if self.after.entry != entry:
                return  # it was read before
            first, self.after = self.after.index + 1, None
        for page in self._read(data, found, first):
            if page.index >= first:
                yield self._finished(page, found, entry)

    def _read(self, data: bytes, found: Format, first: int) -> Iterator[RawPage]:
        if found is Format.HTML and len(data) > self.limits.html_bytes:
            raise too_large(self.limits.html_bytes)
        if found in _OFFICE:
            check_archive(data, self.limits)
        if found is Format.PDF:
            return _pdf.read_pdf(data, self.limits, first=first, ocr=self.ocr)
        if found in PICTURES:
            return _pictures.read_picture_file(data, self.limits, self.ocr)
        return _READERS[found](data, self.limits)

    def _finished(self, page: RawPage, found: Format, entry: str) -> RawPage:
        self._characters += len(page.markdown) + sum(len(line.text) for line in page.lines)
        if self._characters > self.limits.archive_characters:
            message = _("The file has more text than can be read.")
            raise _WholeFileFault(UnreadableDocument("too_large", message))
        return replace(
            page,
            label=clean(page.label),
            markdown=clean(page.markdown),
            info=json_value({**page.info, "format": found.value}),
            entry=entry,
        )

    def _container(
        self, data: bytes, found: Format, entry: str, depth: int, part: tuple[float, float]
    ) -> Iterator[RawPage]:
        """The documents in one; ``part`` is the share of the whole file that it stands for."""
        if found is Format.EML:
            yield from self._message(data, entry, depth, part)
            return
        size, inside = self._members(data) if found is Format.ZIP else _messages(data)
        for number, (name, load) in enumerate(inside):
            yield from self._entry(joined(entry, name), load, depth, _step(part, number, size))

    def _entry(
        self, entry: str, load: Load, depth: int, part: tuple[float, float]
    ) -> Iterator[RawPage]:
        """A document in a container; what is wrong with it is a page that says so."""
        if self.after is None:
            self.begins(entry)
        elif self.after == Place(entry, self.after.index, is_over=True):
            self.after = None
            return
        was_read = self.after is not None
        try:
            data, name, content_type = load()
            self._count(data, entry)
            found = detect_format(data, name, content_type or None)
            if found in CONTAINERS:
                if depth >= self.limits.depth:
                    message = _("It is an archive or message within too many others.")
                    raise UnreadableDocument("too_deep", message)
                yield from self._container(data, found, entry, depth + 1, part)
                return
            for page in self._simple(data, found, entry):
                share = part[0] + (part[1] - part[0]) * (page.index + 1) / page.total
                yield replace(page, share=share)
        except ParsingError as error:
            if was_read and self.after is not None:
                return  # it was told of before
            info = {"error": {"code": error.code, "message": error.message}}
            yield RawPage(index=0, total=1, entry=entry, info=info, share=part[1])

    def _count(self, data: bytes, entry: str) -> None:
        """Count a document. Raises ``UnreadableDocument`` for an empty one, or one seen before."""
        self._entries += 1
        self._unpacked += len(data)
        if self._entries > self.limits.entries:
            message = _("The file holds more than %(limit)s documents: divide it.")
            raise _WholeFileFault(
                UnreadableDocument("too_many_entries", message % {"limit": self.limits.entries})
            )
        if self._unpacked > self.limits.unpacked_bytes:
            raise _WholeFileFault(bomb())
        if not data:
            raise empty()
        first = self._seen.setdefault(hashlib.sha256(data).hexdigest(), entry)
        if first != entry:
            message = _("It is the same as %(first)s.")
            raise UnreadableDocument("duplicate", message % {"first": first})

    def _message(
        self, data: bytes, entry: str, depth: int, part: tuple[float, float]
    ) -> Iterator[RawPage]:
        mail = _mail.read_mail(data)
        size = len(mail.attachments) + 1
        if self.after is None:
            page = self._finished(mail.page, Format.EML, entry)
            yield replace(page, share=_step(part, 0, size)[1])
        elif self.after.entry == entry:
            self.after = None
        names = _Names()
        for number, each in enumerate(mail.attachments, start=1):
            place = joined(entry, names.free(each.name))
            load = partial(_given, (each.data, each.name, each.content_type))
            yield from self._entry(place, load, depth, _step(part, number, size))

    def _members(self, data: bytes) -> tuple[int, Iterator[tuple[str, Load]]]:
        files = sorted(
            (clean(member_name(member)).removeprefix("./"), place, member)
            for place, member in enumerate(check_zip(data, self.limits))
        )
        files = [each for each in files if not _is_furniture(each[0])]
        return len(files), self._member_loads(data, [(name, info) for name, _at, info in files])

    def _member_loads(
        self, data: bytes, files: list[tuple[str, zipfile.ZipInfo]]
    ) -> Iterator[tuple[str, Load]]:
        names = _Names()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name, member in files:
                yield names.free(name), partial(self._unpacked_member, archive, member, len(data))

    def _unpacked_member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, packed: int
    ) -> tuple[bytes, str, str]:
        if is_locked(member):
            raise locked()
        if stat.S_ISLNK(member.external_attr >> 16):
            raise UnreadableDocument("link", _("It is a link to another file."))
        most = self.limits.unpacked_bytes - self._unpacked
        data = member_read(archive, member, packed=packed, most=most, limits=self.limits)
        return data, PurePosixPath(member_name(member)).name, ""


class _WholeFileFault(Exception):
    """What ends the reading of the whole file, wherever in it it was met."""

    def __init__(self, error: UnreadableDocument) -> None:
        super().__init__(error.message)
        self.error = error


class _Names:
    """Names in a container, each once."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def free(self, name: str) -> str:
        """The name itself, or with a number if it was given out before."""
        name = name.strip("/ ") or "_"
        if len(name) > _LONGEST_NAME:
            digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
            name = f"{digest}…{name[-_LONGEST_NAME:]}"
        self._counts[name] += 1
        count = self._counts[name]
        return name if count == 1 else f"{name} ({count})"


def joined(entry: str, name: str) -> str:
    """The place of a document in a container that has a place itself."""
    return f"{entry}/{name}" if entry else name


def too_large(limit: int) -> UnreadableDocument:
    """The refusal of a file of too many bytes."""
    message = _("The file is larger than %(limit)s MB.")
    return UnreadableDocument("too_large", message % {"limit": limit // 2**20})


def _step(part: tuple[float, float], number: int, size: int) -> tuple[float, float]:
    low, width = part[0], (part[1] - part[0]) / max(1, size)
    return low + number * width, low + (number + 1) * width


def _messages(data: bytes) -> tuple[int, Iterator[tuple[str, Load]]]:
    messages = _mail.mailbox_messages(data)
    if not messages:
        raise broken()
    names = _Names()
    inside = (
        (names.free(_mail.identifier_of(raw)), partial(_given, (raw, "message.eml", "")))
        for raw in messages
    )
    return len(messages), inside


def _given(content: tuple[bytes, str, str]) -> tuple[bytes, str, str]:
    return content


def _is_furniture(name: str) -> bool:
    """What a file manager left in an archive: not part of what somebody wanted to keep."""
    parts = name.lower().split("/")
    return parts[0] == "__macosx" or parts[-1] in _FURNITURE or parts[-1].startswith("._")
