"""Running heads, running feet and page numbers: text of the sheet of paper, not of the document.

Left in, they would stand in the middle of every sentence that runs over a page. A line counts as
one only if it is among the outermost lines of its page and

- says the same on most pages, at the same height, and is no sentence; or
- is nothing but a number that counts with the pages (``- 4 -``, ``Page 4 of 9``, ``iv``); or
- says the same on most pages once the page's own number is taken out (``Handbook | 4``), and
  stands apart from the text.

Doubt keeps the line: large type is a heading, and no page loses more than a third of its text.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from knowledge.parsing.pages import Line, RawPage

_OUTER = 2  # lines at the top and at the bottom of a page that are looked at
_SAME_HEIGHT = 4.0  # points
_SHARE = 0.6  # of the pages; left and right pages may differ: half of that from 6 pages on
_MOST_LOST = 1 / 3  # of a page's characters
_NUMBER = re.compile(
    r"\W*(?:(?:page|p\.|página|pagina|pág\.|pag\.|folha|seite)\s*)?(\d{1,4}|[ivxlc]{1,7})"
    r"(?:\s*(?:/|of|de|von|di|sur)\s*\d{1,4})?\W*",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d{1,4}")
_SENTENCE = re.compile(r"[.!?;:,…]$|(?:\b[a-zà-ÿ]{2,}\b\W+){3}")
_Keys = Callable[[Line, int], list[str]]
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def without_margins(pages: Sequence[RawPage]) -> list[list[Line]]:
    """The lines of each page, without what belongs to its margins."""
    outer = [_outer_lines(page.lines) for page in pages]
    largest = 1.1 * _usual_size(pages)
    titles = [[i for i in indexes if page.lines[i].size <= largest] for page, indexes in
              zip(pages, outer, strict=True)]  # fmt: skip
    apart = [[i for i in indexes if _stands_apart(page.lines, i)] for page, indexes in
             zip(pages, titles, strict=True)]  # fmt: skip
    dropped: list[set[int]] = [set() for _ in pages]
    _drop_repeated(pages, titles, dropped, _same_text)
    _drop_repeated(pages, outer, dropped, _counting_number)
    _drop_repeated(pages, apart, dropped, _same_but_for_number)
    return [
        [line for index, line in enumerate(page.lines) if index not in gone]
        for page, gone in zip(pages, map(_bounded, pages, dropped), strict=True)
    ]


def _outer_lines(lines: Sequence[Line]) -> list[int]:
    """Indexes of the lines nearest to the top and to the bottom edge."""
    order = sorted(range(len(lines)), key=lambda index: -lines[index].y)
    return list(dict.fromkeys([*order[:_OUTER], *order[-_OUTER:]]))


def _usual_size(pages: Sequence[RawPage]) -> float:
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _stands_apart(lines: Sequence[Line], index: int) -> bool:
    """More than a line's distance from every other line."""
    line = lines[index]
    return all(
        other is line or abs(other.y - line.y) > 1.7 * max(line.size, 6.0) for other in lines
    )


def _same_text(line: Line, _page: int) -> list[str]:
    is_title = len(line.text) <= 120 and _SENTENCE.search(line.text) is None
    return [line.text.casefold()] if is_title else []


def _counting_number(line: Line, page: int) -> list[str]:
    match = _NUMBER.fullmatch(line.text)
    if match is None:
        return []
    number = int(match[1]) if match[1].isdigit() else _roman(match[1].lower())
    return [f"number {number - page}"]


def _same_but_for_number(line: Line, page: int) -> list[str]:
    if len(line.text) > 120 or _SENTENCE.search(line.text):
        return []
    return [
        f"{line.text[: match.start()]}#{line.text[match.end() :]} {int(match[0]) - page}".casefold()
        for match in _DIGITS.finditer(line.text)
    ]


def _roman(text: str) -> int:
    values = [_ROMAN[letter] for letter in text]
    return sum(
        -value if index + 1 < len(values) and value < values[index + 1] else value
        for index, value in enumerate(values)
    )


def _drop_repeated(
    pages: Sequence[RawPage], outer: list[list[int]], dropped: list[set[int]], keys: _Keys
) -> None:
    """Mark the outer lines of which a key is on enough pages at one height."""
    places: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, (page, indexes) in enumerate(zip(pages, outer, strict=True)):
        for index in indexes:
            for key in keys(page.lines[index], page.number or number + 1):
                places[key].append((number, index))
    filled = sum(bool(page.lines) for page in pages)
    share = _SHARE / 2 if filled >= 6 else _SHARE
    for found in places.values():
        heights = Counter(
            round(pages[number].lines[index].y / _SAME_HEIGHT) for number, index in found
        )
        for number, index in found:
            height = round(pages[number].lines[index].y / _SAME_HEIGHT)
            near = heights[height - 1] + heights[height] + heights[height + 1]
            if near >= max(2, share * filled):
                dropped[number].add(index)


def _bounded(page: RawPage, dropped: set[int]) -> set[int]:
    """Nothing, if what is dropped would be much of the page."""
    whole = sum(len(line.text) for line in page.lines)
    lost = sum(len(page.lines[index].text) for index in dropped)
    return dropped if lost <= whole * _MOST_LOST else set()
