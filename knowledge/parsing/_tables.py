"""XLSX, CSV and JSON: rows and records as Markdown tables and outlines."""

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from knowledge.parsing._faults import broken, readable
from knowledge.parsing._office import core_properties
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._speech import ngettext
from knowledge.parsing._text import clean, decode, escape_block_start, table
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits, UnreadableDocument

_DEPTH = 12  # levels of a JSON outline; deeper values are written as JSON
_MIN_RECORDS = 2


def read_xlsx(data: bytes, limits: Limits) -> Iterator[RawPage]:
    """One page a visible sheet; each run of filled rows is a table under the sheet's name."""
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    properties = core_properties(data)
    title = properties.pop("title", "")
    with readable(InvalidFileException):
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    hidden = len(book.worksheets) - len(sheets)
    for index, sheet in enumerate(sheets):
        warnings: list[str] = []
        if index == 0 and hidden:
            text = ngettext(
                "%(count)s hidden sheet was left out.", "%(count)s hidden sheets were left out.",
                hidden,
            )  # fmt: skip
            warnings.append(text % {"count": hidden})
        with readable(InvalidFileException):
            sheet.reset_dimensions()
            rows = ([_cell(value, limits) for value in row] for row in
                    sheet.iter_rows(values_only=True, max_col=limits.columns))  # fmt: skip
            markdown = _grid(_capped(rows, limits, sheet.title, warnings))
        info: dict[str, Any] = {"warnings": warnings}
        if index == 0:
            info |= {"title": title, "metadata": properties}
        yield RawPage(
            index=index,
            total=len(sheets),
            label=sheet.title,
            markdown=f"## {' '.join(sheet.title.split())}\n\n{markdown}" if markdown else "",
            info=info,
        )


def read_csv(data: bytes, limits: Limits) -> Iterator[RawPage]:
    """One page: a table. The separator is found from the first lines."""
    text = clean(decode(data))
    try:
        dialect: Any = csv.Sniffer().sniff(text[:16_384], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    yield _separated(text, dialect, limits)


def read_tsv(data: bytes, limits: Limits) -> Iterator[RawPage]:
    """One page: a table with a tab between the cells."""
    yield _separated(clean(decode(data)), csv.excel_tab, limits)


def _separated(text: str, dialect: Any, limits: Limits) -> RawPage:
    warnings: list[str] = []
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))  # 131,072 characters otherwise
    with readable(csv.Error):
        rows = csv.reader(io.StringIO(text, newline=""), dialect)
        cells = ([_cell(value, limits) for value in row[: limits.columns]] for row in rows)
        markdown = _grid(_capped(cells, limits, "", warnings), separate=False)
    return RawPage(index=0, total=1, markdown=markdown, info={"warnings": warnings})


def read_json(data: bytes, limits: Limits) -> Iterator[RawPage]:
    """One page: records as a table, anything else as an outline. Also one value a line."""
    text = decode(data)
    warnings: list[str] = []
    with readable():
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = [json.loads(line) for line in text.splitlines() if line.strip()]
            if len(value) < _MIN_RECORDS:
                raise broken() from None
        markdown = "\n\n".join(_json_parts(value, limits, warnings))
    title = value.get("title", value.get("name", "")) if isinstance(value, dict) else ""
    info = {"title": title if isinstance(title, str) else "", "warnings": warnings}
    yield RawPage(index=0, total=1, markdown=markdown, info=info)


def read_jsonl(data: bytes, limits: Limits) -> Iterator[RawPage]:
    """One page: a value a line. Plain records are a table; others a section each."""
    warnings: list[str] = []
    values: list[Any] = []
    lines = (line for line in decode(data).split("\n") if line.strip())
    for number, line in enumerate(lines, start=1):
        if number > limits.rows:
            warnings.append(_("only the first %(rows)s rows were read.") % {"rows": limits.rows})
            break
        with readable():
            try:
                values.append(json.loads(line))
            except json.JSONDecodeError:
                message = _("Line %(number)s is no JSON value.") % {"number": number}
                raise UnreadableDocument("broken", message) from None
    with readable():
        if _is_records(values):
            markdown = _records(values, limits, warnings)
        else:
            markdown = "\n\n".join(_section(value, at) for at, value in enumerate(values, start=1))
    yield RawPage(index=0, total=1, markdown=markdown, info={"warnings": warnings})


def _section(value: Any, number: int) -> str:
    """A record under a heading: what it calls itself, else its number."""
    title = ""
    if isinstance(value, dict):
        named = (value.get(key) for key in ("title", "name", "subject", "question", "id"))
        title = next((" ".join(str(each).split()) for each in named if each), "")
    heading = title[:200] or _("Record %(number)s") % {"number": number}
    return f"## {heading}\n\n" + "\n".join(_outline(value, 0))


def _cell(value: object, limits: Limits) -> str:
    """A cell as text: dates as ISO 8601, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "minutes")
    if isinstance(value, date | time):
        return value.isoformat()
    text = " ".join(str(value).split())
    return text if len(text) <= limits.cell_characters else text[: limits.cell_characters] + "…"


def _capped(
    rows: Iterable[list[str]], limits: Limits, name: str, warnings: list[str]
) -> Iterator[list[str]]:
    """The rows up to the limit; one more is a warning."""
    rows = iter(rows)
    yield from itertools.islice(rows, limits.rows)
    if next(rows, None) is not None:
        place = f"{name}: " if name else ""
        warnings.append(
            place + _("only the first %(rows)s rows were read.") % {"rows": limits.rows}
        )


def _grid(rows: Iterable[list[str]], *, separate: bool = True) -> str:
    """Runs of filled rows as tables (``separate``), a lone cell as a paragraph."""
    parts: list[str] = []
    run: list[list[str]] = []
    for row in itertools.chain(rows, [[]]):
        if any(row):
            run.append(row)
        elif run and (separate or not row):
            parts.append(_block(run))
            run = []
    if run:
        parts.append(_block(run))
    return "\n\n".join(part for part in parts if part)


def _block(rows: list[list[str]]) -> str:
    width = max(len(row) for row in rows)
    padded = [row + [""] * (width - len(row)) for row in rows]
    used = [column for column in range(width) if any(row[column] for row in padded)]
    trimmed = [[row[column] for column in used] for row in padded]
    lead: list[str] = []
    while trimmed and sum(map(bool, trimmed[0])) == 1 and len(used) > 1:
        lead.append(escape_block_start("".join(trimmed.pop(0))))  # a title over the table
    if len(used) == 1:
        return "\n\n".join(escape_block_start(row[0]) for row in trimmed)
    return "\n\n".join([*lead, table(trimmed)] if trimmed else lead)


def _json_parts(value: Any, limits: Limits, warnings: list[str]) -> Iterator[str]:
    """Top-level keys as headings over tables, outlines or plain values."""
    if _is_records(value):
        yield _records(value, limits, warnings)
    elif isinstance(value, dict):
        plain = {key: item for key, item in value.items() if not isinstance(item, dict | list)}
        if plain:
            yield "\n".join(_outline(plain, 0))
        for key, item in value.items():
            if key in plain or not item:
                continue
            body = (
                _records(item, limits, warnings)
                if _is_records(item)
                else "\n".join(_outline(item, 0))
            )
            yield f"## {' '.join(str(key).split())}\n\n{body}"
    elif value not in (None, "", []):
        yield "\n".join(_outline(value, 0))


def _is_records(value: Any) -> bool:
    """A list of objects whose values are plain: what reads best as a table."""
    return (
        isinstance(value, list)
        and len(value) >= _MIN_RECORDS
        and all(isinstance(item, dict) for item in value)
        and not any(isinstance(cell, dict | list) for item in value for cell in item.values())
        and len({key for item in value for key in item}) <= 40
    )


def _records(value: Sequence[dict[str, Any]], limits: Limits, warnings: list[str]) -> str:
    columns = list(dict.fromkeys(key for item in value for key in item))
    rows = ([_cell(item.get(column), limits) for column in columns] for item in value)
    return table([columns, *_capped(rows, limits, "", warnings)])


def _outline(value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if depth >= _DEPTH and isinstance(value, dict | list):
        yield f"{indent}- `{json.dumps(value, ensure_ascii=False)}`"
    elif isinstance(value, dict):
        for key, item in value.items():
            name = " ".join(str(key).split())
            if isinstance(item, dict | list) and item:
                yield f"{indent}- **{name}**:"
                yield from _outline(item, depth + 1)
            else:
                yield f"{indent}- **{name}**: {_scalar(item)}".rstrip()
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list) and item:
                yield f"{indent}-"
                yield from _outline(item, depth + 1)
            else:
                yield f"{indent}- {_scalar(item)}".rstrip()
    else:
        yield f"{indent}- {_scalar(value)}" if depth else _scalar(value)


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, bool | float):
        return json.dumps(value)
    return " ".join(str(value).split())
