"""`manage.py import_nodes`: files of any size, good rows beside bad ones, again and again."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from knowledge import node_import, services
from knowledge.choices import NodeStatus, VersionOrigin
from knowledge.import_lines import Line, lines_read
from knowledge.models import Chunk, Node, NodeVersion, Space
from project.accounts.models import User
from project.http.errors import Invalid


@pytest.fixture(autouse=True)
def no_model(settings: Settings) -> None:
    settings.ACERVO_EMBEDDING = "hashing"


def read(text: str | bytes, kind: str) -> list[Line]:
    data = text.encode() if isinstance(text, str) else text
    return list(lines_read(io.BytesIO(data), kind))


def run(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    """Return how the command ended, and what it said on both streams."""
    code = 0
    try:
        call_command("import_nodes", str(path), "--space=harbour", "--user=owner", *options)
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_lines_of_json_say_what_is_wrong_with_them() -> None:
    text = (
        b'\xef\xbb\xbf{"title": "A", "tags": ["x"], "external_id": null}\n\n{"title": 5}\n[1]\n'
        b"{oh}\n"
        b'{"title": "\xff"}\n{"title": "B", "colour": "red"}\n{"content": "no title"}\n'
        b'{"title": "C", "status": "lost"}\n{"title": "D", "metadata": []}\n{"title": "E"}'
    )
    lines = read(text, "jsonl")
    assert [line.number for line in lines] == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [line.number for line in lines if not line.problem] == [1, 11]
    problems = " ".join(line.problem for line in lines)
    for said in ("another kind", "JSON object", "no JSON", "UTF-8", "colour", "title", "draft"):
        assert said in problems


def test_lines_of_csv_may_hold_paragraphs() -> None:
    text = (
        'title;content;tags;metadata;external_id\n"A";"One\n\nTwo";"x, y";"{""a"": 1}";A-1\n'
        "B;;;oh;\nC;;\n\nD;plain;;;\n"
    )
    lines = read("\ufeff" + text, "csv")
    assert [(line.number, bool(line.problem)) for line in lines] == [
        (2, False),
        (5, True),
        (6, True),
        (8, False),
    ]
    assert lines[0].values == {
        "title": "A",
        "content": "One\n\nTwo",
        "tags": ["x", "y"],
        "metadata": {"a": 1},
        "external_id": "A-1",
    }
    assert lines[3].values == {"title": "D", "content": "plain"}
    for header in ("name,content\n", "title,title\n", "", "title,colour\n"):
        with pytest.raises(Invalid, match="title"):
            read(header, "csv")


def test_it_takes_in_what_is_good_and_a_second_run_changes_nothing(
    owner: User, space: Space, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(node_import, "BATCH", 3)
    rows: list[Any] = [
        {"title": f"Note {n}", "content": f"Buoy {n} is wet.", "external_id": f"N-{n}"}
        for n in range(7)
    ]
    rows[2] = {"title": "Without a name", "content": "A rope."}
    rows[4]["valid_until"] = "yesterday"
    rows[6]["language"] = "xx-nope"
    rows += [
        {"title": "Draft", "status": "draft"},
        {"title": "Note 1, again", "external_id": "N-1"},
    ]
    path = tmp_path / "nodes.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\nnothing\n", encoding="utf-8")

    code, out, err = run(path, capsys, "--dry-run")
    assert (code, Node.objects.count()) == (1, 0)
    assert "7 could be stored, 3 not" in out
    code, out, err = run(path, capsys)
    assert code == 1
    assert "6 created, 1 updated, 0 unchanged, 3 refused; 6 passages indexed" in out
    assert "line 5: " in err
    assert "line 7: " in err
    assert "line 10: " in err
    assert Node.objects.get(external_id="N-1").title == "Note 1, again"
    published = Node.objects.filter(status=NodeStatus.PUBLISHED)
    assert {node.indexed_version == node.version for node in published} == {True}
    versions, chunks = NodeVersion.objects.count(), Chunk.objects.count()
    assert set(NodeVersion.objects.values_list("change_origin", flat=True)) == {
        VersionOrigin.IMPORT
    }

    _code, out, _err = run(path, capsys)
    assert "0 created, 2 updated, 5 unchanged" in out  # N-1 goes there and back
    assert NodeVersion.objects.count() == versions + 2
    assert Chunk.objects.count() == chunks


def test_it_goes_on_where_a_kill_left_it(
    owner: User, space: Space, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(node_import, "BATCH", 2)
    path = tmp_path / "nodes.csv"
    lines = [f"Note {n},Buoy {n} is wet." for n in range(7)]
    path.write_text("\n".join(["title,content", *lines]) + "\n", encoding="utf-8")
    original, swaps = node_import.swap, []

    def killed(prepared: Any) -> int:
        swaps.append(prepared)
        if len(swaps) == 2:
            raise KeyboardInterrupt
        return original(prepared)

    with monkeypatch.context() as patch:
        patch.setattr(node_import, "swap", killed)
        assert run(path, capsys)[0] == 130
    assert 0 < Node.objects.count() < 7
    assert Node.objects.filter(indexed_version=None).exists()
    code, out, _err = run(path, capsys)
    assert (code, Node.objects.count(), Chunk.objects.count()) == (0, 7, 7)
    assert not Node.objects.filter(indexed_version=None).exists()
    assert NodeVersion.objects.count() == 7
    assert "0 refused" in out


def test_it_can_stop_at_the_first_fault(
    owner: User, space: Space, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "nodes.jsonl"
    path.write_text('{"title": "A"}\n{"title": ""}\n{"title": "B"}\n[]\n', encoding="utf-8")
    code, out, err = run(path, capsys, "--stop-on-error")
    assert code == 1
    assert "1 created, 0 updated, 0 unchanged, 1 refused" in out
    assert list(Node.objects.values_list("title", flat=True)) == ["A"]
    assert "line 2" in err
    assert "line 4" not in err


def test_it_says_why_it_cannot_begin(space: Space, stranger: User, tmp_path: Path) -> None:
    path = tmp_path / "nodes.txt"
    path.write_text("title\nA\n", encoding="utf-8")
    arguments = [str(path), "--space=harbour", "--user=owner"]
    for wrong in (
        [*arguments],
        [*arguments, "--format=csv", "--space=nowhere"],
        [*arguments, "--format=csv", "--user=nobody"],
        [*arguments, "--format=csv", "--user=stranger"],
        ["missing.csv", "--space=harbour", "--user=owner"],
    ):
        with pytest.raises(CommandError):
            call_command("import_nodes", *wrong)
    assert not Node.objects.exists()


def test_a_service_needs_an_editor(stranger: User, space: Space) -> None:
    with pytest.raises(Exception, match="no such"):
        services.nodes_import(
            acting_user=stranger, space=space, lines=iter(()), refused=lambda *_: None
        )
