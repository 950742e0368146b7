"""`manage.py node_diff`: two versions compared as text."""

import io
import uuid
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from knowledge import services
from knowledge.models import Node, Space
from project.accounts.models import User

pytestmark = pytest.mark.django_db

LINES = [f"Line {number} of the handbook." for number in range(1, 21)]


def said(*arguments: object, **options: Any) -> list[str]:
    out = io.StringIO()
    call_command("node_diff", *map(str, arguments), stdout=out, **options)
    return out.getvalue().splitlines()


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    made = services.node_create(
        acting_user=owner,
        space=space,
        title="Tides",
        content="\n".join(LINES),
        tags=["sea", "old"],
        metadata={"area": "north", "depth": 3},
        external_id="tides",
    )
    text = "\n".join(LINES).replace("Line 10 of", "Row 10 of")
    return services.node_update(
        acting_user=owner,
        node=made,
        content=text + "\nA line more.",
        title="The tides",
        tags=["sea", "new"],
        metadata={"area": "south"},
        reason="New season",
    )


def test_fields_tags_and_words_are_shown_unified(node: Node) -> None:
    lines = said(node.pk, 1, 2)
    assert lines[0].startswith("--- Tides (version 1, 20")
    assert lines[1].startswith("+++ The tides (version 2, 20")
    assert lines[1].endswith(", owner): New season")
    assert lines[2:] == [
        "title: Tides → The tides",
        "tags: -old +new",
        "metadata.area: north → south",
        "metadata.depth: 3 → –",
        "@@ -7,7 +7,7 @@",
        " Line 7 of the handbook.",
        " Line 8 of the handbook.",
        " Line 9 of the handbook.",
        "-[-Line-] 10 of the handbook.",
        "+{+Row+} 10 of the handbook.",
        " Line 11 of the handbook.",
        " Line 12 of the handbook.",
        " Line 13 of the handbook.",
        "@@ -18,3 +18,4 @@",
        " Line 18 of the handbook.",
        " Line 19 of the handbook.",
        " Line 20 of the handbook.",
        "+A line more.",
    ]


def test_the_external_id_and_the_last_change_are_enough(node: Node) -> None:
    assert said("tides") == said(node.pk, 1, 2)


def test_only_terminals_get_colours(node: Node) -> None:
    assert "\x1b" not in "\n".join(said(node.pk, 1, 2))
    coloured = said(node.pk, 1, 2, force_color=True)
    assert "\x1b[31m-\x1b[7mLine\x1b[27m 10 of the handbook.\x1b[0m" in coloured


def test_a_text_cannot_steer_the_terminal(node: Node, owner: User) -> None:
    services.node_update(acting_user=owner, node=node, content="\x1b[2Jgone\n", tags=["\x9bx"])
    lines = "\n".join(said(node.pk, 2, 3))
    assert "\x1b" not in lines
    assert "\x9b" not in lines
    assert "\ufffd[2Jgone" in lines


def test_what_is_equal_says_so(node: Node, owner: User) -> None:
    assert said(node.pk, 2, 2)[2:] == ["They are equal."]
    content = node.content.replace("\n", "\r\n")
    services.node_update(acting_user=owner, node=node, content=content)
    assert said(node.pk, 2, 3)[2:] == ["They differ in line ends only."]


def test_a_merge_names_its_parents(node: Node, owner: User) -> None:
    services.node_update(
        acting_user=owner, node=node, title="Merged", expected_version=2, merged_from=1
    )
    assert ", merge of 2 and 1)" in said(node.pk, 2, 3)[1]


def test_a_deleted_node_still_has_its_versions(node: Node, owner: User) -> None:
    pk = node.pk
    services.node_delete(acting_user=owner, node=node)
    assert "+A line more." in said(pk, 1, 2)


def test_what_is_not_there_is_refused_in_words(node: Node) -> None:
    for arguments, why in (
        ((uuid.uuid4(),), "no node"),
        (("unknown", 1, 2), "no node"),
        ((node.pk, 1, 9), "no version 9"),
    ):
        with pytest.raises(CommandError, match=why):
            said(*arguments)


def test_an_external_id_of_two_spaces_needs_the_space(node: Node, admin_user: User) -> None:
    other = Space.objects.create(name="Other", slug="other")
    services.node_create(acting_user=admin_user, space=other, title="T", external_id="tides")
    with pytest.raises(CommandError, match="harbour, other"):
        said("tides", 1, 2)
    assert said("tides", 1, 2, space="harbour") == said(node.pk, 1, 2)
