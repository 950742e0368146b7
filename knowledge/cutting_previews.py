"""Seeing how a text would be cut, beside how it is cut now. Nothing is written."""

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import cast

from django.utils.translation import gettext as _

from knowledge.chunking import estimate_tokens
from knowledge.chunking.cutting import READ_TOKENS, Cutting
from knowledge.cuttings import cutting_told
from knowledge.documents import file_reading
from knowledge.kinds import kind_of
from knowledge.models import Node, Space
from knowledge.parsing import ParsedDocument
from knowledge.passages import IndexedPassage, passages_of
from knowledge.reading import place_of
from knowledge.versions import Anchor
from project.http.errors import TooLarge, Unreadable

MOST_CHARACTERS = 200_000
MOST_BYTES = 20 * 1024 * 1024
PAGE_SECONDS = 20.0
FILE_SECONDS = 45.0
FILE_PAGES = 100


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage to look at. The first `repeated` characters are in the one before, too.

    `tokens` counts the text, `read_tokens` all that is embedded; `is_shared` says that the other
    cut has the very same passage.
    """

    position: int
    start: int
    end: int
    text: str
    repeated: int
    tokens: int
    read_tokens: int
    heading_path: tuple[str, ...]
    page: int | None
    place: str
    embedded: str
    is_shared: bool = False

    @property
    def repeated_text(self) -> str:
        """What the passage before has, too."""
        return self.text[: self.repeated]

    @property
    def own_text(self) -> str:
        """The rest."""
        return self.text[self.repeated :]

    @property
    def is_beyond(self) -> bool:
        """Whether the built-in embedding model does not read all of it."""
        return self.read_tokens > READ_TOKENS


@dataclass(frozen=True, slots=True)
class CutText:
    """A text as one cutting cuts it."""

    cutting: Cutting
    passages: list[ShownPassage]

    @property
    def counts(self) -> dict[str, int]:
        """Passages, tokens of the least, the usual and the largest, and what goes beyond."""
        sizes = [each.tokens for each in self.passages] or [0]
        return {
            "passages": len(self.passages),
            "tokens_least": min(sizes),
            "tokens_median": round(median(sizes)),
            "tokens_most": max(sizes),
            "tokens_repeated": sum(estimate_tokens(each.repeated_text) for each in self.passages),
            "beyond_the_model": sum(each.is_beyond for each in self.passages),
            "shared": sum(each.is_shared for each in self.passages),
        }


def text_cut(
    text: str,
    cuttings: Iterable[Cutting],
    *,
    title: str = "",
    language: str = "en",
    anchors: list[Anchor] | None = None,
) -> list[CutText]:
    """Cut a text in some ways. Raises TooLarge."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as forms send it, and no node has it
    if len(text) > MOST_CHARACTERS:
        message = _("A preview takes at most %(limit)s characters; this text has %(count)s.")
        values = {"limit": MOST_CHARACTERS, "count": len(text)}
        raise TooLarge(message % values, field="text")
    node = Node(title=title, content=text, language=language, anchors=anchors or [])
    found = [(cutting, _shown(node, passages_of(node, cutting))) for cutting in cuttings]
    keys = [{(each.start, each.end, each.embedded) for each in shown} for _cut, shown in found]
    common = set.intersection(*keys) if len(keys) > 1 else set()
    return [
        CutText(
            cutting,
            [
                replace(each, is_shared=(each.start, each.end, each.embedded) in common)
                for each in shown
            ],
        )
        for cutting, shown in found
    ]


def _shown(node: Node, passages: list[IndexedPassage]) -> list[ShownPassage]:
    ends = [0, *(each.passage.end for each in passages)]
    return [
        ShownPassage(
            position=each.passage.position,
            start=each.passage.start,
            end=each.passage.end,
            text=each.passage.text,
            repeated=max(0, end - each.passage.start),
            tokens=each.passage.tokens,
            read_tokens=estimate_tokens(each.embedded),
            heading_path=each.passage.heading_path,
            page=each.passage.page,
            place=place_of(node.anchors, each.passage.start),
            embedded=each.embedded,
        )
        for each, end in zip(passages, ends, strict=False)
    ]


def cutting_now(space: Space | None, kind: str) -> Cutting:
    """Return how nodes of a kind are cut now."""
    found = kind_of(space.pk, kind) if space is not None else None
    return cutting_told(found.chunking) if found is not None else Cutting()


def file_glimpsed(
    pieces: Iterable[bytes], filename: str, content_type: str, language: str
) -> tuple[ParsedDocument, bool]:
    """Return the first document of a file, and whether that is all of the file.

    Reads for a bounded time. Raises ParsingError and TooLarge.
    """
    with tempfile.TemporaryDirectory(prefix="acervo-preview-") as folder:
        path, pages = Path(folder, "file"), Path(folder, "pages")
        _stored(path, pieces)
        until = time.monotonic() + FILE_SECONDS
        reading = file_reading(path, filename, content_type, language)
        reading.bounds = replace(reading.bounds, page_seconds=PAGE_SECONDS)
        with reading, pages.open("w", encoding="utf-8", errors="surrogatepass") as kept:
            is_whole = True
            for number, page in enumerate(reading.pages(waiting=_until(until + PAGE_SECONDS))):
                kept.write(json.dumps(page.to_json(), ensure_ascii=False) + "\n")
                if number + 1 >= FILE_PAGES or time.monotonic() > until:
                    is_whole = page.share >= 1.0
                    break
        with reading:
            documents = reading.documents(pages)
    readable = [each for each in documents if each.markdown]
    return readable[0], is_whole and len(readable) == 1


def _until(moment: float) -> Callable[[], None]:
    def check() -> None:
        if time.monotonic() > moment:
            message = _("The file takes too long to read for a preview: upload it as a source.")
            raise Unreadable(message, code="timeout", field="file")

    return check


def _stored(path: Path, pieces: Iterable[bytes]) -> None:
    size = 0
    with path.open("wb") as file:
        for piece in pieces:
            size += len(piece)
            if size > MOST_BYTES:
                message = _("A preview takes files of at most %(limit)s MB.")
                raise TooLarge(message % {"limit": MOST_BYTES // 2**20}, field="file")
            file.write(piece)


def anchors_of(document: ParsedDocument) -> list[Anchor]:
    """Return the page spans of a document as nodes keep them."""
    return [cast("Anchor", asdict(span)) for span in itertools.islice(document.pages, 5000)]
