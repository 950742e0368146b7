"""Proposals are merged with what was stored meanwhile: all of it, or nothing."""

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection

from knowledge import services, tasks
from knowledge.choices import NodeStatus, ProposalStatus
from knowledge.indexing import index_node
from knowledge.models import (
    Chunk,
    Node,
    NodeVersion,
    PastChunk,
    PreviewChunk,
    PreviewNode,
    Proposal,
    Publication,
    Relation,
    Space,
)
from knowledge.previews import preview_is_fresh, proposal_prepare
from knowledge.retrieval import search
from knowledge.subscribers import node_previews_follow
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.events import EventMessage
from project.events.models import Event
from project.http.errors import Conflict
from project.inference.models import UsageRecord

pytestmark = pytest.mark.django_db

TEXT = "The tide comes at noon.\n\nBoats wait in the harbour.\n"


def make_node(owner: User, space: Space, title: str = "Tides", **fields: Any) -> Node:
    values = {"content": TEXT, "status": "published", **fields}
    return services.node_create(acting_user=owner, space=space, title=title, **values)


def propose(user: User, space: Space, *changes: dict[str, Any], title: str = "Night") -> Proposal:
    """Return an approved proposal with these changes."""
    proposal = services.proposal_create(acting_user=user, space=space, title=title, changes=changes)
    services.proposal_submit(acting_user=user, proposal=proposal)
    services.proposal_review(acting_user=user, proposal=proposal, verdict="approved")
    return proposal


def edit(node: Node, **fields: Any) -> dict[str, Any]:
    return {"action": "edit", "node": node.pk, "fields": fields}


def create(title: str, **fields: Any) -> dict[str, Any]:
    return {"action": "create", "fields": {"title": title, **fields}}


def test_an_edit_is_reviewed_merged_and_found(owner: User, teammate: User, space: Space) -> None:
    node = make_node(owner, space)
    proposal = services.proposal_create(
        acting_user=teammate,
        space=space,
        title="Night",
        changes=[
            edit(node, content=TEXT.replace("noon", "midnight")),
            create("Lanterns", content="Lanterns are lit at dusk."),
        ],
    )
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    services.proposal_review(acting_user=owner, proposal=proposal, verdict="approved")
    services.node_update(acting_user=owner, node=node, content=TEXT.replace("Boats", "Ferries"))
    merged = services.proposal_merge(acting_user=owner, proposal=proposal)
    assert (merged.status, merged.merged_by) == (ProposalStatus.MERGED, owner)
    node.refresh_from_db()
    assert node.content == TEXT.replace("Boats", "Ferries").replace("noon", "midnight")
    assert node.indexed_version == node.version == 3
    last = NodeVersion.objects.get(id=node.pk, version=3)
    assert (last.parents, last.change_origin, last.change_origin_id) == (
        [2, 1],
        "proposal",
        proposal.pk,
    )
    assert (last.history_user, last.history_change_reason) == (teammate, "Night")
    lanterns = Node.objects.get(title="Lanterns")
    assert (lanterns.status, lanterns.owner) == (NodeStatus.PUBLISHED, teammate)
    found = search(SearchRequest("lanterns at dusk", spaces=(space.pk,)), user=owner)
    assert found.results[0].title == "Lanterns"


def test_drafts_stay_drafts_and_archived_nodes_leave_the_index(owner: User, space: Space) -> None:
    draft = make_node(owner, space, "Draft", status="draft")
    old = make_node(owner, space, "Old")
    ready = make_node(owner, space, "Ready", status="draft")
    index_node(old.pk)
    proposal = propose(
        owner,
        space,
        edit(draft, tags=["sea"]),
        {"action": "archive", "node": old.pk},
        {"action": "publish", "node": ready.pk},
        create("Not yet", status="draft"),
    )
    services.proposal_merge(acting_user=owner, proposal=proposal)
    rows = Node.objects.values_list("title", "status", "version", "indexed_version")
    assert set(rows) == {
        ("Draft", "draft", 2, None),
        ("Old", "archived", 1, None),
        ("Ready", "published", 1, 1),
        ("Not yet", "draft", 1, None),
    }
    assert set(Chunk.objects.values_list("node", flat=True)) == {ready.pk}
    past = PastChunk.objects.get(node_id=old.pk)
    merged_at = Proposal.objects.get(pk=proposal.pk).merged_at
    assert past.period.lower < past.period.upper <= merged_at


def test_what_is_edited_and_archived_was_never_public_in_its_last_version(
    owner: User, space: Space
) -> None:
    node = make_node(owner, space)
    proposal = propose(owner, space, edit(node, content="Old.", status="archived"))
    services.proposal_merge(acting_user=owner, proposal=proposal)
    node.refresh_from_db()
    assert (node.status, node.version) == ("archived", 2)
    rows = Publication.objects.filter(node_id=node.pk)
    assert [(row.version, row.ended_at is None) for row in rows] == [(1, False)]


def test_a_fault_in_the_middle_leaves_nothing_behind(owner: User, space: Space) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE knowledge_relation ADD CONSTRAINT no_breaks CHECK (kind <> 'breaks')"
        )
    first, second = make_node(owner, space, "First"), make_node(owner, space, "Second")
    proposal = propose(
        owner,
        space,
        edit(first, content="Changed."),
        create("Third"),
        {"action": "archive", "node": second.pk},
        {"action": "relate", "source": first.pk, "target": second.pk, "kind": "breaks"},
    )
    # archived by the proposal itself: that is settled, and the fault comes after the nodes
    (conflict,) = services.proposal_conflicts(acting_user=owner, proposal=proposal)
    events, versions = Event.objects.count(), NodeVersion.objects.count()
    with pytest.raises(IntegrityError):
        services.proposal_merge(
            acting_user=owner, proposal=proposal, resolutions={conflict.id: {"choice": "ours"}}
        )
    assert set(Node.objects.values_list("title", "status", "content", "version")) == {
        ("First", "published", TEXT, 1),
        ("Second", "published", TEXT, 1),
    }
    assert (Event.objects.count(), NodeVersion.objects.count()) == (events, versions)
    assert not Relation.objects.exists()
    assert Proposal.objects.get().status == ProposalStatus.APPROVED


def test_the_preview_follows_the_branch_and_what_is_stored(owner: User, space: Space) -> None:
    node = make_node(owner, space)
    gone = make_node(owner, space, "Gone")
    proposal = propose(
        owner,
        space,
        edit(node, content=TEXT.replace("noon", "midnight")),
        {"action": "archive", "node": gone.pk},
        create("Lanterns", content="Lanterns are lit at dusk.", tags=["light"]),
    )
    assert not preview_is_fresh(proposal)
    assert proposal_prepare(proposal.pk)
    shown = {row.title: row for row in PreviewNode.objects.filter(proposal=proposal)}
    assert {title: (row.status, row.version) for title, row in shown.items()} == {
        "Tides": ("published", 2),
        "Gone": ("archived", 1),
        "Lanterns": ("published", 1),
    }
    assert shown["Lanterns"].tags == ["light"]
    chunks = PreviewChunk.objects.filter(proposal=proposal).order_by("node_id")
    assert {chunk.node_id for chunk in chunks} == {node.pk, shown["Lanterns"].node_id}
    assert all(chunk.vector is not None and chunk.model_key for chunk in chunks)
    services.node_update(acting_user=owner, node=node, title="High tides", content="No boats.\n")
    assert not preview_is_fresh(proposal)
    assert proposal_prepare(proposal.pk)
    row = PreviewNode.objects.get(proposal=proposal, node_id=node.pk)
    assert (row.title, row.version, row.conflicts) == ("High tides", 3, 1)
    assert preview_is_fresh(proposal)


def test_a_merge_takes_what_was_previewed_without_a_model(owner: User, space: Space) -> None:
    node = make_node(owner, space)
    proposal = propose(
        owner, space, edit(node, content="Night tides come at two.\n"), create("Lanterns")
    )
    proposal_prepare(proposal.pk)
    previewed = PreviewChunk.objects.get(node_id=node.pk)
    calls = UsageRecord.objects.count()
    services.proposal_merge(acting_user=owner, proposal=proposal)
    assert UsageRecord.objects.count() == calls
    chunk = Chunk.objects.get(node=node)
    assert (chunk.version, chunk.text) == (2, previewed.text)
    assert (chunk.sequence, chunk.search) == (previewed.sequence, previewed.search)
    vector = chunk.embeddings.get().vector
    assert list(vector) == list(previewed.vector)
    assert not PreviewNode.objects.exists()
    assert not PreviewChunk.objects.exists()
    found = search(SearchRequest("night tides", spaces=(space.pk,)), user=owner)
    assert found.results[0].node == node.pk


def test_a_node_with_the_same_text_keeps_its_passages(owner: User, space: Space) -> None:
    node = make_node(owner, space)
    index_node(node.pk)
    chunk = Chunk.objects.get(node=node)
    proposal = propose(owner, space, edit(node, tags=["sea"]))
    calls = UsageRecord.objects.count()
    services.proposal_merge(acting_user=owner, proposal=proposal)
    node.refresh_from_db()
    assert (node.tags, node.version, node.indexed_version) == (["sea"], 2, 2)
    assert Chunk.objects.get(node=node).pk == chunk.pk
    assert UsageRecord.objects.count() == calls


def test_a_rejected_proposal_has_no_preview(owner: User, space: Space) -> None:
    proposal = propose(owner, space, create("Lanterns", content="Lit at dusk."))
    proposal_prepare(proposal.pk)
    services.proposal_reject(acting_user=owner, proposal=proposal)
    assert not PreviewChunk.objects.exists()
    assert not proposal_prepare(proposal.pk)


def in_threads(*calls: Callable[[], object]) -> list[Exception]:
    """Run calls at the same time and return what they raised."""
    raised: list[Exception] = []
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            start.wait(10)
            call()
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return raised


@pytest.mark.django_db(transaction=True)
def test_merges_of_the_same_nodes_at_once_keep_every_change_once(owner: User, space: Space) -> None:
    lines = [f"Line {n} is as it was.\n\n" for n in range(8)]
    nodes = [make_node(owner, space, f"Node {n}", content="".join(lines)) for n in range(3)]

    def proposal_of(number: int) -> Proposal:
        own = lines.copy()
        own[2 * number] = f"Line {2 * number} is of proposal {number}.\n\n"
        changes = [edit(node, content="".join(own)) for node in nodes]
        return propose(owner, space, *changes, create(f"New {number}"), title=f"P{number}")

    proposals = [proposal_of(number) for number in range(3)]
    calls = [
        lambda proposal=proposal: services.proposal_merge(acting_user=owner, proposal=proposal)
        for proposal in proposals
    ]
    writer = [
        lambda node=node: services.node_update(acting_user=owner, node=node, tags=["sea"])
        for node in nodes[:1]
    ]
    assert in_threads(*calls, *writer) == []
    for node in nodes:
        node.refresh_from_db()
        own = lines.copy()
        for number in range(3):
            own[2 * number] = f"Line {2 * number} is of proposal {number}.\n\n"
        assert node.content == "".join(own)
        versions = NodeVersion.objects.filter(id=node.pk).order_by("version")
        origins = [row.change_origin_id for row in versions if row.change_origin == "proposal"]
        assert sorted(map(str, origins)) == sorted(str(each.pk) for each in proposals)
        assert [row.version for row in versions] == list(range(1, node.version + 1))
        assert node.indexed_version == node.version
        assert set(node.chunks.values_list("version", flat=True)) == {node.version}
    assert nodes[0].tags == ["sea"]
    assert Node.objects.filter(title__startswith="New").count() == 3


@pytest.mark.django_db(transaction=True)
def test_one_of_two_merges_of_one_proposal_is_refused(owner: User, space: Space) -> None:
    proposal = propose(owner, space, create("Lanterns"))
    call = lambda: services.proposal_merge(acting_user=owner, proposal=proposal)  # noqa: E731
    raised = in_threads(call, call)
    assert [type(error) for error in raised] == [Conflict]
    assert Node.objects.filter(title="Lanterns").count() == 1
    assert Event.objects.filter(type="knowledge.proposal.merged").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_editors_who_change_one_change_at_once_lose_nothing(
    owner: User, teammate: User, space: Space
) -> None:
    proposal = services.proposal_create(
        acting_user=teammate, space=space, title="Night", changes=[create("Lanterns")]
    )
    change = proposal.changes.get()
    raised = in_threads(
        *(
            lambda user=user, word=word: services.change_update(
                acting_user=user, change=change, expected_version=1, fields={"content": word}
            )
            for user, word in ((owner, "One."), (teammate, "Two."))
        )
    )
    assert [error.code for error in raised if isinstance(error, Conflict)] == ["version_conflict"]
    change.refresh_from_db()
    assert change.version == 2


def test_the_merge_of_a_proposal_says_which_nodes_it_changed(owner: User, space: Space) -> None:
    pk = uuid.uuid4()
    proposal = propose(owner, space, {**create("Lanterns"), "node": pk})
    services.proposal_merge(acting_user=owner, proposal=proposal)
    told = Event.objects.get(type="knowledge.proposal.merged")
    assert told.payload["nodes"] == [str(pk)]


def test_what_others_write_asks_for_the_preview_once(
    owner: User, space: Space, django_capture_on_commit_callbacks: Any, monkeypatch: Any
) -> None:
    node = make_node(owner, space)
    proposal = propose(owner, space, edit(node, tags=["sea"]))
    propose(owner, space, create("Lanterns"))
    asked: list[str] = []
    monkeypatch.setattr(
        tasks.proposal_prepare, "apply_async", lambda args, **_options: asked.append(args[0])
    )
    services.node_update(acting_user=owner, node=node, title="High tides")
    event = Event.objects.get(type="knowledge.node.updated")
    message = EventMessage(
        1, uuid.uuid4(), event.type, event.payload, space.pk, node.pk, "", event.created_at
    )
    with django_capture_on_commit_callbacks(execute=True):
        node_previews_follow(message)
        node_previews_follow(message)
    assert asked == [str(proposal.pk)]
