"""Test sets in the form of BEIR: a folder with documents, questions, and which answers which.

``corpus.jsonl`` has a document a line (`_id`, `text`, perhaps `title`), ``queries.jsonl`` a
question a line (`_id`, `text`), ``qrels/test.tsv`` a judgement a line (question, document, grade),
with or without a heading. (Thakur et al., "BEIR: A Heterogeneous Benchmark for Zero-shot Evaluation
of Information Retrieval Models", 2021.) Pure: files in, rows out.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _


class CorpusError(Exception):
    """A folder that is not what it should be; the text names the file and the line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a set."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """A set. `grades` has for each question the documents that answer it, all above 0.

    `unjudged` counts questions of the file of which nothing is known, `missing` judged documents
    that are not in the corpus: they can never be found, and count.
    """

    name: str
    documents: list[Document]
    questions: dict[str, str]
    grades: dict[str, dict[str, float]]
    unjudged: int
    missing: int


def corpus_read(folder: Path, *, split: str = "test") -> Corpus:
    """Return the set of a folder. Raises CorpusError."""
    if not folder.is_dir():
        raise CorpusError(_("%(path)s is not a folder.") % {"path": folder})
    documents = _documents(folder / "corpus.jsonl")
    texts = dict(_questions(folder / "queries.jsonl"))
    judged = _judgements(folder / "qrels" / f"{split}.tsv")
    unknown = sorted(set(judged) - set(texts))
    if unknown:
        message = _("%(path)s: question “%(id)s” is judged and not in queries.jsonl.")
        values = {"path": folder / "qrels" / f"{split}.tsv", "id": unknown[0]}
        raise CorpusError(message % values)
    grades = {
        question: relevant
        for question, rows in judged.items()
        if (relevant := {document: grade for document, grade in rows.items() if grade > 0})
    }
    if not grades:
        message = _("%(path)s: no question has a document that answers it.")
        raise CorpusError(message % {"path": folder / "qrels" / f"{split}.tsv"})
    known = {document.id for document in documents}
    wanted = {document for rows in grades.values() for document in rows}
    if not wanted & known:
        message = _("%(path)s: none of the documents that it names is in corpus.jsonl.")
        raise CorpusError(message % {"path": folder / "qrels" / f"{split}.tsv"})
    return Corpus(
        name=folder.resolve().name,
        documents=documents,
        questions={question: text for question, text in texts.items() if question in grades},
        grades=grades,
        unjudged=len(texts) - len(grades),
        missing=len(wanted - known),
    )


def _documents(path: Path) -> list[Document]:
    found: dict[str, Document] = {}
    for number, row in _rows(path):
        document = Document(
            _text(path, number, row, "_id"),
            _text(path, number, row, "title", is_needed=False),
            _text(path, number, row, "text", is_needed=False),
        )
        if document.id in found:
            _fail(path, number, _("the document “%(id)s” is there twice.") % {"id": document.id})
        if not (document.title.strip() or document.text.strip()):
            continue  # BEIR's own sets have some empty documents: nothing to find
        found[document.id] = document
    if not found:
        raise CorpusError(_("%(path)s has no document.") % {"path": path})
    return list(found.values())


def _questions(path: Path) -> Iterator[tuple[str, str]]:
    known = set()
    for number, row in _rows(path):
        question = _text(path, number, row, "_id")
        if question in known:
            _fail(path, number, _("the question “%(id)s” is there twice.") % {"id": question})
        known.add(question)
        text = _text(path, number, row, "text")
        if not text.strip():
            _fail(path, number, _("the question is empty."))
        yield question, text


def _judgements(path: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for number, line in _lines(path):
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 3:
            _fail(
                path,
                number,
                _("a line has question, document and grade, with tabs between; not %(count)s.")
                % {"count": len(fields)},
            )
        question, document, written = (field.strip() for field in fields)
        try:
            grade = float(written)
        except ValueError:
            if number == 1:
                continue  # the heading
            _fail(path, number, _("the grade “%(grade)s” is not a number.") % {"grade": written})
        if not math.isfinite(grade):
            _fail(path, number, _("the grade “%(grade)s” is not a number.") % {"grade": written})
        found.setdefault(question, {})[document] = grade
    return found


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            _fail(path, number, _("this is not JSON (%(error)s).") % {"error": error})
        if not isinstance(row, dict):
            _fail(path, number, _("a line is a JSON object."))
        yield number, row


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, numbered from 1."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        message = _(
            "%(path)s is missing. A set is a folder with corpus.jsonl, queries.jsonl and a file of "
            "judgements, qrels/test.tsv."
        )
        raise CorpusError(message % {"path": path}) from None
    except UnicodeDecodeError as error:
        _fail(path, number + 1, _("this is not UTF-8 (%(error)s).") % {"error": error.reason})
    except OSError as error:
        message = _("%(path)s cannot be read: %(error)s.")
        raise CorpusError(message % {"path": path, "error": error.strerror}) from error


def _text(
    path: Path, number: int, row: dict[str, Any], name: str, *, is_needed: bool = True
) -> str:
    value = row.get(name)
    if value is None and not is_needed:
        return ""
    if isinstance(value, int) and name == "_id":
        return str(value)
    if not isinstance(value, str) or (name == "_id" and not value):
        _fail(path, number, _("“%(name)s” is missing, or not a text.") % {"name": name})
    return str(value)


def _fail(path: Path, number: int, what: str) -> Any:
    raise CorpusError(f"{path}:{number}: {what}")
