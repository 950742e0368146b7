"""Pieces of PDF text that stand side by side: the parts of a line, or the cells of a table.

A PDF writer that sets a bullet, a number or a table cell on its own gives a piece of its own.
Two or more rows of two or more short pieces each, one below the other, are a table, its first
row the header; anything else on one height is one line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from knowledge.parsing._text import table
from knowledge.parsing.pages import Line

_MARKER = re.compile(r"\(?(?:\d{1,3}|[a-z])[.)]|[•◦▪‣●○■□–—·*✓➢-]|o")
_CELL = 80  # characters; longer pieces side by side are columns of text
_LEADERS = re.compile(r"[.…_ ]{4,}")

Row = list[Line]


def rows(lines: Sequence[Line]) -> Iterator[Line | str]:
    """The lines of a page with their pieces joined; a table comes as its Markdown."""
    run: list[Row] = []
    for row in _side_by_side(lines):
        if run and _continues_cell(run, row):
            continue
        if run and not (_is_tabular(row) and _fits(run, row)):
            yield from _finished(run)
            run = []
        if _is_tabular(row):
            run.append(row)
        else:
            yield _joined(row)
    yield from _finished(run)


def _side_by_side(lines: Sequence[Line]) -> Iterator[Row]:
    row: Row = []
    for line in lines:
        if row and abs(line.y - row[-1].y) <= 0.3 * line.size and line.x > row[-1].x:
            row.append(line)
            continue
        if row:
            yield row
        row = [line]
    if row:
        yield row


def _is_tabular(row: Row) -> bool:
    is_marked = _MARKER.fullmatch(row[0].text) is not None and len(row) == 2
    has_leaders = any(_LEADERS.search(cell.text) for cell in row)
    return (
        len(row) > 1
        and not is_marked
        and not has_leaders
        and all(len(cell.text) <= _CELL and not cell.is_mono for cell in row)
    )


def _fits(run: list[Row], row: Row) -> bool:
    """Whether ``row`` is the next row of the table: close below, no more cells than its header."""
    gap = run[-1][0].y - row[0].y
    return (
        0 < gap <= 4 * row[0].size and len(row) <= len(run[0]) and _columns(run[0], row) is not None
    )


def _continues_cell(run: list[Row], row: Row) -> bool:
    """Add a lone piece right below a cell, not of the first column, to that cell."""
    piece, last = row[0], run[-1]
    is_below = 0 < last[0].y - piece.y <= 3 * piece.size
    if len(row) > 1 or not is_below or len(piece.text) > _CELL:
        return False
    for index, cell in enumerate(last[1:], start=1):
        if abs(cell.x - piece.x) <= 1.0 and abs(cell.size - piece.size) < 1:
            last[index] = replace(cell, text=f"{cell.text} {piece.text}")
            return True
    return False


def _columns(header: Row, row: Row) -> list[int] | None:
    """The column of each cell: by order if there are as many, else by the nearest left edge."""
    if len(header) == len(row):
        return list(range(len(row)))
    nearest = [
        min(range(len(header)), key=lambda column: abs(header[column].x - cell.x)) for cell in row
    ]
    return nearest if nearest == sorted(set(nearest)) else None


def _finished(run: list[Row]) -> Iterator[Line | str]:
    if len(run) < 2:
        yield from map(_joined, run)
        return
    cells: list[list[str]] = []
    for row in run:
        filled = [""] * len(run[0])
        for column, cell in zip(_columns(run[0], row) or [], row, strict=True):
            filled[column] = cell.text
        cells.append(filled)
    yield table(cells)


def _joined(row: Row) -> Line:
    if len(row) == 1:
        return row[0]
    longest = max(row, key=lambda piece: len(piece.text))
    return Line(
        text=" ".join(piece.text for piece in row),
        x=row[0].x,
        y=row[0].y,
        size=longest.size,
        is_bold=all(piece.is_bold for piece in row),
        is_mono=all(piece.is_mono for piece in row),
    )
