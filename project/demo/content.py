"""The demo as it lies in this folder, read into the shapes that the services take.

`nodes/*/*.md` are pages with YAML front matter, `space.yaml` describes their space and the files
beside them, `relations.yaml` joins pages by external id, and `questions.yaml` holds questions
whose answers are known.
"""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from knowledge.node_fields import NodeChanges
from knowledge.services.spaces import SpaceFields

FOLDER = Path(__file__).resolve().parent
FENCE = "---\n"


@dataclass(frozen=True, slots=True)
class DemoFile:
    """A file among the sources of the demo; `key` is its name in `questions.yaml`."""

    path: Path
    title: str
    language: str
    tags: list[str]
    key: str


@dataclass(frozen=True, slots=True)
class DemoRelation:
    """Two pages by their external ids, and what the first is to the second."""

    source: str
    target: str
    kind: str


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question, the pages or files that answer it, and words the answer must contain."""

    id: str
    language: str
    question: str
    answered_by: list[str]
    must_contain: str


def space_fields() -> SpaceFields:
    """Return what the demo's space is called and how it presents itself."""
    about = _yaml("space.yaml")
    return SpaceFields(
        name=about["name"],
        slug=about["slug"],
        description=about["description"],
        visibility=about["visibility"],
        language=about["language"],
        suggested_questions=about["suggested_questions"],
    )


def pages() -> list[NodeChanges]:
    """Return the pages in the order of their file names, English before Portuguese."""
    return [page_of(path.read_text("utf-8")) for path in sorted(FOLDER.glob("nodes/*/*.md"))]


def page_of(text: str) -> NodeChanges:
    """Return the fields of one page. Raises ValueError for a text without front matter."""
    if not text.startswith(FENCE):
        raise ValueError("A demo page begins with front matter.")
    head, content = text.removeprefix(FENCE).split(f"\n{FENCE}", 1)
    facts: dict[str, Any] = yaml.safe_load(head)
    page = NodeChanges(
        kind=facts["kind"],
        title=facts["title"],
        content=content,
        language=facts["language"],
        tags=facts["tags"],
        metadata={"owner_role": facts["owner_role"]},
        review_due=facts.get("review_due"),
        external_id=facts["external_id"],
        status=facts["status"],
    )
    if begins := facts.get("valid_from"):
        page["valid_from"] = datetime.datetime.combine(begins, datetime.time.min, datetime.UTC)
    return page


def files() -> list[DemoFile]:
    """Return the files that are uploaded beside the pages."""
    return [
        DemoFile(**{**each, "path": FOLDER / "files" / each["path"]})
        for each in _yaml("space.yaml")["files"]
    ]


def relations() -> list[DemoRelation]:
    """Return the relations between pages that no link in a text makes."""
    return [DemoRelation(**each) for each in _yaml("relations.yaml")["relations"]]


def questions() -> list[DemoQuestion]:
    """Return the questions with known answers."""
    return [DemoQuestion(**each) for each in _yaml("questions.yaml")["questions"]]


def golden_questions() -> list[DemoQuestion]:
    """Return those that pages answer and that the demo's space keeps for its evaluations."""
    wanted = set(_yaml("questions.yaml")["golden"])
    return [each for each in questions() if each.id in wanted]


def _yaml(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return read
