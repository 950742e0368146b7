"""The step between a file and a document: one page, sheet or slide as it was read.

Reading a page is the slow part of parsing and depends on nothing but the page, so raw pages are
what an interrupted job keeps (:meth:`RawPage.to_json`); assembling them is quick and needs all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a PDF page. ``x``, ``y`` (from the bottom) and ``size`` are in points."""

    text: str
    x: float
    y: float
    size: float
    is_bold: bool = False
    is_mono: bool = False


@dataclass(frozen=True, slots=True)
class RawPage:
    """One part of a file: ``lines`` for PDF pages, finished ``markdown`` for everything else.

    ``number`` counts from 1 (None where parts have names only), ``index`` from 0 among the
    ``total`` parts. ``info`` holds ``format`` always, ``title``, ``metadata`` and ``warnings``
    where known, and ``error`` where nothing could be read; only JSON values. ``entry`` is the place
    in a ZIP file, mailbox or message, ``share`` how much of the whole file is read with this page.
    """

    index: int
    total: int
    number: int | None = None
    label: str = ""
    markdown: str = ""
    lines: list[Line] = field(default_factory=list)
    has_images: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    entry: str = ""
    share: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The page as JSON values."""
        lines = [[li.text, li.x, li.y, li.size, li.is_bold, li.is_mono] for li in self.lines]
        return {
            "index": self.index,
            "total": self.total,
            "number": self.number,
            "label": self.label,
            "markdown": self.markdown,
            "lines": lines,
            "has_images": self.has_images,
            "info": self.info,
            "entry": self.entry,
            "share": self.share,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RawPage":
        """The page that :meth:`to_json` wrote."""
        return cls(**{**data, "lines": [Line(*line) for line in data["lines"]]})
