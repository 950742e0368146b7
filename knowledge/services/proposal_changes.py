"""Writes of the changes of a proposal. Every one raises the revision of the branch.

A node, or a relation, has one change a proposal. Who writes to a change says which version of it
they saw: of two at once the second is refused, and told what the first wrote.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge.access import not_found
from knowledge.branches import branch_load
from knowledge.choices import ChangeAction
from knowledge.merging import merge_nodes
from knowledge.models import Proposal, ProposalChange
from knowledge.proposal_access import EDITABLE, branch_require, proposal_lock, status_require
from knowledge.proposal_building import ChangeBuilder
from knowledge.services.proposal_news import branch_changed
from knowledge.stale_writes import merge_as_json
from project.accounts.models import User
from project.http.errors import Conflict, Invalid

MAX_CHANGES = 2000


@transaction.atomic
def change_add(
    *,
    acting_user: User,
    proposal: Proposal,
    action: str,
    expected_revision: int | None = None,
    **values: Any,
) -> ProposalChange:
    """Add a change to a proposal and return it: see `changes_add`."""
    return changes_add(
        acting_user=acting_user,
        proposal=proposal,
        changes=[{"action": action, **values}],
        expected_revision=expected_revision,
    )[0]


@transaction.atomic
def changes_add(
    *,
    acting_user: User,
    proposal: Proposal,
    changes: Sequence[Mapping[str, Any]],
    expected_revision: int | None = None,
) -> list[ProposalChange]:
    """Add changes to a proposal and return them, in order; all of them or none.

    Each has an `action` and:

    - edit, archive, publish: `node` (id), `base_version` (the current one where it is left out),
      `fields`, a mapping of what is to change;
    - create: `fields`, and `node`, an id for it, where relations of the proposal lead to it; it is
      published by the merge unless its `status` says otherwise;
    - relate: `source`, `target`, `kind` and, in `fields`, weight, metadata, status;
    - unrelate, relation_edit: `relation` (id), `fields` of the edit.

    Raises NotFound, Forbidden, Invalid, and Conflict: `already_changed` with the change that the
    proposal has of that node or relation.
    """
    row = proposal_lock(acting_user, proposal, expected_revision=expected_revision)
    branch_require(acting_user, row)
    status_require(row, EDITABLE)
    if row.changes.count() + len(changes) > MAX_CHANGES:
        message = _("A proposal holds at most %(count)s changes.") % {"count": MAX_CHANGES}
        raise Invalid(message, code="too_many_changes", field="changes")
    nodes = [values["node"] for values in changes if isinstance(values.get("node"), uuid.UUID)]
    builder = ChangeBuilder(acting_user, row, about=nodes)
    made = []
    for number, values in enumerate(changes):
        try:
            made.append(builder.made(dict(values)))
        except Invalid as error:
            if len(changes) == 1:
                raise
            details = {"number": number, **(error.details or {})}
            raise Invalid(
                error.message, code=error.code, field=error.field, details=details
            ) from error
    ProposalChange.objects.bulk_create(made, batch_size=500)
    if made:
        branch_changed(row)
    return made


@transaction.atomic
def change_update(
    *,
    acting_user: User,
    change: ProposalChange,
    expected_version: int | None,
    fields: Mapping[str, Any],
    replace: bool = False,
) -> ProposalChange:
    """Change what a change changes and return its stored row.

    `fields` are added to those it has, or with `replace` take their place; a field that the branch
    does not touch any more is left out by its base value. Raises NotFound, Forbidden, Invalid, and
    Conflict (`version_conflict`) when `expected_version` is not the stored one; its details then
    hold both writes merged.
    """
    try:
        proposal, row = change_lock(acting_user, change, expected_version)
    except Conflict as refusal:
        if refusal.code != "version_conflict":
            raise
        raise _with_merge(refusal, acting_user, change, fields) from refusal
    if row.action == ChangeAction.UNRELATE:
        message = _("The removal of a relation has no fields: remove the change instead.")
        raise Invalid(message, field="fields")
    builder = ChangeBuilder(acting_user, proposal)
    cleaned = builder.relation_fields(fields) if row.is_of_relation else builder.fields(row, fields)
    row.fields = cleaned if replace else {**row.fields, **cleaned}
    builder.complete(row)
    builder.trim(row)
    row.version += 1
    row.author = acting_user
    row.save(update_fields=["fields", "version", "author", "updated_at"])
    branch_changed(proposal)
    return row


@transaction.atomic
def change_remove(
    *, acting_user: User, change: ProposalChange, expected_version: int | None
) -> None:
    """Take a change out of its proposal. Raises NotFound, Forbidden, Conflict."""
    proposal, row = change_lock(acting_user, change, expected_version)
    row.delete()
    branch_changed(proposal)


def _with_merge(
    refusal: Conflict, user: User, change: ProposalChange, fields: Mapping[str, Any]
) -> Conflict:
    """Return the refusal of a late write with what it would be, merged with the first.

    `details.merge` is None for relations.
    """
    branch = branch_load(change.proposal, only=[change.pk])
    merge = None
    for row in branch.changes:
        if row.is_of_relation:
            continue
        builder = ChangeBuilder(user, row.proposal)
        base = branch.base_of(row)
        mine = {**base, **builder.fields(row, fields)}
        merge = merge_as_json(merge_nodes(base, mine, branch.ours_of(row)))
    details = {**refusal.details, "merge": merge}
    return Conflict(refusal.message, code=refusal.code, field=refusal.field, details=details)


def change_lock(
    user: User, change: ProposalChange, expected_version: int | None
) -> tuple[Proposal, ProposalChange]:
    """Return a change and its proposal, both locked, for a user who may edit the branch.

    Raises NotFound, Forbidden, Conflict.
    """
    proposal = proposal_lock(user, change.proposal)
    branch_require(user, proposal)
    status_require(proposal, EDITABLE)
    row = ProposalChange.objects.select_for_update(no_key=True).filter(pk=change.pk).first()
    if row is None:
        raise not_found()
    if expected_version is not None and expected_version != row.version:
        message = _("The change was changed meanwhile: version %(current)s is current.")
        raise Conflict(
            message % {"current": row.version},
            code="version_conflict",
            field="version",
            details={
                "current": row.version,
                "fields": row.fields,
                "author": row.author_id,
            },
        )
    return proposal, row
