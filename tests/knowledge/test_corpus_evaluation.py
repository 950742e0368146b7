"""Measuring search on test sets: reading the folders, the figures, and leaving nothing behind."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from knowledge import corpus_evaluation
from knowledge.corpora import CorpusError, corpus_read
from knowledge.corpus_evaluation import PREFIX, leftovers_remove, reciprocal_ranks, scores_of
from knowledge.holders import holder_name
from knowledge.models import Chunk, Embedding, Node, NodeQuality, Space, TermStatistic

DOCUMENTS = {
    "d1": "The harbour master opens the sluice at low tide.",
    "d2": "Tickets for the ferry are sold at the kiosk.",
    "d3": "The lighthouse keeper paints the lantern every spring.",
}

QUESTIONS: dict[int | str, str] = {1: "who opens the sluice", "2": "ferry tickets"}


def written(folder: Path, **changes: str) -> Path:
    """A small set; `changes` replaces whole files by what they are called without their endings."""
    files = {
        "corpus": "\n".join(json.dumps({"_id": k, "text": v}) for k, v in DOCUMENTS.items()),
        "queries": "\n".join(json.dumps({"_id": k, "text": v}) for k, v in QUESTIONS.items()),
        "test": "query-id\tcorpus-id\tscore\n1\td1\t2\n1\td2\t0\n2\td2\t1\n",
    } | changes
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(files["corpus"], encoding="utf-8")
    (folder / "queries.jsonl").write_text(files["queries"], encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(files["test"], encoding="utf-8")
    return folder


def test_a_folder_is_read(tmp_path: Path) -> None:
    corpus = corpus_read(written(tmp_path / "set"))
    assert corpus.name == "set"
    assert [document.id for document in corpus.documents] == ["d1", "d2", "d3"]
    assert corpus.questions == {"1": "who opens the sluice", "2": "ferry tickets"}
    assert corpus.grades == {"1": {"d1": 2.0}, "2": {"d2": 1.0}}
    marked = written(tmp_path / "marked", test="1\td1\t2\n1\td2\t0\n2\td2\t1\n")
    for file in [*marked.glob("*.jsonl"), marked / "qrels" / "test.tsv"]:
        file.write_text("\ufeff" + file.read_text("utf-8"), "utf-8")
    assert replace(corpus_read(marked), name="set") == corpus


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"corpus": '{"_id": "d1", "text": "a"}\n{broken'}, "corpus.jsonl:2:"),
        ({"corpus": '["d1"]'}, "corpus.jsonl:1:"),
        ({"corpus": '{"text": "a"}'}, "corpus.jsonl:1: “_id”"),
        ({"corpus": '{"_id": "a", "text": "a"}\n\n{"_id": "a", "text": "b"}'}, "corpus.jsonl:3:"),
        ({"corpus": ""}, "corpus.jsonl has no document"),
        ({"queries": '{"_id": "1", "text": " "}'}, "queries.jsonl:1:"),
        ({"queries": '{"_id": "2", "text": "x"}'}, "question “1”"),
        ({"test": "1\td1\n"}, "test.tsv:1:"),
        ({"test": "1\td1\t1\n1\td2\tmuch\n"}, "test.tsv:2:"),
        ({"test": "1\td1\t0\n"}, "no question has a document"),
        ({"test": "1\tgone\t1\n"}, "none of the documents that it names"),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_line(
    tmp_path: Path, changes: dict[str, str], place: str
) -> None:
    with pytest.raises(CorpusError) as refused:
        corpus_read(written(tmp_path / "set", **changes))
    assert place in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path / "set")
    (folder / "qrels" / "test.tsv").unlink()
    with pytest.raises(CommandError, match=r"test\.tsv is missing"):
        call_command("evaluate", corpus=[str(folder)])


def test_the_measures_are_those_of_the_textbook() -> None:
    scores = scores_of(["a", "x", "b"], ["a", "x", "b", "c"], {"a": 1.0, "b": 3.0, "c": 1.0})
    ideal = 3 + 1 / 1.584962500721156 + 1 / 2
    assert scores.ndcg_10 == pytest.approx((1 + 3 / 2) / ideal)
    assert scores.recall_10 == pytest.approx(2 / 3)
    assert (scores.recall_100, scores.mrr_10) == (1.0, 1.0)
    assert reciprocal_ranks(["a", "b"], ["b", "c"]) == ["b", "a", "c"]


@pytest.mark.django_db
def test_a_set_is_measured_and_nothing_of_it_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path / "set")
    call_command("evaluate", corpus=[str(folder)], as_json=True, questions=True)
    report = json.loads(capsys.readouterr().out)[0]
    assert report["scores"]["hybrid"]["ndcg_10"] == 1.0
    assert report["scores"]["keyword"]["recall_100"] == 1.0
    assert set(report["per_question"]) == {"1", "2"}
    for model in (Space, Node, Chunk, Embedding, TermStatistic):
        assert not model.objects.exists()
    connection.check_constraints()


@pytest.mark.django_db
def test_breaking_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(*_args: Any, **_options: Any) -> None:
        assert Node.objects.count() == len(DOCUMENTS)
        for node in Node.objects.all():  # as the checks do, which run meanwhile
            NodeQuality.objects.create(node=node, space=node.space)
        raise KeyboardInterrupt

    monkeypatch.setattr(corpus_evaluation, "asked", broken_off)
    with pytest.raises(SystemExit) as ended:
        call_command("evaluate", corpus=[str(written(tmp_path / "set"))])
    assert ended.value.code == 130
    assert not Space.objects.exists()
    assert not Node.objects.exists()
    connection.check_constraints()


@pytest.mark.django_db
def test_what_a_killed_process_left_is_removed_and_nothing_else(space: Space) -> None:
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    machine, _own, rest = holder_name().split(":")
    dead = f"{machine}:{int(child.stdout)}:{rest}"
    for name in (dead, holder_name()):
        Space.objects.create(name="x", slug=f"{PREFIX}{name[-12:]}{name == dead}", description=name)
    assert leftovers_remove() == 1
    assert Space.objects.filter(slug__startswith=PREFIX).get().description != dead
    assert Space.objects.filter(pk=space.pk).exists()
    with pytest.raises(ValueError, match="throwaway"):
        corpus_evaluation.space_remove(space)
