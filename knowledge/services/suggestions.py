"""Writes of suggested relations: what editors say of them. It is remembered, and can be undone."""

import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import SuggestionStatus
from knowledge.models import Node, Relation, RelationSuggestion
from knowledge.relating.refreshing import relating_mark
from knowledge.services.relations import relation_create, relation_delete
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict


@transaction.atomic
def suggestion_confirm(
    *,
    acting_user: User,
    suggestion: RelationSuggestion,
    kind: str = "",
    is_turned: bool = False,
    weight: float = 1.0,
    reason: str = "",
) -> RelationSuggestion:
    """Make the relation that is suggested, and return the suggestion with it.

    `kind` stands in for the suggested one; `is_turned` lets the target point to the source. Needs
    an editor of the space of what points. Raises NotFound, Forbidden, Invalid, and Conflict for one
    that is decided (`already_decided`) and for nodes that are so related already.
    """
    row = _undecided(acting_user, suggestion)
    source, target = (row.target, row.source) if is_turned else (row.source, row.target)
    relation = relation_create(
        acting_user=acting_user,
        source=source,
        target=target,
        kind=kind or row.kind,
        weight=weight,
        reason=reason or _("Suggested, and confirmed."),
    )
    row.source, row.target, row.space_id = source, target, source.space_id
    row.kind, row.relation = relation.kind, relation
    return _decide(row, acting_user, SuggestionStatus.CONFIRMED, reason)


@transaction.atomic
def suggestion_refuse(
    *, acting_user: User, suggestion: RelationSuggestion, reason: str = ""
) -> RelationSuggestion:
    """Refuse a suggestion: the pair is not suggested again. Raises as `suggestion_confirm`."""
    row = _undecided(acting_user, suggestion)
    return _decide(row, acting_user, SuggestionStatus.REFUSED, reason)


@transaction.atomic
def suggestion_reopen(*, acting_user: User, suggestion: RelationSuggestion) -> RelationSuggestion:
    """Take back what was said of a suggestion; a relation that it made is deleted.

    Raises NotFound, Forbidden, and Conflict (`not_decided`) for one that nobody decided.
    """
    row = _locked(acting_user, suggestion)
    if row.status == SuggestionStatus.OPEN:
        raise Conflict(_("Nobody has decided this suggestion."), code="not_decided")
    if row.relation_id is not None:
        relation = Relation.objects.get(pk=row.relation_id)
        row.relation = None
        row.save(update_fields=["relation"])
        relation_delete(acting_user=acting_user, relation=relation)
    relating_mark([row.source_id, row.target_id])  # the evidence may have gone meanwhile
    return _decide(row, acting_user, SuggestionStatus.OPEN, "")


def _locked(user: User, suggestion: RelationSuggestion) -> RelationSuggestion:
    """Return the stored row, locked, for a user who edits its space and sees both nodes."""
    rows = RelationSuggestion.objects.filter(
        source__in=Node.objects.visible_to(user), target__in=Node.objects.visible_to(user)
    )
    row = (
        rows.select_for_update(of=("self",))
        .select_related("source__space", "target__space", "space")
        .filter(pk=suggestion.pk)
        .first()
    )
    if row is None:
        raise not_found()
    role_require(user, row.space, Role.EDITOR)
    return row


def _undecided(user: User, suggestion: RelationSuggestion) -> RelationSuggestion:
    row = _locked(user, suggestion)
    if row.status != SuggestionStatus.OPEN:
        message = _("This suggestion was decided meanwhile: %(status)s.")
        status = {"status": row.status}
        shown = message % {"status": row.get_status_display()}
        raise Conflict(shown, code="already_decided", details=status)
    return row


def _decide(
    row: RelationSuggestion, user: User, status: SuggestionStatus, reason: str
) -> RelationSuggestion:
    is_open = status == SuggestionStatus.OPEN
    row.status, row.reason = status, reason[:500]
    row.decided_by = None if is_open else user
    row.decided_at = None if is_open else timezone.now()
    row.save()
    relation: uuid.UUID | None = row.relation_id
    emit(
        f"knowledge.suggestion.{'reopened' if is_open else status}",
        {
            "suggestion": str(row.pk),
            "source": str(row.source_id),
            "target": str(row.target_id),
            "relation": str(relation) if relation else None,
        },
        space_id=row.space_id,
        subject_id=row.pk,
    )
    return row
