"""A hundred files of many formats, the same for the same seed, each with a word of its own."""

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.drills.ledger import unusual_word
from benchmarks.stage import Writer
from tests.support.files import make_docx, make_eml, make_pdf, make_pptx, make_xlsx, make_zip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file to send: what is in it, and what is to become of it.

    `fate` is "whole" (one document is found), "same" (the bytes of an earlier one) or "broken" (a
    job that fails with a reason, or a refusal).
    """

    name: str
    content: bytes
    word: str
    fate: str


def mixed_files(count: int, seed: int, words: int) -> list[Sheet]:
    """Return so many files, the longer ones of about `words` words."""
    chance, writer = random.Random(seed), Writer(seed=seed)
    makers = list(_MAKERS.items())
    sheets: list[Sheet] = []
    for number in range(count):
        word = unusual_word(chance)
        if number % 12 == 11:
            earlier = chance.choice([each for each in sheets if each.fate == "whole"])
            name = f"copy-{number}-{earlier.name}"
            sheets.append(Sheet(name, earlier.content, earlier.word, "same"))
        elif number % 25 == 24:
            sheets.append(Sheet(f"{word}.pdf", b"%PDF-1.7\n" + word.encode() * 50, word, "broken"))
        else:
            ending, make = makers[number % len(makers)]
            length = words if number % 5 else words * 4
            sentence = f"The {word} lamp burns {len(word)} hours."
            paragraphs = [writer.text(60) for _ in range(max(1, length // 60))] + [sentence]
            sheets.append(Sheet(f"{word}.{ending}", make(word, paragraphs), word, "whole"))
    return sheets


def _markdown(word: str, paragraphs: list[str]) -> bytes:
    parts = [f"# Sheet {word}"]
    for number, text in enumerate(paragraphs):
        parts += [f"## Part {number}", text]
    return "\n\n".join(parts).encode()


def _plain(word: str, paragraphs: list[str]) -> bytes:
    return "\n\n".join([f"Sheet {word}", *paragraphs]).encode()


def _html(word: str, paragraphs: list[str]) -> bytes:
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    page = (
        f"<!doctype html><html><head><title>Sheet {word}</title></head><body>{body}</body></html>"
    )
    return page.encode()


def _csv(word: str, paragraphs: list[str]) -> bytes:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["number", "text"])
    rows.writerows(enumerate([f"Sheet {word}", *paragraphs]))
    return out.getvalue().encode()


def _json(word: str, paragraphs: list[str]) -> bytes:
    return json.dumps({"title": f"Sheet {word}", "parts": paragraphs}, indent=1).encode()


def _pdf(word: str, paragraphs: list[str]) -> bytes:
    pages = [paragraphs[at : at + 5] for at in range(0, len(paragraphs), 5)]
    return make_pdf([[f"# Sheet {word}", *pages[0]], *pages[1:]])


def _docx(word: str, paragraphs: list[str]) -> bytes:
    return make_docx([f"Sheet {word}", *paragraphs])


def _xlsx(word: str, paragraphs: list[str]) -> bytes:
    return make_xlsx({"Sheet": [["number", "text"], [0, word], *map(list, enumerate(paragraphs))]})


def _pptx(word: str, paragraphs: list[str]) -> bytes:
    slides = [(f"Slide {number} {word}", [text]) for number, text in enumerate(paragraphs[-12:])]
    return make_pptx(slides)


def _eml(word: str, paragraphs: list[str]) -> bytes:
    return make_eml(f"Sheet {word}", "\n\n".join(paragraphs))


def _zip(word: str, paragraphs: list[str]) -> bytes:
    half = len(paragraphs) // 2
    return make_zip(
        {"one.md": _markdown(f"{word} one", paragraphs[:half] or ["Nothing."]),
         "two.txt": _plain(f"{word} two", paragraphs[half:])}
    )  # fmt: skip


_MAKERS: dict[str, Callable[[str, list[str]], bytes]] = {
    "md": _markdown,
    "pdf": _pdf,
    "txt": _plain,
    "docx": _docx,
    "html": _html,
    "csv": _csv,
    "xlsx": _xlsx,
    "json": _json,
    "pptx": _pptx,
    "eml": _eml,
    "zip": _zip,
}
