"""Properties of plans of merges, over many nodes at once and without a database."""

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from knowledge.branches import Branch, node_state
from knowledge.merging import merge_nodes
from knowledge.models import Node, NodeVersion, Proposal, ProposalChange, Space
from knowledge.proposal_conflicts import Resolutions, resolutions_read
from knowledge.proposal_merging import MergePlan, nodes_plan

SPACE = Space(name="Harbour", slug="harbour")
LINES = st.lists(st.sampled_from(["tide", "boat", "night", "", "storm at sea"]), max_size=6)
TEXTS = LINES.map(lambda lines: "".join(f"{line}\n" for line in lines))
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "content": TEXTS,
        "title": st.sampled_from(["Tides", "High tides", "Low tides"]),
        "tags": st.lists(st.sampled_from(["sea", "moon", "port"]), unique=True),
        "metadata": st.dictionaries(st.sampled_from("ab"), st.integers(0, 2)),
    },
)
CASES = st.lists(st.tuples(TEXTS, FIELDS, FIELDS), min_size=1, max_size=3)


def planned(cases: list[Any], resolutions: Resolutions | None = None) -> MergePlan:
    """Plan the merge of (base text, fields of the branch, fields stored meanwhile), a node each."""
    branch = Branch(Proposal(space=SPACE), SPACE, [])
    for number, (text, ours, theirs) in enumerate(cases):
        pk = uuid.UUID(int=number + 1)
        base: dict[str, Any] = {"title": "Tides", "content": text, "tags": ["sea"]}
        version = NodeVersion(id=pk, space=SPACE, version=1, **base)
        branch.bases[pk, 1] = version
        branch.nodes[pk] = Node(pk=pk, space=SPACE, version=2, **{**base, **theirs})
        branch.changes.append(
            ProposalChange(
                pk=uuid.UUID(int=100 + number),
                proposal=branch.proposal,
                action="edit",
                node_id=pk,
                base_version=1,
                fields=ours,
            )
        )
    plan = MergePlan(branch, resolutions or Resolutions())
    nodes_plan(plan, {})
    return plan


def shown(plan: MergePlan) -> list[dict[str, Any]]:
    names = ("title", "content", "tags", "metadata")
    return [{name: node_state(each.node)[name] for name in names} for each in plan.nodes]


@given(CASES)
def test_a_branch_that_changes_nothing_leaves_what_is_stored(cases: list[Any]) -> None:
    plan = planned([(text, {}, theirs) for text, _ours, theirs in cases])
    assert plan.conflicts == []
    assert not any(each.is_new_version for each in plan.nodes)


@given(CASES)
def test_what_only_the_branch_changed_is_stored_as_it_is(cases: list[Any]) -> None:
    plan = planned([(text, ours, {}) for text, ours, _theirs in cases])
    assert plan.conflicts == []
    for (_text, ours, _theirs), state in zip(cases, shown(plan), strict=True):
        assert {name: state[name] for name in ours} == ours


@given(CASES)
def test_nodes_are_merged_each_as_if_alone(cases: list[Any]) -> None:
    plan = planned(cases)
    for each in plan.nodes:
        base = plan.branch.base_of(each.change)
        ours = plan.branch.ours_of(each.change)
        alone = merge_nodes(base, ours, node_state(plan.branch.nodes[each.node.pk]))
        assert each.merge is not None
        assert each.merge.state == alone.state


@given(CASES)
def test_conflicts_keep_their_names_and_choices_settle_all_of_them(cases: list[Any]) -> None:
    plan = planned(cases)
    names = [conflict.id for conflict in plan.conflicts]
    assert names == [conflict.id for conflict in planned(cases).conflicts]
    assert len(names) == len(set(names))
    for side in ("ours", "theirs"):
        choices = resolutions_read({name: {"choice": side} for name in names})
        settled = planned(cases, choices)
        assert settled.conflicts == []
        assert settled.resolutions.stale == []
    theirs = shown(settled)
    conflicting = {(each.node, each.field) for each in plan.conflicts}
    for (_text, _ours, stored), each, state in zip(cases, plan.nodes, theirs, strict=True):
        if (each.node.pk, "title") in conflicting:
            assert state["title"] == stored["title"]


@given(CASES, FIELDS)
def test_a_conflict_has_another_name_when_the_other_side_moves_on(
    cases: list[Any], more: dict[str, Any]
) -> None:
    moved = [(text, ours, {**theirs, **more}) for text, ours, theirs in cases]
    before = {each.id: each for each in planned(cases).conflicts}
    for after in planned(moved).conflicts:
        same = before.get(after.id)
        if same is not None:
            assert (same.base, same.ours, same.theirs) == (after.base, after.ours, after.theirs)
