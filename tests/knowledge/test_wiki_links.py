"""Wiki links: found where they are rendered, and nowhere else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.wiki_links import WikiLink, find_wiki_links, linked_titles, replace_wiki_title
from project.markdown import render_markdown


def test_the_three_forms_are_found_with_their_place() -> None:
    text = "See [[Refunds]], [[Fares|the fares]] and [[Crew#Hours of rest|rest]]."
    assert find_wiki_links(text) == [
        WikiLink("Refunds", None, "Refunds", 4, 15),
        WikiLink("Fares", None, "the fares", 17, 36),
        WikiLink("Crew", "Hours of rest", "rest", 41, 68),
    ]
    assert [text[link.start : link.end] for link in find_wiki_links(text)] == [
        "[[Refunds]]",
        "[[Fares|the fares]]",
        "[[Crew#Hours of rest|rest]]",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "`[[Code]]`",
        "``a [[Code]] b``",
        "```\n[[Code]]\n```",
        "~~~md\n[[Code]]",
        "    [[Code]]",
        "- item\n\n  ```\n  [[Code]]\n  ```",
        "[[]] [[ ]] [[a\nb]] [[#heading]] [ [x]]",
        "\\[[Escaped]]",
    ],
)
def test_code_and_scraps_are_no_links(text: str) -> None:
    assert find_wiki_links(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "# The [[Title]] here",
        "> quoted\n> [[Title]]",
        "1. one\n   - two **[[Title]]**\n",
        "| a | b |\n|---|---|\n| x | [[Title]] |",
        "| a | b |\n|---|---|\n| [[Title\\|shown]] | y |",
        "one\r\n\r\ntwo [[Title]]\r\n",
        "![[Title]]",
        "a[^1]\n\n[^1]: note [[Title]]",
        "\ttab\n\nafter [[Title]]",
    ],
)
def test_links_are_found_in_every_kind_of_block(text: str) -> None:
    (link,) = find_wiki_links(text)
    assert link.title == "Title"
    assert text[link.start : link.end] in ("[[Title]]", "[[Title\\|shown]]")


def test_titles_come_once_in_order() -> None:
    assert linked_titles("[[B]] [[A|x]] [[B#y]]") == ["B", "A"]


def test_a_renamed_node_keeps_its_links() -> None:
    text = "[[fares]] `[[Fares]]` [[Fares#North|the north]] [[Far]]\n\n| a |\n|---|\n"
    renamed = "[[Prices]] `[[Fares]]` [[Prices#North|the north]] [[Far]]\n\n| a |\n|---|\n"
    assert replace_wiki_title(text, "Fares", "Prices") == renamed
    row = "| [[Fares\\|x]] |"
    assert replace_wiki_title(text + row, "Fares", "Prices") == renamed + "| [[Prices\\|x]] |"


FRAGMENTS = [
    "[[A]]", "[[B c|d]]", "`", "``", "```\n", "\n", "\n\n", "    ", "- ", "> ", "| ", " |\n",
    "|---|---|\n", "**", "_", "[", "]", "](x)", "é", "\r\n", "\\", "word ",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join))
def test_every_link_that_is_rendered_is_found_at_its_place(text: str) -> None:
    links = find_wiki_links(text)
    rendered = render_markdown(text)
    assert rendered.count('<span class="wiki-link">') == len(links)
    for link in links:
        assert text[link.start : link.end].replace("\\|", "|") in ("[[A]]", "[[B c|d]]")
    assert [link.start for link in links] == sorted({link.start for link in links})
