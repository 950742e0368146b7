"""Conflicts between nodes: names that two would share, and nodes taken out of use by one side
that the other side's texts and relations lead to."""

import uuid
from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Q
from django.db.models.functions import Lower

from knowledge.branches import state_apply
from knowledge.choices import ChangeAction, NodeStatus
from knowledge.linking import link_names
from knowledge.models import Node, Relation
from knowledge.proposal_conflicts import MergeConflict, Resolution
from knowledge.proposal_merging import MergePlan, NodePlan

ROUNDS = 5
"""Of new names, each chosen because the one before was taken."""
Takers = dict[str, tuple[uuid.UUID, str]]


def names_check(plan: MergePlan) -> None:
    """Find titles and external ids that two nodes would share after the merge.

    A decision may give a node another name, which is checked again.
    """
    asked: set[str] = set()
    for _round in range(ROUNDS):
        renamed = False
        for field in ("title", "external_id"):
            for each, conflict in _clashes(plan, field):
                if conflict.id in asked:
                    continue
                asked.add(conflict.id)
                decided = plan.ask(conflict)
                if decided is not None and decided.choice != "ours":
                    _rename(plan, each, field, decided)
                    renamed = True
        if not renamed:
            return


def _clashes(plan: MergePlan, field: str) -> list[tuple[NodePlan, MergeConflict]]:
    named = [each for each in plan.nodes if _is_named_anew(each, field)]
    by_name: dict[str, list[NodePlan]] = defaultdict(list)
    for each in named:
        by_name[_name(each.node, field)].append(each)
    taken = _taken(plan, field, by_name)
    found = []
    for name, plans in by_name.items():
        first = taken.get(name)
        for number, each in enumerate(plans):
            if first is not None:
                found.append((each, _clash(each, f"{field}_taken", field, first)))
            elif number:
                twin = plans[0].node
                other = twin.pk, twin.title
                found.append((each, _clash(each, f"{field}_twice", field, other)))
    return found


def _is_named_anew(plan: NodePlan, field: str) -> bool:
    name = _name(plan.node, field)
    if not name or (field == "title" and plan.node.status == NodeStatus.ARCHIVED):
        return False
    return plan.before is None or name != _name(plan.before, field)


def _name(node: Node, field: str) -> str:
    """Return a name as the rule compares it: titles in any case, external ids as they stand."""
    value = getattr(node, field) or ""
    return value.lower() if field == "title" else value


def _taken(plan: MergePlan, field: str, names: Iterable[str]) -> Takers:
    """Return which nodes outside the proposal, or kept by it as they are, have the names."""
    kept = {each.before.pk for each in plan.nodes if each.before and _is_kept(each, field)}
    ours = {each.before.pk for each in plan.nodes if each.before} - kept
    rows = Node.objects.filter(space=plan.branch.space).exclude(pk__in=ours)
    if field == "title":
        live = rows.exclude(status=NodeStatus.ARCHIVED).annotate(name=Lower("title"))
        titled = live.filter(name__in=list(names)).order_by("created_at", "pk")
        return {name: (pk, title) for pk, title, name in titled.values_list("pk", "title", "name")}
    found = rows.filter(external_id__in=list(names))
    return {name: (pk, title) for pk, title, name in found.values_list("pk", "title", field)}


def _is_kept(plan: NodePlan, field: str) -> bool:
    assert plan.before is not None
    return _name(plan.node, field) == _name(plan.before, field)


def _clash(plan: NodePlan, kind: str, field: str, other: tuple[uuid.UUID, str]) -> MergeConflict:
    before = plan.before
    can_share = field == "title"
    return MergeConflict(
        kind=kind,
        change=plan.change.pk,
        node=plan.node.pk,
        title=plan.node.title,
        field=field,
        base=getattr(before, field) if before else None,
        ours=getattr(plan.node, field),
        theirs=other[1],
        others=(str(other[0]),),
        choices=("ours", "theirs") if can_share else ("theirs",),
    )


def _rename(plan: MergePlan, each: NodePlan, field: str, decided: Resolution) -> None:
    """Give a node the name that was decided; `theirs` is the one it has, or no node at all."""
    if not decided.choice:
        state_apply(each.node, {field: decided.value})
    elif each.before is not None:
        setattr(each.node, field, getattr(each.before, field))
    elif field == "title":
        del plan.by_node[each.node.pk]
    else:
        each.node.external_id = None


def uses_check(plan: MergePlan) -> None:
    """Find nodes that the branch archives and others have begun to use, and the other way round."""
    archived = [
        each
        for each in plan.nodes
        if each.before is not None and each.node.status == NodeStatus.ARCHIVED != each.before.status
    ]
    for each in archived:
        _archived_related(plan, each)
    for each in plan.nodes:
        if "content" in each.change.fields and "[[" in each.node.content:
            _links_check(plan, each)


def _archived_related(plan: MergePlan, each: NodePlan) -> None:
    removed = [
        change.relation_id
        for change in plan.branch.changes
        if change.action == ChangeAction.UNRELATE
    ]
    gone = [other.node.pk for other in plan.nodes if other.node.status == NodeStatus.ARCHIVED]
    rows = (
        Relation.objects.filter(target=each.node.pk, created_at__gt=each.change.based_at)
        .exclude(Q(pk__in=[pk for pk in removed if pk]) | Q(source__in=gone))
        .exclude(source__status=NodeStatus.ARCHIVED)
        .order_by("pk")
        .values_list("pk", "source__title")
    )
    found = list(rows)
    if not found:
        return
    conflict = MergeConflict(
        kind="archived_related",
        change=each.change.pk,
        node=each.node.pk,
        title=each.node.title,
        field="status",
        base=str(each.before.status) if each.before else None,
        ours=str(NodeStatus.ARCHIVED),
        theirs=[title for _pk, title in found],
        others=tuple(str(pk) for pk, _title in found),
        choices=("ours", "theirs"),
        takes_value=False,
    )
    decided = plan.ask(conflict)
    if decided is not None and decided.choice == "theirs" and each.before is not None:
        each.node.status = each.before.status


def _links_check(plan: MergePlan, each: NodePlan) -> None:
    """Find links that the branch adds to nodes that are archived since, by either side."""
    known = set(link_names(str(plan.branch.base_of(each.change)["content"])))
    names = [name for name in link_names(each.node.content) if name not in known]
    if not names:
        return
    after = {other.node.pk: other.node for other in plan.nodes}
    rows = (
        Node.objects.filter(space=plan.branch.space)
        .annotate(name=Lower("title"), alias=Lower("external_id"))
        .filter(Q(name__in=names) | Q(alias__in=names))
    )
    live: set[str] = set()
    dead: dict[str, Node] = {}
    for row in rows:
        node = after.get(row.pk, row)
        is_live = node.status != NodeStatus.ARCHIVED
        since = node is not row or row.updated_at > each.change.based_at
        for name in {row.name, row.alias} & set(names):
            if is_live:
                live.add(name)
            elif since:
                dead[name] = node
    for name, node in sorted(dead.items()):
        if name in live:
            continue
        conflict = MergeConflict(
            kind="link_to_archived",
            change=each.change.pk,
            node=each.node.pk,
            title=each.node.title,
            field="content",
            ours=name,
            theirs=node.title,
            others=(str(node.pk),),
            choices=("ours",),
            takes_value=False,
        )
        plan.ask(conflict)
