"""Tables of a page made regular: one header row, every row as wide, no cell over two rows.

Markdown knows no merged cells. One that goes over several rows is repeated in each, so that a row
can be read, found and cited by itself; one over several columns is followed by empty cells. Tables
that only place things on the page become what they place.
"""

import copy
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_CELLS = ("td", "th")
_ROWS = ("tr", "thead", "tbody", "tfoot")
_REPEATED = 300  # characters of a cell that is repeated; a longer one leaves the others empty
_MOST_ADDED = 20_000  # cells that are added to a page
_WIDEST = 1000  # columns


def tables_regular(soup: "BeautifulSoup") -> None:
    """Make the tables of a page regular, in place; inner ones first."""
    added = count()
    for table in reversed(soup.find_all("table")):
        if _is_layout(table):
            inside = table.find_all([*_ROWS, *_CELLS])
            own = [tag for tag in inside if tag.find_parent("table") is table]
            for tag in [table, *own]:
                tag.name, tag.attrs = "div", {}
        elif table.find_parent(_CELLS) is not None and not _may_stand_alone(table):
            table.replace_with(soup.new_string(_in_words(table)))
        else:
            _captions_out(soup, table)
            _square(soup, table, added)


def _is_layout(table: "Tag") -> bool:
    if table.get("role") in ("presentation", "none"):
        return True
    inner = [each for each in table.find_all("table") if each.find_parent("table") is table]
    if not inner or table.find("th") is not None:
        return False
    return sum(len(each.get_text()) for each in inner) > len(table.get_text()) / 2


def _may_stand_alone(table: "Tag") -> bool:
    """Whether all tables around this one are layout and will be gone."""
    return all(_is_layout(each) for each in table.find_parents("table"))


def _in_words(table: "Tag") -> str:
    rows = ([" ".join(cell.get_text(" ").split()) for cell in _cells(row)] for row in _rows(table))
    return " " + "; ".join(", ".join(filter(None, row)) for row in rows) + " "


def _captions_out(soup: "BeautifulSoup", table: "Tag") -> None:
    """A caption is a paragraph above the table; definitions of columns say nothing."""
    for caption in table.find_all("caption"):
        paragraph = soup.new_tag("p")
        paragraph.extend(list(caption.contents))
        table.insert_before(paragraph)
        caption.decompose()
    for tag in table.find_all(["colgroup", "col"]):
        tag.decompose()


def _rows(table: "Tag") -> "list[Tag]":
    return [row for row in table.find_all("tr") if row.find_parent("table") is table]


def _cells(row: "Tag") -> "list[Tag]":
    return [cell for cell in row.find_all(_CELLS) if cell.find_parent("tr") is row]


def _square(soup: "BeautifulSoup", table: "Tag", added: "count[int]") -> None:
    rows = _rows(table)
    over: dict[int, tuple[Tag, int]] = {}  # by column: a cell from above, and rows it still covers
    widths = [_row_filled(soup, row, over, added) for row in rows]
    widest = max(widths, default=0)
    for row, width in zip(rows, widths, strict=True):
        for _column in range(width, widest):
            if next(added) > _MOST_ADDED:
                return
            row.append(soup.new_tag("td"))


def _row_filled(
    soup: "BeautifulSoup", row: "Tag", over: "dict[int, tuple[Tag, int]]", added: "count[int]"
) -> int:
    """Put the cells that reach into a row from above where they belong; return its width."""
    at = 0
    below: dict[int, tuple[Tag, int]] = {}
    for cell in [*_cells(row), None]:
        while at in over and next(added) <= _MOST_ADDED:
            above, left = over.pop(at)
            repeated = _repeated(soup, above)
            row.append(repeated) if cell is None else cell.insert_before(repeated)
            if left > 1:
                below[at] = (above, left - 1)
            at += _span(above, "colspan")
        if cell is None:
            break
        if (rows := _span(cell, "rowspan")) > 1:
            below[at] = (cell, rows - 1)
        del cell["rowspan"]
        at += _span(cell, "colspan")
    over.clear()
    over.update(below)
    return at


def _repeated(soup: "BeautifulSoup", cell: "Tag") -> "Tag":
    if len(cell.get_text()) <= _REPEATED and cell.find("table") is None:
        return copy.copy(cell)
    empty = soup.new_tag(cell.name)
    if cell.has_attr("colspan"):
        empty["colspan"] = cell["colspan"]
    return empty


def _span(cell: "Tag", name: str) -> int:
    told = str(cell.get(name, "")).strip()
    if not (told.isascii() and told.isdigit()):
        return 1
    number = int(told[:6])
    if number == 0 and name == "rowspan":
        return _WIDEST  # to the end of the table
    return max(1, min(_WIDEST, number))
