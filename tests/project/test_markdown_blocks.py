"""The block splitter: exact text, the right block, whatever the cut points."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from project.markdown import render_markdown
from project.markdown_blocks import BlockClosed, BlockEvent, BlockSplitter, BlockText

ANSWER = """\
Refunds take **five days**.
The clock starts on receipt [1].

## Steps

1. Open the form:

   ```python
   form.open()

   form.send()
   ```

2. Wait.

   A second paragraph of the item.
- [x] done

| Day | Who |
|-----|-----|
| Mon | Ana |

> Quoted
> twice.

~~~
fence

with blank lines
~~~

    indented

    code

Last line"""


def split(pieces: list[str]) -> list[BlockEvent]:
    splitter = BlockSplitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events + splitter.finish()


def closed(events: list[BlockEvent]) -> list[str]:
    return [event.markdown for event in events if isinstance(event, BlockClosed)]


def cut(text: str, points: list[int]) -> list[str]:
    edges = [0, *sorted(point % (len(text) + 1) for point in points), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def test_a_block_ends_at_a_blank_line_outside_lists_fences_and_tables() -> None:
    first_lines = [block.split("\n")[0] for block in closed(split([ANSWER]))]
    assert first_lines == [
        "Refunds take **five days**.",
        "## Steps",
        "1. Open the form:",
        "| Day | Who |",
        "> Quoted",
        "~~~",
        "    indented",
        "Last line",
    ]


def test_text_is_passed_on_as_it_arrives() -> None:
    splitter = BlockSplitter()
    assert splitter.feed("Refunds ta") == [BlockText(0, "Refunds ta")]
    assert splitter.feed("ke days.") == [BlockText(0, "ke days.")]
    assert splitter.feed("\n\n") == [BlockText(0, "\n\n")]
    assert splitter.feed("N") == [BlockClosed(0, "Refunds take days.\n\n"), BlockText(1, "N")]
    assert splitter.finish() == [BlockClosed(1, "N")]


def test_the_start_of_a_line_after_a_list_is_held_until_it_is_clear_what_it_is() -> None:
    splitter = BlockSplitter()
    splitter.feed("- a\n\n")
    assert splitter.feed("-") == []
    assert splitter.feed(" b\n\n") == [BlockText(0, "- b\n\n")]
    assert splitter.feed("1") == []
    assert splitter.feed("0 days") == [
        BlockClosed(0, "- a\n\n- b\n\n"),
        BlockText(1, "10 days"),
    ]


def test_a_fence_inside_a_list_item_ends_with_the_item() -> None:
    assert closed(split(["- ```\n  code\n\nText\n\nMore"])) == [
        "- ```\n  code\n\n",
        "Text\n\n",
        "More",
    ]


def test_an_open_fence_keeps_everything_to_the_end() -> None:
    assert closed(split(["```\na\n\nb\n\n# c"])) == ["```\na\n\nb\n\n# c"]


def test_a_footnote_keeps_its_indented_paragraphs() -> None:
    assert len(closed(split(["[^1]: One.\n\n    Two.\n\nText"]))) == 2


def test_empty_text_has_no_blocks_and_blank_text_has_one() -> None:
    assert split([""]) == []
    assert closed(split(["\n", " \n"])) == ["\n \n"]


FRAGMENTS = st.lists(
    st.sampled_from(
        ["word", " ", "\n", "\n\n", "- ", "* ", "1. ", "10) ", "```", "```py\n", "~~~", "    ",
         "\t", "| a | b |\n|---|---|\n", "> ", "# ", "---", "`", "**b**", "é", "\r\n", "\u00a0"]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(FRAGMENTS, st.lists(st.integers(min_value=0, max_value=500), max_size=12))
def test_pieces_join_to_the_input_and_cuts_change_no_block(text: str, points: list[int]) -> None:
    events = split(cut(text, points))
    texts = [event for event in events if isinstance(event, BlockText)]
    assert "".join(event.text for event in texts) == text
    assert [event.block for event in texts] == sorted(event.block for event in texts)
    ends = [event for event in events if isinstance(event, BlockClosed)]
    assert [event.block for event in ends] == list(range(len(ends)))
    for end in ends:
        assert end.markdown == "".join(e.text for e in texts if e.block == end.block)
        assert not any(e.block == end.block for e in texts if events.index(e) > events.index(end))
    assert closed(events) == closed(split([text]))


@settings(max_examples=300, deadline=None)
@given(FRAGMENTS.filter(lambda text: "[" not in text))
def test_blocks_rendered_one_by_one_look_like_the_whole(text: str) -> None:
    whole = render_markdown(text)
    assert "".join(render_markdown(block) for block in closed(split([text]))) == whole


@pytest.mark.parametrize("width", [1, 3, 7])
def test_an_answer_streamed_in_tokens_renders_like_the_whole(width: int) -> None:
    pieces = [ANSWER[i : i + width] for i in range(0, len(ANSWER), width)]
    html = "".join(render_markdown(block) for block in closed(split(pieces)))
    assert html == render_markdown(ANSWER)
