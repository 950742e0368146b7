"""Keeping a summary: as the draft of a node, or as a proposal to make one."""

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext as _

from knowledge.models import Node, Proposal, Space
from knowledge.services.nodes import node_create
from knowledge.services.proposals import proposal_create
from knowledge.services.relations import relation_create
from project.accounts.models import User
from project.http.errors import Invalid

KIND = "summarises"
"""The kind of the relations that lead from a summary to what it was made from."""
MOST_CITED = 100


@transaction.atomic
def synthesis_keep(
    *,
    acting_user: User,
    space: Space,
    title: str,
    content: str,
    language: str,
    cited: Sequence[uuid.UUID],
) -> Node:
    """Store a summary as a draft that is related to the nodes it cites.

    Nodes that the user does not see are left out. Raises NotFound, Forbidden and Invalid.
    """
    _require(content)
    node = node_create(
        acting_user=acting_user,
        space=space,
        title=title[:300],
        content=content,
        language=language,
        reason=_("A summary of what other texts say."),
    )
    for target in _seen(acting_user, cited):
        relation_create(acting_user=acting_user, source=node, target=target, kind=KIND)
    return node


@transaction.atomic
def synthesis_propose(
    *,
    acting_user: User,
    space: Space,
    title: str,
    content: str,
    language: str,
    cited: Sequence[uuid.UUID],
) -> Proposal:
    """Propose a summary as a new node with its relations. Raises as `synthesis_keep`."""
    _require(content)
    node = uuid.uuid4()
    fields = {"title": title[:300], "content": content, "language": language}
    relations = [
        {"action": "relate", "source": node, "target": target.pk, "kind": KIND, "fields": {}}
        for target in _seen(acting_user, cited)
    ]
    return proposal_create(
        acting_user=acting_user,
        space=space,
        title=_("Summary: %(title)s") % {"title": title[:150]},
        changes=[{"action": "create", "node": node, "fields": fields}, *relations],
    )


def _require(content: str) -> None:
    if not content.strip():
        raise Invalid(_("There is nothing to keep."), field="content")


def _seen(user: User, cited: Sequence[uuid.UUID]) -> list[Node]:
    nodes = Node.objects.visible_to(user).select_related("space").filter(pk__in=cited[:MOST_CITED])
    return sorted(nodes, key=lambda node: cited.index(node.pk))
