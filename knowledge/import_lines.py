"""Nodes in files of any size: reading them line by line, each with what is wrong with it.

JSON lines: an object a line, with the fields of `POST /nodes/bulk/`: title, content, kind,
language, tags (a list), metadata (an object), status, valid_from, valid_until, review_due,
external_id.
CSV: a header with the same names; commas, semicolons or tabs separate; tags with commas between
them, metadata as a JSON object; an empty cell leaves the field alone. UTF-8 both.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from django.utils.translation import gettext as _

from knowledge.choices import NodeStatus
from project.http.errors import Invalid

MAX_LINE: Final = 64 * 2**20  # bytes
TEXTS: Final = (
    "title",
    "content",
    "kind",
    "language",
    "status",
    "external_id",
    "valid_from",
    "valid_until",
    "review_due",
)
FIELDS: Final = (*TEXTS, "tags", "metadata")
OPTIONAL: Final = ("external_id", "valid_from", "valid_until", "review_due")  # may be null
FORMATS: Final = ("jsonl", "csv")


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a file, by the number of its first line: its values, or what is wrong with it."""

    number: int
    values: Mapping[str, Any]
    problem: str = ""


def lines_read(stream: BinaryIO, kind: str) -> Iterator[Line]:
    """Yield the rows of a file. Raises Invalid for a header that cannot be."""
    return _csv_lines(stream) if kind == "csv" else _json_lines(stream)


def _json_lines(stream: BinaryIO) -> Iterator[Line]:
    number = 0
    while raw := stream.readline(MAX_LINE + 1):
        number += 1
        if len(raw) > MAX_LINE:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_LINE)
            message = _("The line is longer than %(size)s MB.") % {"size": MAX_LINE // 2**20}
            yield Line(number, {}, message)
            continue
        if raw.strip():
            yield _json_line(number, raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw)


def _json_line(number: int, raw: bytes) -> Line:
    try:
        values = json.loads(raw)
    except UnicodeDecodeError:
        return Line(number, {}, _("The line is not UTF-8 text."))
    except (ValueError, RecursionError) as error:
        return Line(number, {}, _("The line is no JSON: %(error)s.") % {"error": error})
    if not isinstance(values, dict):
        return Line(number, {}, _("A line is a JSON object."))
    return _checked(number, values)


def _csv_lines(stream: BinaryIO) -> Iterator[Line]:
    csv.field_size_limit(MAX_LINE)
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        head = text.readline(100_000)
        delimiter = max(",;\t", key=head.count)
        names = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
        _header_require(names)
        rows = csv.reader(text, delimiter=delimiter)
        while True:
            number = rows.line_num + 2
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(number, {}, _("The line is no CSV: %(error)s.") % {"error": error})
                continue
            if any(cells):
                yield _csv_line(number, names, cells)
    finally:
        if not text.closed:
            text.detach()  # the stream is the caller's


def _header_require(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in FIELDS]
    if unknown or "title" not in names or len(set(names)) < len(names):
        message = _("The first line has to name the columns, among them “title”: %(known)s.")
        raise Invalid(message % {"known": ", ".join(FIELDS)}, field="file")


def _csv_line(number: int, names: Sequence[str], cells: Sequence[str]) -> Line:
    if len(cells) != len(names):
        message = _("The line has %(got)s cells, the header %(wanted)s.")
        return Line(number, {}, message % {"got": len(cells), "wanted": len(names)})
    values: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    if "tags" in values:
        values["tags"] = [tag.strip() for tag in values["tags"].split(",") if tag.strip()]
    if "metadata" in values:
        try:
            values["metadata"] = json.loads(values["metadata"])
        except ValueError:
            return Line(number, {}, _("The metadata is no JSON object."))
    return _checked(number, values)


def _checked(number: int, values: dict[str, Any]) -> Line:
    """Return a line whose values have the types that the fields want, or what is wrong."""
    problem = next((each for name in values if (each := _fault(name, values[name]))), "")
    if not problem and not str(values.get("title", "")).strip():
        problem = _("A node needs a title.")
    return Line(number, {} if problem else values, problem)


def _fault(name: str, value: Any) -> str:
    if name not in FIELDS:
        return _("There is no field “%(name)s”.") % {"name": name}
    if value is None and name in OPTIONAL:
        return ""
    if name == "metadata":
        is_fit = isinstance(value, dict)
    elif name == "tags":
        is_fit = isinstance(value, list) and all(isinstance(tag, str) for tag in value)
    else:
        is_fit = isinstance(value, str)
    if not is_fit:
        return _("The field “%(name)s” has a value of another kind.") % {"name": name}
    if name == "status" and value not in NodeStatus.values:
        known = ", ".join(NodeStatus.values)
        return _("The status is one of: %(known)s.") % {"known": known}
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return _("The field “%(name)s” is not UTF-8 text.") % {"name": name}
    return ""
