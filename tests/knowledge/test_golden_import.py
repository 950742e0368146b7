"""Files of golden questions."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from knowledge import services
from knowledge.choices import GoldenOrigin
from knowledge.models import GoldenQuestion, Node, Space
from project.accounts.models import User
from project.http.errors import Invalid
from tests.knowledge.test_golden_services import make_node


@pytest.fixture
def nodes(owner: User, space: Space) -> dict[str, Node]:
    return {
        "fees": make_node(owner, space, "Mooring fees", external_id="PRO-104"),
        "tide": make_node(owner, space, "Tides"),
        "twin": make_node(owner, space, "Twin", external_id="T-1"),
        "other twin": make_node(owner, space, "Twin", external_id="T-2"),
    }


def take(user: User, space: Space, text: str) -> services.Imported:
    return services.golden_import(acting_user=user, space=space, data=text.encode())


def targets(question: str) -> dict[str, int]:
    golden = GoldenQuestion.objects.get(question=question)
    return {target.title: target.grade for target in golden.targets.all()}


def test_csv_with_any_name_of_a_node(teammate: User, space: Space, nodes: dict[str, Node]) -> None:
    text = (
        "\ufeffquestion,external_id,node,title,grade,language,tags,notes\n"
        'What is a berth?,PRO-104,,,3,en,"money, berths",From the helpdesk\n'
        "When is high water?,,,Tides,,,,\n"
        f"\nWhat is a berth?,,{nodes['tide'].pk},,1,,,\n"
    )
    assert take(teammate, space, text) == (2, 0)
    assert targets("What is a berth?") == {"Mooring fees": 3, "Tides": 1}
    assert targets("When is high water?") == {"Tides": 3}
    golden = GoldenQuestion.objects.get(question="What is a berth?")
    assert (golden.language, golden.tags, golden.notes, golden.origin) == (
        "en", ["money", "berths"], "From the helpdesk", GoldenOrigin.IMPORT,
    )  # fmt: skip


def test_semicolons_separate_too(teammate: User, space: Space, nodes: dict[str, Node]) -> None:
    assert take(teammate, space, "question;title\nWhen, and where?;Tides\n") == (1, 0)
    assert targets("When, and where?") == {"Tides": 3}


def test_json_lines(teammate: User, space: Space, nodes: dict[str, Node]) -> None:
    lines = [
        {"question": "One?", "title": "Tides", "grade": 2, "tags": ["a"]},
        {"question": "Two?", "external_id": ["T-1", "T-2"]},
        {"question": "Three?", "nodes": [{"title": "Tides", "grade": 1}, {"external_id": "T-1"}]},
    ]
    assert take(teammate, space, "\n".join(map(json.dumps, lines))) == (3, 0)
    assert targets("One?") == {"Tides": 2}
    assert len(GoldenQuestion.objects.get(question="Two?").targets.all()) == 2
    assert targets("Three?") == {"Tides": 1, "Twin": 3}


def test_a_file_taken_in_again_changes_nothing(
    teammate: User, space: Space, nodes: dict[str, Node]
) -> None:
    text = "question,title\nWhen?,Tides\n"
    assert take(teammate, space, text) == (1, 0)
    assert take(teammate, space, text + "Where?,Tides\n") == (1, 1)
    assert GoldenQuestion.objects.count() == 2


def test_bad_lines_are_told_by_number_and_nothing_is_stored(
    teammate: User, space: Space, nodes: dict[str, Node]
) -> None:
    text = (
        "question,external_id,title,grade\n"
        "Good?,PRO-104,,\n"
        ",PRO-104,,\n"
        "No node?,,,\n"
        "Bad grade?,PRO-104,,9\n"
        "Too many?,PRO-104,,1,1\n"
    )
    with pytest.raises(Invalid) as caught:
        take(teammate, space, text)
    assert caught.value.details is not None
    assert sorted(caught.value.details) == ["3", "4", "5", "6"]
    text = "question,external_id,title\nGood?,PRO-104,\nGone?,NO-1,\nTwin?,,Twin\n"
    with pytest.raises(Invalid) as caught:
        take(teammate, space, text)
    assert caught.value.details is not None
    assert sorted(caught.value.details) == ["3", "4"]
    assert "NO-1" in caught.value.details["3"][0]
    assert "More than one" in caught.value.details["4"][0]
    assert not GoldenQuestion.objects.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"question,colour\nWhat?,red\n",
        b"question\nWhat?\n",
        b"question,title\n",
        b'{"question": "A?", "title": 3}\n',
        b'{"question": "A?", "nodes": [{"title": "Tides", "node": "x"}]}\n',
        b'{"question": "A?", "node": "no-id"}\n',
        b'{"question": "A?", "colour": "red"}\n',
        b'{"question": "A?", "title": "Tides"}\n[1]\n',
        b'{"question": "A?", "title": "Tides"}\n{\n',
    ],
)
def test_a_file_that_is_none_is_refused(
    teammate: User, space: Space, nodes: dict[str, Node], data: bytes
) -> None:
    with pytest.raises(Invalid) as caught:
        services.golden_import(acting_user=teammate, space=space, data=data)
    assert caught.value.field == "file"
    assert not GoldenQuestion.objects.exists()


def test_the_command_takes_in_a_file(
    owner: User,
    space: Space,
    nodes: dict[str, Node],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "golden.csv"
    path.write_text("question,title\nWhen?,Tides\n", encoding="utf-8")
    call_command("golden_import", str(path), space=space.slug, user=owner.username)
    assert "1" in capsys.readouterr().out
    golden = GoldenQuestion.objects.get()
    assert (golden.question, golden.created_by) == ("When?", owner)
    path.write_text("question,title\nWhere?,Nowhere\n", encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        call_command("golden_import", str(path), space=space.slug, user=owner.username)
    assert "line 2" in str(caught.value)
    with pytest.raises(CommandError):
        call_command("golden_import", str(path), space="nowhere", user=owner.username)
