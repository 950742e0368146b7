"""Writes of relations made by hand; those of a text follow its links by themselves."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import RelationOrigin, RelationStatus
from knowledge.models import Node, Relation, Space
from knowledge.relation_writing import relations_insert, relations_remove
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Conflict, Invalid


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
    try:
        relation.clean_fields(exclude=["created_by"])
    except ValidationError as error:
        name, problems = next(iter(error.message_dict.items()))
        raise Invalid(problems[0], field=name, details=error.message_dict) from None
    try:
        with transaction.atomic():
            relations_insert([relation], author=acting_user)
    except IntegrityError as error:
        if "one_relation_a_kind_and_pair" not in str(error):
            raise
        known = Relation.objects.get(source=source, target=target, kind=kind)
        message = _("These nodes are already related so.")
        details = {"relation": str(known.pk)}
        raise Conflict(message, code="relation_exists", details=details) from None
    _revision_raise(source)
    return relation


@transaction.atomic
def relation_delete(*, acting_user: User, relation: Relation) -> None:
    """Delete a relation; needs an editor of its source's space.

    Raises NotFound, Forbidden, and Conflict for one that a text makes.
    """
    rows = Relation.objects.visible_to(acting_user).select_for_update(of=("self",))
    row = rows.filter(pk=relation.pk).first()
    if row is None:
        raise not_found()
    role_require(acting_user, row.source.space, Role.EDITOR)
    if row.origin == RelationOrigin.TEXT:
        message = _("This relation follows a link in the text: remove it there.")
        raise Conflict(message, code="follows_text")
    source = row.source
    relations_remove([row], author=acting_user)
    _revision_raise(source)


def _revision_raise(source: Node) -> None:
    """Tell caches that what search can find has changed: relations lead to nodes."""
    Space.objects.filter(pk=source.space_id).update(index_revision=F("index_revision") + 1)
