"""The admin of proposals: from the first change to the merge, and who may what."""

from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from knowledge import services
from knowledge.choices import NodeStatus, ProposalStatus
from knowledge.models import Node, NodeVersion, Proposal, ProposalComment, Space
from project.accounts.models import User
from tests.conftest import make_user
from tests.support.admin_client import signed_in

LIST = "/admin/knowledge/proposal/"
TEXT = "# Tides\n\nThe tide comes at noon.\n\n## Boats\n\nBoats wait in the harbour.\n"


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return services.node_create(
        acting_user=owner,
        space=space,
        title="Tides",
        content=TEXT,
        tags=["sea"],
        status=NodeStatus.PUBLISHED,
    )


@pytest.fixture
def curator(owner: User, space: Space) -> Client:
    return signed_in(owner)


@pytest.fixture
def editor(teammate: User, space: Space) -> Client:
    return signed_in(teammate)


@pytest.fixture
def proposal(teammate: User, space: Space, node: Node) -> Proposal:
    made = services.proposal_create(acting_user=teammate, space=space, title="Night tides")
    services.change_add(
        acting_user=teammate,
        proposal=made,
        action="edit",
        node=node.pk,
        fields={"content": TEXT.replace("noon", "midnight"), "tags": ["sea", "moon"]},
    )
    return Proposal.objects.get(pk=made.pk)


def page_of(proposal: Proposal, name: str = "change") -> str:
    return f"{LIST}{proposal.pk}/{name}/"


def text_of(answer: HttpResponse) -> str:
    return unescape(answer.content.decode())


def form_of(answer: Any, **changes: Any) -> dict[str, Any]:
    """Return what the browser would send of the node form on a branch."""
    form = answer.context["form"]
    names = [name for name in form.fields if name not in {"valid_from", "valid_until"}]
    values = {name: form[name].value() for name in names}
    values["tags"] = form["tags"].value()
    values = {name: "" if value is None else value for name, value in values.items()}
    change = answer.context["change"]
    values |= {"_began": answer.context["began"]}
    values |= {"change_version": change.version} if change else {}
    return values | changes


@pytest.mark.parametrize(
    "name",
    ["change", "conversation", "checks", "preview", "happened", "conflicts", "merge", "edit",
     "reviewers", "new", "relation", "drop"],
)  # fmt: skip
def test_every_page_opens_for_editors_and_for_nobody_else(
    editor: Client, proposal: Proposal, stranger: User, name: str
) -> None:
    assert editor.get(page_of(proposal, name)).status_code == 200
    outside = signed_in(stranger).get(page_of(proposal, name))
    assert outside.status_code in {302, 403, 404}
    assert "Night tides" not in outside.content.decode()


def test_the_list_says_what_a_proposal_is_until_there_is_one(editor: Client, space: Space) -> None:
    assert "branch of the knowledge" in text_of(editor.get(LIST))
    answer = editor.post(f"{LIST}add/", {"space": space.pk, "title": "New", "description": ""})
    made = Proposal.objects.get()
    assert answer["Location"] == page_of(made)
    assert "No proposals yet" not in text_of(editor.get(LIST))


def test_the_list_counts_changes_and_approvals_and_filters(
    editor: Client, curator: Client, proposal: Proposal, teammate: User, space: Space
) -> None:
    Space.objects.filter(pk=space.pk).update(required_approvals=2)
    row = text_of(editor.get(LIST, {"whose": "mine"}))
    assert "Night tides" in row
    assert "0 of 2" in row
    assert "Night tides" not in text_of(curator.get(LIST, {"whose": "waiting"}))
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    waiting = text_of(curator.get(LIST, {"whose": "waiting"}))
    assert "Night tides" in waiting
    curator.post(page_of(proposal, "review"), {"verdict": "approved", "revision": 2})
    assert "Night tides" not in text_of(curator.get(LIST, {"whose": "waiting"}))
    assert "1 of 2" in text_of(curator.get(LIST))


def test_the_sidebar_counts_what_waits_for_the_reader(
    editor: Client, curator: Client, proposal: Proposal, teammate: User
) -> None:
    services.proposal_submit(acting_user=teammate, proposal=proposal)

    def badge(client: Client) -> str:
        groups = client.get(LIST).context["sidebar_navigation"]
        items = [item for group in groups for item in group["items"]]
        return next(str(i.get("badge", "")) for i in items if str(i["link"]).endswith(LIST))

    assert badge(curator) == "1"
    assert badge(editor) == ""
    curator.post(page_of(proposal, "review"), {"verdict": "approved", "revision": 2})
    assert badge(curator) == ""  # at once, though numbers are kept for a while


def test_an_editor_proposes_what_only_curators_may_change(
    editor: Client, node: Node, owner: User
) -> None:
    page = text_of(editor.get(f"/admin/knowledge/node/{node.pk}/change/"))
    address = f"{LIST}node/{node.pk}/"
    assert address in page
    answer = editor.get(address)
    sent = form_of(
        answer, content=TEXT.replace("noon", "dusk").replace("\n", "\r\n"), proposal_title="Dusk"
    )
    assert editor.post(address, sent).status_code == 302
    proposal = Proposal.objects.get(title="Dusk")
    change = proposal.changes.get()
    assert change.fields == {"content": TEXT.replace("noon", "dusk")}
    assert (change.base_version, change.action) == (1, "edit")
    node.refresh_from_db()
    assert node.version == 1


def test_what_was_typed_in_the_node_s_own_form_comes_along(curator: Client, node: Node) -> None:
    sent = {
        "title": "Tides", "content": "Typed before.", "kind": node.kind, "language": "en",
        "tags": "sea", "metadata": "", "owner": node.owner_id, "external_id": "",
        "expected_version": 1, "_begin": "1",
    }  # fmt: skip
    answer = curator.post(f"{LIST}node/{node.pk}/", sent)
    assert answer.status_code == 200
    assert answer.context["form"]["content"].value() == "Typed before."
    assert not Proposal.objects.exists()


def test_a_form_that_changes_nothing_is_told_so(editor: Client, node: Node) -> None:
    address = f"{LIST}node/{node.pk}/"
    answer = editor.post(address, form_of(editor.get(address)))
    assert "changes nothing" in text_of(answer)
    assert not Proposal.objects.exists()


def test_a_change_is_written_again_and_taken_out(editor: Client, proposal: Proposal) -> None:
    change = proposal.changes.get()
    address = f"{LIST}{proposal.pk}/changes/{change.pk}/edit/"
    answer = editor.get(address)
    assert answer.context["form"]["content"].value() == TEXT.replace("noon", "midnight")
    answer = editor.post(address, form_of(answer, title="The tides", tags="sea"))
    assert answer.status_code == 302
    change.refresh_from_db()
    assert set(change.fields) == {"content", "title"}, "the tags are those of the base again"
    remove = f"{LIST}{proposal.pk}/changes/{change.pk}/remove/"
    assert editor.get(remove).status_code == 200
    editor.post(remove, {"version": change.version})
    assert not proposal.changes.exists()


def test_of_two_who_write_a_change_the_second_sees_both_merged(
    editor: Client, curator: Client, proposal: Proposal
) -> None:
    change = proposal.changes.get()
    address = f"{LIST}{proposal.pk}/changes/{change.pk}/edit/"
    first, second = editor.get(address), curator.get(address)
    text = change.fields["content"]
    editor.post(address, form_of(first, content=text.replace("Boats wait", "Ferries wait")))
    mine = text.replace("midnight", "dawn")
    answer = curator.post(address, form_of(second, content=mine, title="Dawn"))
    assert answer.status_code == 409
    form = answer.context["form"]
    assert form["content"].value() == mine.replace("Boats wait", "Ferries wait")
    assert form["title"].value() == "Dawn"
    kept = {"_mine": answer.context["merge"].kept, "_base": answer.context["merge"].base_kept}
    assert curator.post(address, form_of(answer, **kept)).status_code == 302
    change.refresh_from_db()
    assert change.fields["content"] == mine.replace("Boats wait", "Ferries wait")


def test_a_second_change_of_a_node_in_one_proposal_is_merged_into_the_first(
    editor: Client, node: Node, proposal: Proposal
) -> None:
    address = f"{LIST}node/{node.pk}/"
    fresh = editor.get(address)
    mine = TEXT.replace("Boats wait", "Ferries wait")
    answer = editor.post(address, form_of(fresh, content=mine, proposal=proposal.pk))
    assert answer.status_code == 409
    assert answer.context["form"]["content"].value() == mine.replace("noon", "midnight")


def test_a_new_node_is_made_by_the_merge(editor: Client, proposal: Proposal) -> None:
    address = page_of(proposal, "new")
    sent = form_of(editor.get(address), title="Lanterns", content="They are lit at dusk.")
    assert editor.post(address, sent).status_code == 302
    change = proposal.changes.get(action="create")
    assert change.fields["title"] == "Lanterns"
    assert change.fields["status"] == "published"
    assert "Lanterns" in text_of(editor.get(page_of(proposal)))


def test_many_nodes_are_proposed_for_the_archive_at_once(
    editor: Client, space: Space, owner: User, node: Node
) -> None:
    other = services.node_create(acting_user=owner, space=space, title="Moorings", content="x")
    sent = {"action": "nodes_propose_archive", "_selected_action": [str(node.pk), str(other.pk)]}
    answer = editor.post("/admin/knowledge/node/", sent)
    assert "Moorings" in text_of(answer)
    sent = {"node": [str(node.pk), str(other.pk)], "proposal_title": "Clean up", "_propose": "1"}
    answer = editor.post(f"{LIST}archive/", sent)
    proposal = Proposal.objects.get(title="Clean up")
    assert answer["Location"] == page_of(proposal)
    assert set(proposal.changes.values_list("action", flat=True)) == {"archive"}


def test_relations_are_added_weighed_and_removed(
    editor: Client, proposal: Proposal, node: Node, owner: User, space: Space
) -> None:
    other = services.node_create(acting_user=owner, space=space, title="Moorings", content="x")
    stored = services.relation_create(acting_user=owner, source=other, target=node, kind="part_of")
    address = page_of(proposal, "relation")
    sent = {"node": node.pk, "what": "relate", "direction": "out", "other": "moorings",
            "kind": "explains", "weight": "0.5"}  # fmt: skip
    assert editor.post(address, sent).status_code == 302
    made = proposal.changes.get(action="relate")
    assert (made.source_id, made.target_id, made.fields["weight"]) == (node.pk, other.pk, 0.5)
    weight = {"what": "weight", "relation": stored.pk, "weight": "0,7"}
    editor.post(address, {"node": node.pk, **weight})
    edit = proposal.changes.get(action="relation_edit")
    assert edit.fields == {"weight": 0.7}
    editor.post(
        address, {"node": node.pk, "what": "undo", "change": edit.pk, "version": edit.version}
    )
    editor.post(address, {"node": node.pk, "what": "remove", "relation": stored.pk})
    assert proposal.changes.get(relation_id=stored.pk).action == "unrelate"
    page = text_of(editor.get(address, {"node": node.pk}))
    assert "Moorings → part_of → Tides" in page
    wrong = editor.post(address, {**sent, "other": "Nowhere"})
    assert "There is no node “Nowhere”" in text_of(wrong)


def test_a_proposal_goes_from_draft_to_merged(
    editor: Client, curator: Client, proposal: Proposal, node: Node
) -> None:
    page = text_of(editor.get(page_of(proposal)))
    assert "It is a draft" in page
    editor.post(page_of(proposal, "submit"), {"revision": proposal.revision})
    assert "1 more approval" in text_of(editor.get(page_of(proposal)))
    sent = {"verdict": "changes_requested", "revision": proposal.revision, "comment": "Why night?"}
    curator.post(page_of(proposal, "review"), sent)
    page = text_of(editor.get(page_of(proposal)))
    assert "owner asked for changes" in page
    editor.post(page_of(proposal, "submit"), {"revision": proposal.revision})
    curator.post(page_of(proposal, "review"), {"verdict": "approved", "revision": 2})
    assert "can be merged" in text_of(curator.get(page_of(proposal)))
    confirm = text_of(curator.get(page_of(proposal, "merge")))
    assert "1 node gets a new version" in confirm
    answer = curator.post(page_of(proposal, "merge"), {"revision": 2})
    assert answer["Location"] == page_of(proposal, "happened")
    node.refresh_from_db()
    assert (node.version, node.tags) == (2, ["sea", "moon"])
    made = text_of(curator.get(page_of(proposal, "happened")))
    assert f"/admin/knowledge/node/{node.pk}/versions/compare/?from=1&to=2" in made
    assert f"?proposal={proposal.pk}" in made
    assert curator.get(page_of(proposal, "merge"))["Location"] == page_of(proposal)
    assert curator.get(page_of(proposal, "conflicts"))["Location"] == page_of(proposal)
    assert "Merged by owner" in text_of(curator.get(page_of(proposal)))


def test_an_approval_of_an_older_revision_is_shown_as_such(
    editor: Client, curator: Client, proposal: Proposal, owner: User, teammate: User
) -> None:
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    services.proposal_review(acting_user=owner, proposal=proposal, verdict="approved")
    editor.post(page_of(proposal, "edit"), {"title": "Tides", "description": "", "revision": 2})
    assert "approved an older revision" in text_of(editor.get(page_of(proposal)))
    late = curator.post(
        page_of(proposal, "review"), {"verdict": "approved", "revision": 2, "comment": "Fine!"}
    )
    assert late.status_code == 409
    assert "Fine!" in text_of(late), "nothing typed is lost"


def test_asking_for_changes_needs_words_and_keeps_the_page(
    curator: Client, proposal: Proposal, teammate: User
) -> None:
    services.proposal_submit(acting_user=teammate, proposal=proposal)
    answer = curator.post(
        page_of(proposal, "review"), {"verdict": "changes_requested", "revision": 2}
    )
    assert "Say what should change" in text_of(answer)
    assert not proposal.reviews.exists()


def test_a_line_is_commented_on_answered_and_settled(
    editor: Client, curator: Client, proposal: Proposal
) -> None:
    change = proposal.changes.get()
    asked = text_of(curator.get(page_of(proposal), {"open": change.pk, "line": 3}))
    assert "Comment on line 3" in asked, "without scripts the number is a link to a form"
    sent = {"change": change.pk, "line": 3, "body": "Which *night*?", "next": page_of(proposal)}
    answer = curator.post(page_of(proposal, "comment"), sent)
    comment = ProposalComment.objects.get()
    assert answer["Location"] == f"{page_of(proposal)}#comment-{comment.pk}"
    assert (comment.line, comment.field) == (3, "content")
    editor.post(page_of(proposal, "comment"), {"parent": comment.pk, "body": "Every night."})
    page = text_of(curator.get(page_of(proposal)))
    row = page[page.index('data-line="3"') :]
    assert "Which <em>night</em>?" in row[: row.index('data-line="4"')]
    assert "Every night." in page
    curator.post(page_of(proposal, "resolve"), {"comment": comment.pk, "resolved": "1"})
    assert "settled by owner" in text_of(curator.get(page_of(proposal, "conversation")))
    services.change_update(
        acting_user=User.objects.get(username="teammate"),
        change=change,
        expected_version=1,
        fields={"title": "Other"},
    )
    assert "line 3 of an earlier version" in text_of(curator.get(page_of(proposal)))


def test_an_empty_comment_is_refused_and_strange_ways_back_are_not_followed(
    curator: Client, proposal: Proposal
) -> None:
    answer = curator.post(page_of(proposal, "comment"), {"body": "  "})
    assert answer.status_code == 400
    answer = curator.post(
        page_of(proposal, "comment"), {"body": "Good.", "next": "//evil.example/"}
    )
    assert answer["Location"].startswith(page_of(proposal, "conversation"))


def test_reviewers_are_chosen_among_curators(
    editor: Client, proposal: Proposal, owner: User, teammate: User
) -> None:
    page = text_of(editor.get(page_of(proposal, "reviewers")))
    assert "owner" in page
    editor.post(page_of(proposal, "reviewers"), {"reviewers": [owner.pk, teammate.pk]})
    assert [each.user for each in proposal.reviewers.all()] == [owner]


def test_only_authors_and_curators_write_on_a_branch(
    proposal: Proposal, space: Space, teammate: User
) -> None:
    other = make_user("another")
    other.groups.add(*teammate.groups.all())
    client = signed_in(other)
    assert client.get(page_of(proposal)).status_code == 200
    client.post(page_of(proposal, "submit"), {"revision": proposal.revision})
    proposal.refresh_from_db()
    assert proposal.status == ProposalStatus.DRAFT
    client.post(page_of(proposal, "merge"), {"revision": proposal.revision})
    assert not NodeVersion.objects.filter(version=2).exists()


def test_a_draft_is_deleted_on_its_own_page(editor: Client, proposal: Proposal) -> None:
    assert "go for good" in text_of(editor.get(page_of(proposal, "drop")))
    editor.post(page_of(proposal, "drop"))
    assert not Proposal.objects.exists()


def test_a_large_proposal_is_paged_and_its_changes_are_loaded_one_by_one(
    editor: Client, space: Space, teammate: User
) -> None:
    proposal = services.proposal_create(acting_user=teammate, space=space, title="Many")
    services.changes_add(
        acting_user=teammate,
        proposal=proposal,
        changes=[
            {"action": "create", "fields": {"title": f"Node {n}", "content": f"Text {n} here"}}
            for n in range(60)
        ],
    )
    first = text_of(editor.get(page_of(proposal)))
    assert first.count("data-piece=") == 25
    assert "Text 1 here" not in first
    last = proposal.changes.order_by("created_at", "pk").last()
    assert last is not None
    piece = text_of(editor.get(f"{LIST}{proposal.pk}/changes/{last.pk}/", {"piece": "1"}))
    assert last.fields["content"] in piece
    assert "<html" not in piece
    opened = text_of(editor.get(page_of(proposal), {"open": last.pk}))
    assert last.fields["content"] in opened, "the page of the change is found by itself"


def test_the_preview_searches_both_states(
    editor: Client, curator: Client, proposal: Proposal, teammate: User
) -> None:
    services.change_add(
        acting_user=teammate,
        proposal=proposal,
        action="create",
        fields={"title": "Lanterns", "content": "Lanterns are lit at dusk."},
    )
    page = editor.get(page_of(proposal, "preview"), {"q": "lanterns at dusk"})
    compared = page.context["compared"]
    assert not compared.problem
    assert [(hit.result.title, hit.state) for hit in compared.after][:1] == [("Lanterns", "new")]
    assert "Lanterns" not in [hit.result.title for hit in compared.before]
    node_id = proposal.changes.get(action="create").node_id
    text = text_of(editor.get(f"{page_of(proposal, 'preview')}{node_id}/"))
    assert "Lanterns are lit at dusk." in text
