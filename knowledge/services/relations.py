"""Writes of relations made by hand; those of a text follow its links by themselves."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import RelationOrigin, RelationStatus
from knowledge.models import Node, Relation, Space
from knowledge.relation_writing import relation_write, relations_insert, relations_remove
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid


class RelationChanges(TypedDict, total=False):
    """What an update may change; another source or target is another relation."""

    kind: str
    weight: float
    metadata: dict[str, Any]
    status: str


@transaction.atomic
def relation_create(
    *,
    acting_user: User,
    source: Node,
    target: Node,
    kind: str = "related_to",
    weight: float = 1.0,
    metadata: dict[str, Any] | None = None,
    status: str = RelationStatus.CONFIRMED,
    reason: str = "",
) -> Relation:
    """Relate two nodes that the user sees; needs an editor of the source's space.

    Raises NotFound, Forbidden, Invalid, and Conflict when the nodes are so related already.
    """
    ends = Node.objects.visible_to(acting_user).filter(pk__in=[source.pk, target.pk])
    if {node.pk for node in ends} != {source.pk, target.pk}:
        raise not_found()
    role_require(acting_user, source.space, Role.EDITOR)
    if source.pk == target.pk:
        raise Invalid(_("A relation joins two different nodes."), field="target")
    relation = Relation(
        source=source,
        target=target,
        kind=kind,
        weight=weight,
        metadata=metadata or {},
        status=status,
        created_by=acting_user,
    )
    _check(relation)
    with _taken_pairs_are_conflicts(relation):
        relations_insert([relation], author=acting_user, reason=reason)
    _revision_raise(source)
    return relation


@transaction.atomic
def relation_update(
    *,
    acting_user: User,
    relation: Relation,
    expected_version: int | None = None,
    reason: str = "",
    **changes: Unpack[RelationChanges],
) -> Relation:
    """Change a relation, as a new version of it, and return its stored row.

    Confirming one that was suggested is a change of its status. Needs an editor of its source's
    space. Raises NotFound, Forbidden, Invalid, and Conflict: for one that a text makes, for nodes
    that are so related already, and (`version_conflict`) when it was changed meanwhile.
    """
    row = _locked(acting_user, relation)
    if expected_version is not None and expected_version != row.version:
        message = _("The relation was changed meanwhile: version %(current)s is current.")
        details = {"current": row.version}
        raise Conflict(message % details, code="version_conflict", field="version", details=details)
    before = copy.copy(row)
    for name, value in changes.items():
        setattr(row, name, value)
    _check(row)
    with _taken_pairs_are_conflicts(row):
        is_changed = relation_write(row, before, author=acting_user, reason=reason)
    if is_changed:
        _revision_raise(row.source)
    return row


@transaction.atomic
def relation_delete(*, acting_user: User, relation: Relation) -> None:
    """Delete a relation; needs an editor of its source's space.

    Raises NotFound, Forbidden, and Conflict for one that a text makes.
    """
    row = _locked(acting_user, relation)
    source = row.source
    relations_remove([row], author=acting_user)
    _revision_raise(source)


def _locked(user: User, relation: Relation) -> Relation:
    """Return the stored row, locked, of a relation that no text makes, for who may edit it."""
    rows = Relation.objects.visible_to(user).select_for_update(of=("self",))
    row = rows.filter(pk=relation.pk).first()
    if row is None:
        raise not_found()
    role_require(user, row.source.space, Role.EDITOR)
    if row.origin == RelationOrigin.TEXT:
        message = _("This relation follows a link in the text: change it there.")
        raise Conflict(message, code="follows_text")
    return row


def _check(relation: Relation) -> None:
    if not isinstance(relation.metadata, dict):
        raise Invalid(_("Metadata is a JSON object."), field="metadata")
    try:
        relation.clean_fields(exclude=["created_by"])
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None


@contextmanager
def _taken_pairs_are_conflicts(relation: Relation) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if "one_relation_a_kind_and_pair" not in str(error):
            raise
        same = {"source": relation.source, "target": relation.target, "kind": relation.kind}
        known = Relation.objects.get(**same)
        message = _("These nodes are already related so.")
        details = {"relation": str(known.pk)}
        raise Conflict(message, code="relation_exists", details=details) from None


def _revision_raise(source: Node) -> None:
    """Tell caches that what search can find has changed: relations lead to nodes."""
    Space.objects.filter(pk=source.space_id).update(index_revision=F("index_revision") + 1)
