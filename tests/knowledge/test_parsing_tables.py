"""Tables with merged cells, captions and tables inside, of pages and of Word documents."""

import pytest

from knowledge.parsing._html import html_to_markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        pytest.param(
            "<tr><th rowspan=2>Line</th><th colspan=2>Price</th></tr>"
            "<tr><th>Day</th><th>Month</th></tr><tr><td>1</td><td>3</td><td>60</td></tr>",
            "| Line | Price | |\n| --- | --- | --- |\n| Line | Day | Month |\n| 1 | 3 | 60 |",
            id="heads over rows and columns",
        ),
        pytest.param(
            "<tr><td>Boat</td><td>Fee</td></tr><tr><td rowspan=2>Sail|ing</td><td>10</td></tr>"
            "<tr><td>12</td></tr>",
            "| Boat | Fee |\n| --- | --- |\n| Sail\\|ing | 10 |\n| Sail\\|ing | 12 |",
            id="a cell over rows stands in each",
        ),
        pytest.param(
            "<caption>Fees of <b>2026</b></caption><colgroup><col></colgroup>"
            "<tr><td>a</td><td>b</td></tr><tr><td>1</td></tr>",
            "Fees of **2026**\n\n| a | b |\n| --- | --- |\n| 1 |  |",
            id="a caption does not hide the header, and short rows are filled",
        ),
        pytest.param(
            "<tr><td>a</td><td>b</td></tr>"
            "<tr><td>long text</td><td><table><tr><td>x</td><td>y</td></tr></table></td></tr>",
            "| a | b |\n| --- | --- |\n| long text | x, y |",
            id="a table in a cell is told in words",
        ),
        pytest.param(
            "<tr><td><h1>News</h1><table><tr><td>day</td><td>event</td></tr>"
            "<tr><td>1 May</td><td>Opening</td></tr></table></td><td>.</td></tr>",
            "# News\n\n| day | event |\n| --- | --- |\n| 1 May | Opening |\n\n.",
            id="a table that only places things is gone",
        ),
    ],
)
def test_tables_are_regular(html: str, markdown: str) -> None:
    assert html_to_markdown(f"<table>{html}</table>")[0].strip() == markdown


def test_a_table_that_would_grow_without_end_does_not() -> None:
    html = "<table>" + "<tr><td rowspan=65534>x</td></tr>" * 500 + "</table>"
    assert len(html_to_markdown(html)[0]) < 200_000
