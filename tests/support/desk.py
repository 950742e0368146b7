"""Somebody who writes a proposal, and what happens meanwhile."""

from typing import Any

import pytest

from knowledge import services
from knowledge.models import Node, Proposal, ProposalChange, Space
from knowledge.proposal_conflicts import MergeConflict, MergeRefused
from project.accounts.models import User

TEXT = "The tide comes at noon.\n\nBoats wait in the harbour.\n"
MINE = TEXT.replace("noon", "two")
THEIRS = TEXT.replace("noon", "one")


class Desk:
    """The owner, who writes proposals and what happens meanwhile."""

    def __init__(self, owner: User, space: Space) -> None:
        self.user, self.space = owner, space
        self.proposal = services.proposal_create(
            acting_user=owner, space=space, title="My proposal"
        )

    def node(self, title: str = "Tides", **fields: Any) -> Node:
        values = {"content": TEXT, "status": "draft", **fields}
        return services.node_create(acting_user=self.user, space=self.space, title=title, **values)

    def propose(self, action: str, **values: Any) -> ProposalChange:
        return services.change_add(
            acting_user=self.user, proposal=self.proposal, action=action, **values
        )

    def edit(self, node: Node, **fields: Any) -> ProposalChange:
        return self.propose("edit", node=node.pk, fields=fields)

    def meanwhile(self, node: Node, **fields: Any) -> None:
        services.node_update(acting_user=self.user, node=node, **fields)

    def conflicts(self) -> list[MergeConflict]:
        return services.proposal_conflicts(acting_user=self.user, proposal=self.proposal)

    def only(self, kind: str) -> MergeConflict:
        """Return the one conflict there is, and see that a merge is refused for it."""
        self.accept()
        with pytest.raises(MergeRefused) as refusal:
            self.merge()
        (conflict,) = refusal.value.conflicts
        assert (conflict.kind, [conflict.id]) == (kind, [each.id for each in self.conflicts()])
        return conflict

    def accept(self) -> None:
        self.proposal.refresh_from_db()
        if self.proposal.status == "draft":
            services.proposal_submit(acting_user=self.user, proposal=self.proposal)
            services.proposal_review(
                acting_user=self.user, proposal=self.proposal, verdict="approved"
            )

    def merge(self, resolutions: dict[str, Any] | None = None) -> Proposal:
        self.accept()
        return services.proposal_merge(
            acting_user=self.user, proposal=self.proposal, resolutions=resolutions
        )

    def settle(self, conflict: MergeConflict, **resolution: Any) -> None:
        self.merge({conflict.id: resolution})


def stored(node: Node) -> Node:
    return Node.objects.get(pk=node.pk)
