"""How the texts of a kind are cut: strategies, what may be asked of them, and a change of it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge import services
from knowledge.chunking import cut
from knowledge.chunking.cutting import STRATEGIES, Cutting, CuttingFault, cutting_of
from knowledge.indexing import index_node
from knowledge.models import Chunk, Embedding, Kind, Node, NodeVersion, PastChunk, Space
from knowledge.recutting import count_to_recut, nodes_recut
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.http.errors import Invalid
from tests.knowledge.test_chunking import MARKDOWN

FAQ = """# Help

Words before.

## Fares

| Line | Price |
|---|---|
| North | 5 |
| South | 7 |

### How do I get a refund?

Write to us. It takes five days. Nobody has to call.

Q: Is there a ferry?
A: Yes, at nine.

**Can dogs travel?**

They can, on a lead.

```py
x = 1
# no heading. y = 2
```

1. First step. Go there.
2. Second step.
"""


def texts(markdown: str, **cutting: object) -> list[str]:
    return [passage.text for passage in cut(markdown, cutting_of(cutting))]


def test_questions_stay_with_their_answers() -> None:
    found = texts(FAQ, strategy="questions")
    assert found[2].startswith("### How do I get a refund?\n\nWrite to us.")
    assert found[3] == "Q: Is there a ferry?\nA: Yes, at nine."
    assert found[4].startswith("**Can dogs travel?**\n\nThey can, on a lead.")
    long = "## Why?\n\n" + "Because of the weather at sea. " * 60
    parts = cut(long, cutting_of({"strategy": "questions", "max_tokens": 60}))
    assert len(parts) > 3
    assert {part.context for part in parts[1:]} == {"Why?"}
    listed = "Q: Why?\n\n" + "Because of the weather at sea. " * 60
    parts = cut(listed, cutting_of({"strategy": "questions", "max_tokens": 60}))
    assert {part.context for part in parts[1:]} == {"Q: Why?"}
    table = "| Question | Answer |\n|---|---|\n| Who? | Ana |\n| When? | At nine |\n"
    assert texts(table, strategy="questions")[-1] == "| When? | At nine |"


def test_each_row_of_a_table_has_its_header_above_it() -> None:
    found = cut(FAQ, cutting_of({"strategy": "table_rows"}))
    assert found[1].text.endswith("| North | 5 |")
    assert (found[2].text, found[2].context) == ("| South | 7 |", "Help > Fares\nLine | Price")
    both = texts(FAQ, strategy="table_rows", rows=2)
    assert both[1].endswith("| North | 5 |\n| South | 7 |")


def test_a_window_moves_over_sentences_and_tears_no_code() -> None:
    found = texts(FAQ, strategy="sentences", sentences=2, repeated=1)
    assert "Write to us. It takes five days." in found[2]
    assert found[3] == "It takes five days. Nobody has to call."
    assert sum("x = 1" in text for text in found) == 2
    assert all(text.count("```") in (0, 2) for text in found)
    assert "1. First step. Go there." in found


def test_sections_stay_together_down_to_a_level_or_as_a_whole() -> None:
    assert len(texts(FAQ, strategy="heading", level=1)) == 1
    assert [text[:8] for text in texts(FAQ, strategy="heading", level=2)] == [
        "# Help\n\n",
        "## Fares",
    ]
    assert texts(FAQ, strategy="whole") == [FAQ.strip()]
    assert len(texts(FAQ, strategy="whole", max_tokens=40)) > 3


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"strategy": "magic"}, "strategy"),
        ("whole", "strategy"),
        ({"strategy": ["whole"]}, "strategy"),
        ({"strategy": "structure", "max_tokens": 5}, "max_tokens"),
        ({"strategy": "structure", "max_tokens": True}, "max_tokens"),
        ({"strategy": "structure", "max_tokens": "180"}, "max_tokens"),
        ({"strategy": "structure", "max_tokens": 100, "overlap": 50}, "overlap"),
        ({"strategy": "whole", "overlap": 5}, "overlap"),
        ({"strategy": "sentences", "sentences": 2, "repeated": 2}, "repeated"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(value: object, field: str) -> None:
    with pytest.raises(CuttingFault) as raised:
        cutting_of(value)
    assert list(raised.value.faults) == [field]


def test_a_cutting_is_kept_short_and_told_apart() -> None:
    assert cutting_of({}) == cutting_of({"strategy": "structure", "overlap": 0}) == Cutting()
    assert (Cutting().key, Cutting().as_json()) == ("", {})
    rows = cutting_of({"strategy": "table_rows", "rows": 2, "max_tokens": 180})
    assert rows.as_json() == {"strategy": "table_rows", "rows": 2}
    keys = [cutting_of({"strategy": name}).key for name in STRATEGIES]
    assert len({*keys, rows.key}) == len(STRATEGIES) + 1


CUTTINGS = st.sampled_from(
    [
        *({"strategy": name} for name in STRATEGIES),
        {"strategy": "sentences", "sentences": 1, "repeated": 0},
        {"strategy": "sentences", "sentences": 5, "repeated": 4, "max_tokens": 30},
        {"strategy": "table_rows", "rows": 2, "max_tokens": 20},
        {"strategy": "questions", "max_tokens": 20},
        {"strategy": "heading", "level": 1, "max_tokens": 40, "overlap": 8},
        {"strategy": "whole", "max_tokens": 30},
    ]
)


@settings(max_examples=150, deadline=None)
@given(MARKDOWN, CUTTINGS)
def test_no_strategy_loses_a_word(markdown: str, value: dict[str, object]) -> None:
    passages = cut(markdown, cutting_of(value))
    covered = bytearray(len(markdown))
    before = None
    for position, passage in enumerate(passages):
        assert passage.position == position
        assert markdown[passage.start : passage.end] == passage.text
        assert re.search(r"[^\W_]", passage.text)
        covered[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
        assert before is None or (before.start < passage.start and before.end < passage.end)
        before = passage
    lost = [c for c, seen in zip(markdown, covered, strict=True) if not seen]
    assert not re.search(r"[^\W_]", "".join(lost))


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    made = services.node_create(
        acting_user=owner, space=space, title="Help", content=FAQ, kind="faq", language="en"
    )
    services.node_publish(acting_user=owner, node=made)
    index_node(made.pk)
    return Node.objects.get(pk=made.pk)


@pytest.mark.django_db
def test_a_kinds_nodes_are_cut_anew_while_search_goes_on(
    owner: User, space: Space, node: Node
) -> None:
    request = SearchRequest("Is there a ferry?", spaces=(space.pk,))
    (before,) = search(request, user=owner).results
    old = set(Chunk.objects.values_list("pk", flat=True))
    revision = Space.objects.get(pk=space.pk).index_revision
    kind = services.kind_create(acting_user=owner, space=space, name="faq")
    assert count_to_recut() == 0

    services.kind_update(acting_user=owner, kind=kind, chunking={"strategy": "questions"})
    assert count_to_recut("faq") == 1
    assert search(request, user=owner).results[0].node == node.pk  # by its old passages
    assert set(Chunk.objects.values_list("pk", flat=True)) == old
    assert nodes_recut() == 1

    (after,) = search(request, user=owner).results
    content = node.content
    assert content[after.start : after.end] == "Q: Is there a ferry?\nA: Yes, at nine."
    assert after.start != before.start
    assert Space.objects.get(pk=space.pk).index_revision > revision
    assert Embedding.objects.count() == Chunk.objects.count()
    assert (nodes_recut(), count_to_recut()) == (0, 0)
    assert not PastChunk.objects.exists()  # the version is the same: nothing went to the past
    assert NodeVersion.objects.filter(id=node.pk).count() == node.version

    services.kind_delete(acting_user=owner, kind=kind)
    assert nodes_recut() == 1
    assert search(request, user=owner).results[0].start == before.start


@pytest.mark.django_db
def test_passages_of_the_past_stay_as_they_were(owner: User, space: Space, node: Node) -> None:
    kind = services.kind_create(acting_user=owner, space=space, name="faq")
    services.node_update(
        acting_user=owner, node=node, expected_version=node.version, content=FAQ + "\nMore.\n"
    )
    index_node(node.pk)
    past = list(PastChunk.objects.order_by("pk").values_list("pk", "start", "end"))
    assert past
    services.kind_update(acting_user=owner, kind=kind, chunking={"strategy": "sentences"})
    assert nodes_recut() == 1
    assert list(PastChunk.objects.order_by("pk").values_list("pk", "start", "end")) == past


@pytest.mark.django_db
def test_a_cutting_that_makes_no_sense_is_not_stored(owner: User, space: Space) -> None:
    with pytest.raises(Invalid) as raised:
        services.kind_create(
            acting_user=owner, space=space, name="faq", chunking={"strategy": "whole", "rows": 3}
        )
    assert (raised.value.code, raised.value.field) == ("chunking_invalid", "chunking")
    assert not Kind.objects.exists()
