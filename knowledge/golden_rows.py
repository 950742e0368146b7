"""Golden questions in files: reading their rows, and finding the nodes that they name.

CSV has a header with the columns `question` and one or more of `external_id`, `node` (an id) and
`title`, and if wanted `grade`, `language`, `tags` and `notes`; commas or semicolons separate. Lines
with the same question add up. JSON lines have the same fields, each name of a node a string or a
list; `nodes` may be a list of objects `{"external_id" | "node" | "title", "grade"}`.
"""

import csv
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.models import Node, Space
from project.http.errors import Invalid

MAX_BYTES = 5_000_000
MAX_ROWS = 2000
NAMES = ("external_id", "node", "title")
FIELDS = ("question", *NAMES, "grade", "language", "tags", "notes")
GRADE = 3


@dataclass(slots=True)
class GoldenRow:
    """One question of a file, first met on `line`; `targets` are (kind of name, name, grade)."""

    line: int
    question: str
    targets: list[tuple[str, str, int]]
    language: str = ""
    notes: str = ""
    tags: list[str] = field(default_factory=list)


class RowRefused(ValueError):
    """What is wrong with a line, for a person."""


def rows_read(data: bytes) -> list[GoldenRow]:
    """Return the questions of a file of CSV or JSON lines, by their first lines.

    Raises Invalid: for a file that is neither, and with details that map line numbers to what is
    wrong there.
    """
    if len(data) > MAX_BYTES:
        message = _("The file is larger than %(size)s MB.") % {"size": MAX_BYTES // 1_000_000}
        raise Invalid(message, field="file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(_("The file is not UTF-8 text."), field="file") from None
    lines = _json_lines(text) if text.lstrip().startswith("{") else _csv_lines(text)
    rows: dict[str, GoldenRow] = {}
    problems: dict[str, list[str]] = {}
    for line, values in lines:
        try:
            if isinstance(values, RowRefused):
                raise values
            row = _row(line, values)
        except RowRefused as error:
            problems[str(line)] = [str(error)]
            continue
        known = rows.setdefault(" ".join(row.question.split()).casefold(), row)
        if known is not row:
            known.targets += row.targets
    if problems:
        raise rows_invalid(problems)
    if not 0 < len(rows) <= MAX_ROWS:
        message = _("A file holds between 1 and %(count)s questions.") % {"count": MAX_ROWS}
        raise Invalid(message, field="file")
    return list(rows.values())


def rows_resolve(
    space: Space, rows: Sequence[GoldenRow]
) -> list[tuple[GoldenRow, dict[uuid.UUID, int]]]:
    """Return each row with the grades of its nodes of the space.

    Raises Invalid whose details map line numbers to the names that no node, or more than one, has.
    """
    index = _index(space, rows)
    problems: dict[str, list[str]] = {}
    resolved = []
    for row in rows:
        grades: dict[uuid.UUID, int] = {}
        for kind, name, grade in row.targets:
            found = index.get((kind, name), [])
            if len(found) == 1:
                grades[found[0]] = max(grade, grades.get(found[0], 0))
                continue
            message = (
                _("More than one node of the space has the %(kind)s “%(name)s”.")
                if found
                else _("No node of the space has the %(kind)s “%(name)s”.")
            )
            problems.setdefault(str(row.line), []).append(message % {"kind": kind, "name": name})
        resolved.append((row, grades))
    if problems:
        raise rows_invalid(problems)
    return resolved


def rows_invalid(problems: Mapping[str, list[str]]) -> Invalid:
    """Return the refusal of a file, with what is wrong by line number."""
    message = _("%(count)s lines of the file cannot be used; nothing was stored.")
    return Invalid(message % {"count": len(problems)}, field="file", details=dict(problems))


def _csv_lines(text: str) -> Iterator[tuple[int, Any]]:
    head = text.split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ","
    )
    names = [name.strip().lower() for name in next(reader, [])]
    unknown = [name for name in names if name not in FIELDS]
    if "question" not in names or not set(names) & set(NAMES) or unknown:
        message = _(
            "The first line names the columns: question, one or more of %(names)s, and if wanted "
            "grade, language, tags, notes."
        )
        raise Invalid(message % {"names": ", ".join(NAMES)}, field="file")
    line = reader.line_num + 1
    try:
        for cells in reader:
            here, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                yield here, RowRefused(_("The line has more cells than the first line."))
                continue
            yield here, dict(zip(names, cells, strict=False))
    except csv.Error as error:
        raise rows_invalid({str(line): [str(error)]}) from None


def _json_lines(text: str) -> Iterator[tuple[int, Any]]:
    for line, each in enumerate(text.splitlines(), 1):
        if not each.strip():
            continue
        try:
            values = json.loads(each)
        except ValueError:
            yield line, RowRefused(_("The line is not JSON."))
            continue
        yield line, values if isinstance(values, dict) else RowRefused(_("Not a JSON object."))


def _row(line: int, values: Mapping[str, Any]) -> GoldenRow:
    unknown = sorted(set(values) - {*FIELDS, "nodes"})
    if unknown:
        raise RowRefused(_("There is no field “%(name)s”.") % {"name": unknown[0]})
    question = values.get("question")
    if not isinstance(question, str) or not question.strip():
        raise RowRefused(_("The question is missing."))
    grade = _grade(values.get("grade"))
    targets = [
        (kind, name, grade) for kind in NAMES for name in _names(kind, values.get(kind) or [])
    ]
    targets += _objects(values.get("nodes") or [], grade)
    if not targets:
        raise RowRefused(_("No node is named that answers the question."))
    tags = values.get("tags") or []
    return GoldenRow(
        line=line,
        question=question,
        targets=targets,
        language=str(values.get("language") or "").strip(),
        notes=str(values.get("notes") or "").strip(),
        tags=tags.split(",") if isinstance(tags, str) else [str(tag) for tag in tags],
    )


def _names(kind: str, given: Any) -> list[str]:
    """Return the names of nodes that a field holds."""
    names = given if isinstance(given, list) else [given]
    if not all(isinstance(name, str) for name in names):
        raise RowRefused(_("“%(name)s” must be text or a list of texts.") % {"name": kind})
    found = [name.strip() for name in names if name.strip()]
    return [_id(name) for name in found] if kind == "node" else found


def _objects(given: Any, grade: int) -> Iterator[tuple[str, str, int]]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise RowRefused(_("“nodes” must be a list of objects."))
    for each in given:
        kinds = [kind for kind in NAMES if each.get(kind)]
        if len(kinds) != 1 or set(each) - {*kinds, "grade"}:
            message = _("Each of “nodes” has one of %(names)s, and if wanted a grade.")
            raise RowRefused(message % {"names": ", ".join(NAMES)})
        own = _grade(each["grade"]) if "grade" in each else grade
        for name in _names(kinds[0], each[kinds[0]]):
            yield kinds[0], name, own


def _grade(value: Any) -> int:
    if value is None or value == "":
        return GRADE
    if str(value).strip() not in {"1", "2", "3"}:
        raise RowRefused(_("A grade is 1, 2 or 3."))
    return int(value)


def _id(name: str) -> str:
    try:
        return str(uuid.UUID(name))
    except ValueError:
        raise RowRefused(_("“%(name)s” is not an id.") % {"name": name}) from None


def _index(space: Space, rows: Iterable[GoldenRow]) -> dict[tuple[str, str], list[uuid.UUID]]:
    """Return the nodes of a space by the names that rows give them."""
    wanted: dict[str, set[str]] = {kind: set() for kind in NAMES}
    for row in rows:
        for kind, name, _grade_of_it in row.targets:
            wanted[kind].add(name)
    index: dict[tuple[str, str], list[uuid.UUID]] = {}
    for kind, column in (("external_id", "external_id"), ("node", "pk"), ("title", "title")):
        nodes = Node.objects.filter(space=space, **{f"{column}__in": sorted(wanted[kind])})
        for pk, name in nodes.values_list("pk", column):
            index.setdefault((kind, str(name)), []).append(pk)
    return index
