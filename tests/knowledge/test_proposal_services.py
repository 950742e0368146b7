"""The life of a proposal: who may do what, in which state, and what a change undoes."""

from typing import Any

import pytest

from knowledge import services
from knowledge.choices import ProposalStatus
from knowledge.models import Node, Proposal, ProposalChange, Relation, Space
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.models import Event
from project.http.errors import ApiError, Conflict, Forbidden, Invalid, NotFound
from tests.conftest import grant, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Tides", content="The tide.\n", status="published"
    )


@pytest.fixture
def proposal(teammate: User, space: Space, node: Node) -> Proposal:
    made = services.proposal_create(acting_user=teammate, space=space, title="  Night   tides ")
    edit(teammate, made, node)
    return Proposal.objects.get(pk=made.pk)


@pytest.fixture
def curator(space: Space) -> User:
    user = make_user("curator")
    grant(space, user, Role.CURATOR)
    return user


def edit(user: User, proposal: Proposal, node: Node, **fields: Any) -> ProposalChange:
    return services.change_add(
        acting_user=user,
        proposal=proposal,
        action="edit",
        node=node.pk,
        fields=fields or {"content": "The night tide.\n"},
    )


def approve(user: User, proposal: Proposal, verdict: str = "approved") -> None:
    services.proposal_review(acting_user=user, proposal=proposal, verdict=verdict)


def status(proposal: Proposal) -> str:
    return Proposal.objects.get(pk=proposal.pk).status


def set_space(space: Space, **values: Any) -> None:
    Space.objects.filter(pk=space.pk).update(**values)


def test_a_proposal_goes_from_draft_to_merged_and_tells_of_it(
    owner: User, teammate: User, proposal: Proposal
) -> None:
    assert (proposal.title, proposal.status) == ("Night tides", ProposalStatus.DRAFT)
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    approve(owner, proposal, "changes_requested")
    assert status(proposal) == ProposalStatus.CHANGES_REQUESTED
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    assert status(proposal) == ProposalStatus.IN_REVIEW
    approve(owner, proposal)
    assert status(proposal) == ProposalStatus.APPROVED
    services.proposal_merge(acting_user=owner, proposal=proposal)
    told = Event.objects.filter(subject_id=proposal.pk).order_by("position")
    assert [event.type.removeprefix("knowledge.proposal.") for event in told] == [
        "submitted",
        "changes_requested",
        "submitted",
        "approved",
        "merged",
    ]


@pytest.mark.parametrize(
    ("path", "call", "says"),
    [
        ("", "merge", "submit"),
        ("", "review", "submit"),
        ("", "reopen", "draft"),
        ("submit", "submit", "in review"),
        ("submit", "delete", "reject"),
        ("submit approve merge", "submit", "new one"),
        ("submit approve merge", "reject", "new one"),
        ("submit approve merge", "change", "new one"),
        ("submit approve merge", "delete", "revert"),
        ("submit approve merge", "merge", "new one"),
        ("reject", "submit", "reopen"),
        ("reject", "merge", "reopen"),
        ("reject", "change", "reopen"),
    ],
)
def test_a_wrong_state_is_refused_and_told_what_to_do(
    owner: User, proposal: Proposal, node: Node, path: str, call: str, says: str
) -> None:
    def do(what: str) -> None:
        if what in {"review", "approve"}:
            approve(owner, proposal)
        elif what == "change":
            services.change_add(
                acting_user=owner, proposal=proposal, action="create", fields={"title": "New"}
            )
        else:
            getattr(services, f"proposal_{what}")(acting_user=owner, proposal=proposal)

    for step in path.split():
        do(step)
    before = status(proposal)
    with pytest.raises(Conflict, match=f"(?i){says}") as refusal:
        do(call)
    assert (refusal.value.code, status(proposal)) == ("wrong_status", before)


def test_an_empty_proposal_cannot_be_submitted(teammate: User, space: Space) -> None:
    empty = services.proposal_create(acting_user=teammate, space=space, title="Empty")
    with pytest.raises(Invalid, match="changes nothing"):
        services.proposal_submit(acting_user=teammate, proposal=empty)


def test_a_change_makes_approvals_stale(
    owner: User, teammate: User, proposal: Proposal, node: Node
) -> None:
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    approve(owner, proposal)
    change = proposal.changes.get()
    services.change_update(
        acting_user=teammate, change=change, expected_version=1, fields={"title": "High tides"}
    )
    assert status(proposal) == ProposalStatus.IN_REVIEW
    with pytest.raises(Conflict) as refusal:
        services.proposal_merge(acting_user=owner, proposal=proposal)
    assert (refusal.value.code, refusal.value.details) == ("approvals_missing", {"missing": 1})
    approve(owner, proposal)
    services.proposal_merge(acting_user=owner, proposal=proposal)


def test_as_many_different_curators_approve_as_the_space_asks_for(
    owner: User, teammate: User, curator: User, proposal: Proposal, space: Space
) -> None:
    set_space(space, required_approvals=2)
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    approve(owner, proposal)
    approve(owner, proposal)
    assert status(proposal) == ProposalStatus.IN_REVIEW
    approve(curator, proposal)
    assert status(proposal) == ProposalStatus.APPROVED


def test_an_approval_counts_only_while_its_giver_curates(
    owner: User, teammate: User, curator: User, proposal: Proposal
) -> None:
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    approve(curator, proposal)
    curator.groups.clear()
    with pytest.raises(Conflict, match="more approvals"):
        services.proposal_merge(acting_user=owner, proposal=proposal)


def test_without_required_approvals_a_submitted_proposal_is_approved(
    teammate: User, proposal: Proposal, space: Space
) -> None:
    set_space(space, required_approvals=0)
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    assert status(proposal) == ProposalStatus.APPROVED


def test_who_wrote_a_part_of_it_approves_only_where_the_space_allows_it(
    owner: User, curator: User, proposal: Proposal, space: Space
) -> None:
    services.change_update(
        acting_user=owner,
        change=proposal.changes.get(),
        expected_version=1,
        fields={"title": "High tides"},
    )
    services.proposal_submit(acting_user=owner, proposal=proposal)
    set_space(space, allows_self_approval=False)
    with pytest.raises(Forbidden) as refusal:
        approve(owner, proposal)
    assert refusal.value.code == "self_approval"
    approve(curator, proposal)
    assert status(proposal) == ProposalStatus.APPROVED
    set_space(space, allows_self_approval=True)
    approve(owner, proposal)


def test_an_editor_neither_approves_nor_merges_nor_changes_the_proposals_of_others(
    owner: User, teammate: User, space: Space, proposal: Proposal, node: Node
) -> None:
    other = make_user("other")
    grant(space, other, Role.EDITOR)
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    for call in (
        lambda: approve(teammate, proposal),
        lambda: services.proposal_merge(acting_user=teammate, proposal=proposal),
        lambda: services.proposal_update(acting_user=other, proposal=proposal, title="Mine"),
        lambda: services.proposal_reject(acting_user=other, proposal=proposal),
        lambda: services.change_remove(
            acting_user=other, change=proposal.changes.get(), expected_version=1
        ),
    ):
        with pytest.raises(Forbidden):
            call()
    services.comment_add(acting_user=other, proposal=proposal, body="Why?")


def test_a_stranger_and_a_reader_see_no_proposals(
    stranger: User, space: Space, proposal: Proposal
) -> None:
    reader = make_user("reader")
    grant(space, reader, Role.READER)
    for user in (stranger, reader):
        assert not Proposal.objects.visible_to(user).exists()
        with pytest.raises(NotFound):
            services.comment_add(acting_user=user, proposal=proposal, body="Hello")
        with pytest.raises(NotFound):
            services.proposal_merge(acting_user=user, proposal=proposal)
        with pytest.raises((NotFound, Forbidden)):
            services.proposal_create(acting_user=user, space=space, title="Mine")


def test_of_two_writes_to_a_change_the_second_is_told_what_the_first_wrote(
    owner: User, teammate: User, proposal: Proposal
) -> None:
    change = proposal.changes.get()
    services.change_update(
        acting_user=owner, change=change, expected_version=1, fields={"title": "High tides"}
    )
    with pytest.raises(Conflict) as refusal:
        services.change_update(
            acting_user=teammate, change=change, expected_version=1, fields={"title": "Low tides"}
        )
    assert refusal.value.code == "version_conflict"
    assert refusal.value.details["current"] == 2
    assert refusal.value.details["fields"]["title"] == "High tides"
    merge = refusal.value.details["merge"]
    assert [each["field"] for each in merge["conflicts"]] == ["title"]
    assert merge["result"]["content"] == "The night tide.\n"
    with pytest.raises(Conflict):
        services.change_remove(acting_user=teammate, change=change, expected_version=1)


def test_writes_that_saw_another_revision_are_refused(teammate: User, proposal: Proposal) -> None:
    for call in (
        lambda: services.proposal_update(
            acting_user=teammate, proposal=proposal, expected_revision=1, title="Other"
        ),
        lambda: services.proposal_submit(
            acting_user=teammate, proposal=proposal, expected_revision=1
        ),
        lambda: services.change_add(
            acting_user=teammate,
            proposal=proposal,
            action="create",
            fields={"title": "New"},
            expected_revision=1,
        ),
    ):
        with pytest.raises(Conflict) as refusal:
            call()
        assert refusal.value.details == {"current": proposal.revision}


def test_a_node_has_one_change_a_proposal(teammate: User, proposal: Proposal, node: Node) -> None:
    with pytest.raises(Conflict) as refusal:
        services.change_add(acting_user=teammate, proposal=proposal, action="archive", node=node.pk)
    assert refusal.value.code == "already_changed"
    assert refusal.value.details["change"] == str(proposal.changes.get().pk)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"action": "paint"}, "action"),
        ({"action": "edit"}, "node"),
        ({"action": "create", "fields": {"content": "x"}}, "title"),
        ({"action": "create", "fields": {"title": "x", "colour": 1}}, "colour"),
        ({"action": "create", "fields": {"title": "x", "kind": "No!"}}, "kind"),
        ({"action": "create", "fields": {"title": "x", "status": "lost"}}, "status"),
        ({"action": "create", "fields": {"title": "x", "owner": 999999}}, "owner"),
        ({"action": "create", "fields": {"title": "a\0b"}}, "title"),
        ({"action": "relate"}, "source"),
        ({"action": "unrelate"}, "relation"),
        ({"action": "create", "fields": {"title": "x"}, "surprise": 1}, "surprise"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_its_field(
    teammate: User, proposal: Proposal, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        services.change_add(acting_user=teammate, proposal=proposal, **values)
    assert refusal.value.field == field


def test_nodes_and_relations_of_other_spaces_are_out_of_reach(
    owner: User, teammate: User, proposal: Proposal, node: Node
) -> None:
    elsewhere = Space.objects.create(name="Elsewhere", slug="elsewhere")
    grant(elsewhere, owner, Role.MANAGER)
    far = services.node_create(acting_user=owner, space=elsewhere, title="Far")
    for values in (
        {"action": "edit", "node": far.pk, "fields": {"title": "Near"}},
        {"action": "relate", "source": far.pk, "target": node.pk},
        {"action": "relate", "source": node.pk, "target": far.pk},
    ):
        with pytest.raises(Invalid):
            services.change_add(acting_user=teammate, proposal=proposal, **values)


def test_a_relation_of_a_text_is_changed_in_the_text(
    owner: User, teammate: User, proposal: Proposal, node: Node, space: Space
) -> None:
    services.node_create(acting_user=owner, space=space, title="Links", content="See [[Tides]].")
    relation = Relation.objects.get(target=node)
    with pytest.raises(Invalid) as refusal:
        services.change_add(
            acting_user=teammate, proposal=proposal, action="unrelate", relation=relation.pk
        )
    assert refusal.value.code == "follows_text"


def test_many_changes_are_added_all_or_none(teammate: User, proposal: Proposal) -> None:
    rows = [{"action": "create", "fields": {"title": f"New {n}"}} for n in range(3)]
    with pytest.raises(ApiError) as refusal:
        services.changes_add(
            acting_user=teammate, proposal=proposal, changes=[*rows, {"action": "edit"}]
        )
    assert refusal.value.details["number"] == 3
    assert proposal.changes.count() == 1
    services.changes_add(acting_user=teammate, proposal=proposal, changes=rows)
    titles = [change.fields.get("title") for change in proposal.changes.all()]
    assert titles == [None, "New 0", "New 1", "New 2"]


def test_a_field_set_back_to_its_base_is_no_change_any_more(
    teammate: User, proposal: Proposal, node: Node
) -> None:
    change = proposal.changes.get()
    services.change_update(
        acting_user=teammate,
        change=change,
        expected_version=1,
        fields={"content": node.content, "tags": ["sea"]},
    )
    change.refresh_from_db()
    assert (change.fields, change.version) == ({"tags": ["sea"]}, 2)


def test_an_action_keeps_its_meaning_when_fields_are_replaced(
    teammate: User, proposal: Proposal, node: Node, space: Space, owner: User
) -> None:
    old = services.node_create(acting_user=owner, space=space, title="Old", status="published")
    rows = [{"action": "archive", "node": old.pk}, {"action": "create", "fields": {"title": "New"}}]
    archived, created = services.changes_add(acting_user=teammate, proposal=proposal, changes=rows)
    done = services.change_update(
        acting_user=teammate,
        change=archived,
        expected_version=1,
        fields={"tags": ["old"]},
        replace=True,
    )
    assert done.fields == {"tags": ["old"], "status": "archived"}
    with pytest.raises(Invalid, match="title"):
        services.change_update(
            acting_user=teammate,
            change=created,
            expected_version=1,
            fields={"content": "x"},
            replace=True,
        )


def test_comments_are_replied_to_and_resolved(
    owner: User, teammate: User, proposal: Proposal
) -> None:
    change = proposal.changes.get()
    first = services.comment_add(
        acting_user=owner, proposal=proposal, body="Which tide?", change=change, line=1
    )
    reply = services.comment_add(
        acting_user=teammate, proposal=proposal, body="The night's.", parent=first
    )
    assert (reply.parent, reply.line, reply.field) == (first, 1, "content")
    settled = services.comment_resolve(acting_user=teammate, comment=reply)
    assert (settled.pk, settled.resolved_by) == (first.pk, teammate)
    opened = services.comment_resolve(acting_user=owner, comment=first, resolved=False)
    assert opened.resolved_at is None
    with pytest.raises(Invalid, match="text"):
        services.comment_add(acting_user=owner, proposal=proposal, body="  ")
    with pytest.raises(Invalid, match="no such field"):
        services.comment_add(
            acting_user=owner, proposal=proposal, body="?", change=change, field="colour"
        )
    services.change_remove(acting_user=teammate, change=change, expected_version=change.version)
    first.refresh_from_db()
    late = services.comment_add(acting_user=owner, proposal=proposal, body="Gone.", parent=first)
    assert (late.change, late.line) == (None, 1)


def test_reviewers_are_curators(
    owner: User, teammate: User, curator: User, proposal: Proposal
) -> None:
    services.reviewers_set(acting_user=teammate, proposal=proposal, users=[owner, curator])
    services.reviewers_set(acting_user=teammate, proposal=proposal, users=[curator])
    assert [row.user for row in proposal.reviewers.all()] == [curator]
    with pytest.raises(Invalid, match="no curator"):
        services.reviewers_set(acting_user=teammate, proposal=proposal, users=[teammate])


def test_drafts_and_rejected_proposals_can_be_deleted(teammate: User, proposal: Proposal) -> None:
    services.proposal_reject(acting_user=teammate, proposal=proposal, comment="Not now.")
    assert proposal.comments.get().body == "Not now."
    services.proposal_reopen(acting_user=teammate, proposal=proposal)
    services.proposal_delete(acting_user=teammate, proposal=proposal)
    assert not Proposal.objects.exists()


def test_an_erased_version_takes_the_text_of_its_branches_along(
    owner: User, teammate: User, proposal: Proposal, node: Node, space: Space
) -> None:
    services.node_update(acting_user=owner, node=node, content="Clean.\n")
    services.versions_erase(
        acting_user=owner, space=space, node_id=node.pk, versions=[1], reason="Order 7"
    )
    change = proposal.changes.get()
    assert (change.fields, change.version) == ({}, 2)
    before = proposal.revision
    proposal.refresh_from_db()
    assert proposal.revision == before + 1
