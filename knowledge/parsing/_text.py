"""Bytes to text, text to clean text, and the Markdown the other readers need to write."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# NUL is refused by PostgreSQL, half a surrogate pair by UTF-8; the other controls show nothing.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\ufff9-\ufffb\ud800-\udfff]"
)
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")  # controls that no text has
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_MAX_FRONT_MATTER = 100_000  # values and characters, with every alias written out
_MAX_DEPTH = 100
_BLOCK_START = re.compile(
    r"(?:#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|\d{1,9}(?=[.)](?:\s|$))|\||`{3}|~{3}|\[[^\]]+\]:"
    r"|(?:[-=_*][ \t]*){3,}$)"
)


def decode(data: bytes) -> str:
    """Text from bytes: by byte order mark, else UTF-8, else UTF-16, else Windows-1252."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and "\0" not in text[:4096]:
        return text
    if (wide := _wide_encoding(data)) is not None:
        return data.decode(wide, errors="replace")
    if text:
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark: in Western text every second byte is zero."""
    sample = data[: min(len(data), 4096) & ~1]
    if len(sample) < 4:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if odd > half * 0.6 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.6 and odd < half * 0.1:
        return "utf-16-be"
    return None


def looks_binary(data: bytes) -> bool:
    """Whether the bytes are no text in any encoding :func:`decode` knows."""
    sample = decode(data[:8192])
    return len(_NO_TEXT.findall(sample)) > len(sample) // 100


def clean(text: str) -> str:
    """Text fit for the database: NFC, ``\\n`` line ends, no control characters."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = text.replace("\x0c", "\n\n").replace("\x85", "\n").replace("\u2029", "\n\n")
    return unicodedata.normalize("NFC", _CONTROLS.sub("", text))


def tidy(markdown: str) -> str:
    """Clean Markdown without trailing blanks or rows of empty lines; ends with one newline."""
    lines = [line.rstrip(" \t") if not line.endswith("  ") else line for line in
             clean(markdown).split("\n")]  # fmt: skip
    text = _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")
    return text + "\n" if text.strip() else ""


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The YAML mapping at the top of a Markdown text, as JSON values, and the text after it.

    What is no mapping, or unfolds to more values or characters than metadata ever has (a few
    lines of aliases of aliases can be billions), stays text.
    """
    import yaml

    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    try:
        values = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, text
    if not isinstance(values, dict) or not _is_modest(values):
        return {}, text
    return {str(key): json_value(value) for key, value in values.items()}, text[match.end() :]


def _is_modest(values: dict[Any, Any]) -> bool:
    """Whether ``values`` stay small when every alias is written out; ends soon if they do not."""
    left = _MAX_FRONT_MATTER
    waiting: list[Iterator[Any]] = [iter([values])]
    while waiting:
        try:
            value = next(waiting[-1])
        except StopIteration:
            waiting.pop()
            continue
        left -= 1 + (len(value) if isinstance(value, str | bytes) else 0)
        if left < 0 or len(waiting) > _MAX_DEPTH:
            return False
        if isinstance(value, dict):
            waiting.append(chain.from_iterable(value.items()))
        elif isinstance(value, list | tuple | set):
            waiting.append(iter(value))
    return True


def json_value(value: Any, depth: int = 0) -> Any:
    """``value`` as what a JSON column takes: clean strings, dates as ISO 8601, numbers that are
    numbers; what is nested too deep as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth < 8 and isinstance(value, dict):
        return {clean(str(key)): json_value(item, depth + 1) for key, item in value.items()}
    if depth < 8 and isinstance(value, list | tuple | set):
        return [json_value(item, depth + 1) for item in value]
    return clean(str(value.isoformat() if hasattr(value, "isoformat") else value))


def escape_block_start(text: str) -> str:
    """A paragraph that Markdown would read as a heading, list or rule, kept a paragraph."""
    match = _BLOCK_START.match(text)
    if match is None:
        return text
    at = match.end() if match[0].isdigit() else 0
    return f"{text[:at]}\\{text[at:]}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first row is its header. ``""`` without rows."""
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    header, *body = ([*row, *[""] * (width - len(row))] for row in rows)
    return "\n".join([_row(header), "|" + " --- |" * width, *map(_row, body)])


def _row(cells: Iterable[str]) -> str:
    flat = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return "| " + " | ".join(flat) + " |"
