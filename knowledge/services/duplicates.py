"""What is done with two nodes that are nearly the same: merge them by a proposal, or part them."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from knowledge.access import not_found, role_require
from knowledge.choices import NodeStatus, RelationOrigin
from knowledge.models import DistinctPair, Node, Proposal, Relation
from knowledge.quality.refreshing import node_mark
from knowledge.relating.refreshing import relating_mark
from knowledge.relating.uniting import united
from knowledge.services.proposals import proposal_create
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Invalid

SUPERSEDES = "supersedes"
MOST_CARRIED = 200
"""Relations of the node that goes that are carried over."""


@transaction.atomic
def pair_part(*, acting_user: User, nodes: tuple[Node, Node], is_distinct: bool = True) -> None:
    """Say that two nodes of a space are no duplicates of each other, or take it back.

    Needs an editor. Raises NotFound, Forbidden and Invalid.
    """
    one, other = _pair(acting_user, nodes)
    ends = DistinctPair.ends(one.pk, other.pk)
    if is_distinct:
        DistinctPair.objects.get_or_create(**ends, defaults={"decided_by": acting_user})
    else:
        DistinctPair.objects.filter(**ends).delete()
    for node in nodes:
        node_mark(node.pk)
    relating_mark([one.pk, other.pk])


@transaction.atomic
def pair_merge_propose(*, acting_user: User, kept: Node, gone: Node) -> Proposal:
    """Propose to make one node of two: a draft of a proposal, to look through and submit.

    The kept node gets the blocks of text and the tags that only the other has, and its relations;
    the other is archived, superseded by the kept one. Raises NotFound, Forbidden and Invalid.
    """
    kept, gone = _pair(acting_user, (kept, gone))
    edit: dict[str, Any] = {}
    content = united(kept.content, gone.content)
    if content != kept.content:
        edit["content"] = content
    if missing := [tag for tag in gone.tags if tag not in kept.tags]:
        edit["tags"] = [*kept.tags, *missing]
    changes: list[dict[str, Any]] = []
    if edit:
        changes.append({"action": "edit", "node": kept.pk, "fields": edit})
    changes.append({"action": "archive", "node": gone.pk})
    changes += _relations_carried(acting_user, kept, gone)
    names = {"gone": gone.title[:120], "kept": kept.title[:120]}
    return proposal_create(
        acting_user=acting_user,
        space=kept.space,
        title=_("Merge “%(gone)s” into “%(kept)s”") % names,
        description=_("They say nearly the same. What only “%(gone)s” said is at the end.") % names,
        changes=changes,
    )


def _pair(user: User, nodes: tuple[Node, Node]) -> tuple[Node, Node]:
    """Return the stored rows of two nodes of one space, for an editor of it."""
    one, other = nodes
    if one.pk == other.pk or one.space_id != other.space_id:
        raise Invalid(_("Choose two nodes of one space."), code="not_a_pair")
    seen = Node.objects.visible_to(user).select_related("space")
    found = seen.in_bulk([one.pk, other.pk])
    if len(found) != 2:
        raise not_found()
    role_require(user, found[one.pk].space, Role.EDITOR)
    if any(row.status == NodeStatus.ARCHIVED for row in found.values()):
        raise Invalid(_("One of the two is archived already."), code="archived")
    return found[one.pk], found[other.pk]


def _relations_carried(user: User, kept: Node, gone: Node) -> list[dict[str, Any]]:
    """Return the changes that let the kept node stand where the other stood, and supersede it.

    Relations that come from other spaces cannot be changed by a proposal of this one: they stay.
    """
    rows = Relation.objects.visible_to(user).select_related("source", "target")
    rows = rows.filter(Q(source=gone) | Q(target=gone)).exclude(origin=RelationOrigin.TEXT)
    held = set(
        Relation.objects.filter(Q(source=kept) | Q(target=kept)).values_list(
            "source_id", "target_id", "kind"
        )
    )
    changes = []
    for row in rows.order_by("created_at", "pk")[:MOST_CARRIED]:
        source = kept.pk if row.source_id == gone.pk else row.source_id
        target = kept.pk if row.target_id == gone.pk else row.target_id
        if source == target or (source, target, row.kind) in held:
            continue
        if row.source.space_id != kept.space_id:
            continue
        held.add((source, target, row.kind))
        fields = {"weight": row.weight, "metadata": row.metadata, "status": row.status}
        relate = {"action": "relate", "source": source, "target": target, "kind": row.kind}
        changes.append({**relate, "fields": fields})
    if (kept.pk, gone.pk, SUPERSEDES) not in held:
        ends = {"source": kept.pk, "target": gone.pk}
        changes.append({"action": "relate", **ends, "kind": SUPERSEDES, "fields": {}})
    return changes
