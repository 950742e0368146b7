"""Writes of golden questions: editors of a space make them, from forms, programs and chats."""

import hashlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import GoldenOrigin
from knowledge.models import GoldenQuestion, GoldenTarget, Node, Space
from knowledge.models.evaluation import QUESTION_LIMIT
from knowledge.node_fields import language_require
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid
from project.locks import transaction_lock

GRADE = 3
MAX_TARGETS = 50
MAX_TAGS = 50


class GoldenFields(TypedDict, total=False):
    """What a caller may set on a golden question; `nodes` maps node ids to grades, 1 to 3."""

    question: str
    nodes: Mapping[uuid.UUID, int]
    language: str
    notes: str
    tags: Sequence[str]
    is_active: bool


class Asked(NamedTuple):
    """The golden question of a chat message, and whether it was made just now."""

    golden: GoldenQuestion
    is_new: bool


@transaction.atomic
def golden_create(
    *,
    acting_user: User,
    space: Space | None = None,
    origin: GoldenOrigin = GoldenOrigin.API,
    message_id: uuid.UUID | None = None,
    **fields: Unpack[GoldenFields],
) -> GoldenQuestion:
    """Store a question with the nodes that answer it; without `space`, in that of the nodes.

    Raises NotFound, Forbidden, Invalid, and Conflict (`golden_exists`) for a question that the
    space has already.
    """
    grades = fields.pop("nodes", {})
    nodes = _nodes(acting_user, grades)
    spaces = {node.space_id for node in nodes}
    if space is None:
        if len(spaces) > 1:
            raise Invalid(_("The nodes belong to several spaces."), field="nodes")
        space = nodes[0].space
    role_require(acting_user, space, Role.EDITOR)
    golden = GoldenQuestion(
        space=space, origin=origin, message_id=message_id, created_by=acting_user
    )
    _fields_set(golden, {"question": "", **fields})
    _save(golden)
    _targets_set(golden, nodes, grades)
    return golden


@transaction.atomic
def golden_update(
    *, acting_user: User, golden: GoldenQuestion, **changes: Unpack[GoldenFields]
) -> GoldenQuestion:
    """Change a golden question and return its stored row; `nodes` replaces all of its nodes.

    A node that is lost may stay, if it is among them. Raises NotFound, Forbidden, Invalid and
    Conflict.
    """
    row = _locked(acting_user, golden)
    grades = changes.pop("nodes", None)
    if grades is not None:
        _grades_check(grades)
    _fields_set(row, changes)
    _save(row)
    if grades is not None:
        lost = row.targets.filter(node=None, node_key__in=list(grades))
        gone = set(lost.values_list("node_key", flat=True))
        named = {key: grade for key, grade in grades.items() if key not in gone}
        _targets_set(row, _nodes(acting_user, named) if named else [], grades)
    return row


@transaction.atomic
def golden_delete(*, acting_user: User, golden: GoldenQuestion) -> None:
    """Delete a golden question; evaluations keep their copies. Raises NotFound and Forbidden."""
    _locked(acting_user, golden).delete()


@transaction.atomic
def golden_from_message(
    *,
    acting_user: User,
    message_id: uuid.UUID,
    question: str,
    cited: Sequence[uuid.UUID],
    language: str = "",
) -> Asked:
    """Make a golden question of what a person asked in a chat and the nodes that were cited.

    It belongs to the space of most of the nodes among those that the user edits. A message, or a
    question that the space has already, gives the one there is. Raises NotFound when the user
    edits none of the nodes, and Invalid.
    """
    transaction_lock(f"golden:{message_id}")
    known = GoldenQuestion.objects.visible_to(acting_user).filter(message_id=message_id).first()
    if known is not None:
        return Asked(known, is_new=False)
    nodes = _cited_editable(acting_user, cited)
    if not nodes:
        raise not_found()
    space = nodes[0].space
    key = question_key(question)
    known = GoldenQuestion.objects.filter(space=space, question_key=key).first()
    if known is not None:
        return Asked(known, is_new=False)
    made = golden_create(
        acting_user=acting_user,
        space=space,
        origin=GoldenOrigin.CHAT,
        message_id=message_id,
        question=question,
        nodes={node.pk: GRADE for node in nodes},
        language=language,
    )
    return Asked(made, is_new=True)


def question_key(question: str) -> str:
    """Return what makes two questions the same one: their words, whatever the case and spaces."""
    return hashlib.sha256(" ".join(question.split()).casefold().encode()).hexdigest()


def _cited_editable(user: User, cited: Sequence[uuid.UUID]) -> list[Node]:
    """Return the cited nodes that the user edits of the space that has most of them."""
    known = Node.objects.editable_by(user).in_bulk(list(cited))
    nodes = [known[each] for each in dict.fromkeys(cited) if each in known]
    counts = Counter(node.space_id for node in nodes)  # of equals, the first that was cited
    chosen = counts.most_common(1)[0][0] if counts else None
    return [node for node in nodes if node.space_id == chosen][:MAX_TARGETS]


def _locked(user: User, golden: GoldenQuestion) -> GoldenQuestion:
    rows = GoldenQuestion.objects.visible_to(user).select_for_update(of=("self",), no_key=True)
    row = rows.filter(pk=golden.pk).first()
    if row is None:
        raise not_found()
    return row


def _nodes(user: User, grades: Mapping[uuid.UUID, int]) -> list[Node]:
    """Return the nodes that are named, all of them visible to the user."""
    _grades_check(grades)
    rows = Node.objects.visible_to(user).defer("content", "metadata", "anchors")
    nodes = list(rows.filter(pk__in=list(grades)).select_related("space"))
    if len(nodes) < len(grades):
        raise not_found()
    return nodes


def _grades_check(grades: Mapping[uuid.UUID, int]) -> None:
    if not 1 <= len(grades) <= MAX_TARGETS:
        message = _("Name between 1 and %(count)s nodes that answer the question.")
        raise Invalid(message % {"count": MAX_TARGETS}, field="nodes")
    if any(grade not in (1, 2, 3) for grade in grades.values()):
        raise Invalid(_("A grade is 1, 2 or 3."), field="nodes")


def _fields_set(golden: GoldenQuestion, fields: GoldenFields) -> None:
    values: dict[str, Any] = {**fields}
    if "question" in values:
        values["question"] = " ".join(values["question"].split())
        values["question_key"] = question_key(values["question"])
        if not 0 < len(values["question"]) <= QUESTION_LIMIT:
            message = _("A question has between 1 and %(count)s characters.")
            raise Invalid(message % {"count": QUESTION_LIMIT}, field="question")
    if "tags" in values:
        tags = (tag.strip() for tag in values["tags"])
        values["tags"] = list(dict.fromkeys(tag for tag in tags if tag))
        if len(values["tags"]) > MAX_TAGS:
            message = _("At most %(count)s tags.") % {"count": MAX_TAGS}
            raise Invalid(message, field="tags")
    if "language" in values:
        values["language"] = values["language"].strip().lower()
        if values["language"] not in {"", golden.language}:
            language_require(values["language"])
    for name, value in values.items():
        setattr(golden, name, value)


def _save(golden: GoldenQuestion) -> None:
    try:
        golden.clean_fields(exclude=["space", "created_by"])
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None
    try:
        with transaction.atomic():
            golden.save()
    except IntegrityError as error:
        if "one_golden_question_a_space" not in str(error):
            raise
        known = GoldenQuestion.objects.get(space=golden.space, question_key=golden.question_key)
        message = _("The space has this golden question already.")
        details = {"golden_question": str(known.pk)}
        raise Conflict(message, code="golden_exists", field="question", details=details) from None


def _targets_set(
    golden: GoldenQuestion, nodes: Sequence[Node], grades: Mapping[uuid.UUID, int]
) -> None:
    """Make `nodes` the ones that answer, and no others."""
    if any(node.space_id != golden.space_id for node in nodes):
        message = _("A golden question names nodes of its own space only.")
        raise Invalid(message, code="other_space", field="nodes")
    golden.targets.exclude(node_key__in=list(grades)).delete()
    GoldenTarget.objects.bulk_create(
        [
            GoldenTarget(
                question=golden,
                node=node,
                node_key=node.pk,
                title=node.title,
                grade=grades[node.pk],
            )
            for node in nodes
        ],
        update_conflicts=True,
        unique_fields=["question", "node_key"],
        update_fields=["grade", "title"],
    )


__all__ = [
    "Asked",
    "GoldenFields",
    "golden_create",
    "golden_delete",
    "golden_from_message",
    "golden_update",
    "question_key",
]
