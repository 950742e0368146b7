"""Searching a release, and the knowledge as if a proposal were merged."""

from typing import Any

import pytest
from django.utils import timezone

from knowledge import previews, services
from knowledge.choices import SearchMode
from knowledge.models import Node, PastVector, Proposal, Relation, Release, Space
from knowledge.relation_writing import relations_insert, relations_remove
from knowledge.retrieval import search
from knowledge.types import SearchRequest
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Invalid
from tests.conftest import Api, grant
from tests.knowledge.test_time_travel import NEW, OLD, edit, found, make, versions


@pytest.fixture
def ferry(owner: User, space: Space) -> Node:
    return make(owner, space, "Ferry", OLD)


@pytest.fixture
def release(owner: User, space: Space, ferry: Node) -> Release:
    """A release with the ferry and a pier that leads to it; both have changed since."""
    pier = make(owner, space, "Pier", "Passengers wait here under a roof.")
    relations_insert([Relation(source=ferry, target=pier, created_by=owner)], author=owner)
    made = services.release_create(acting_user=owner, space=space, name="Spring 2026")
    relations_remove(list(Relation.objects.all()), author=owner)
    edit(owner, ferry, content=NEW, title="New ferry")
    edit(owner, pier, content="Passengers wait here in the rain.")
    make(owner, space, "Coal yard", "Steam coal is sold here.")
    return made


@pytest.mark.parametrize("mode", list(SearchMode))
def test_a_release_is_searched_by_name_or_id(
    owner: User, release: Release, mode: SearchMode
) -> None:
    for named in (release.name, str(release.pk)):
        answer = found("steam ferry with coal", owner, release=named, mode=mode)
        assert (answer.results[0].title, answer.results[0].version) == ("Ferry", 1)
        assert answer.degraded == []
        assert "Coal yard" not in {each.title for each in answer.results}
    assert found("diesel", owner, release=release.name, mode=SearchMode.KEYWORD).results == []


def test_relations_lead_as_in_the_release(owner: User, release: Release) -> None:
    answer = found("steam coal", owner, release=release.name, mode=SearchMode.GRAPH, explain=True)
    led = {each.title: (each.signals or {})["graph"] for each in answer.results}
    assert led["Pier"] is not None


def test_a_release_is_closed_to_those_who_may_not_read_its_space(
    owner: User, stranger: User, space: Space, release: Release, api: Api
) -> None:
    with pytest.raises(Invalid) as refused:
        found("ferry", stranger, release=release.name)
    assert refused.value.code == "no_such_release"
    other = Space.objects.create(name="Other", slug="other")
    assert versions("steam", owner, release=release.name, spaces=(other.pk,)) == []
    held = release.entries.all()[0].node_id
    body = api.get(f"/api/v1/nodes/{held}/", {"release": release.name})
    assert body.json()["version"] == 1


def test_a_release_loses_its_vectors_with_the_years_and_says_so(
    owner: User, release: Release
) -> None:
    PastVector.objects.all().delete()
    from knowledge.models import IndexedVersion

    IndexedVersion.objects.update(model_key="")
    answer = found("steam ferry", owner, release=release.name)
    assert answer.results[0].title == "Ferry"
    assert answer.degraded == ["vector"]


def test_names_that_several_spaces_have_need_the_id(
    owner: User, space: Space, release: Release
) -> None:
    other = Space.objects.create(name="Other", slug="other")
    grant(other, owner, Role.MANAGER)
    make(owner, other, "Boat", "A steam boat.")
    services.release_create(acting_user=owner, space=other, name=release.name)
    with pytest.raises(Invalid) as refused:
        found("steam", owner, release=release.name)
    assert refused.value.code == "ambiguous_release"
    assert versions("steam", owner, release=str(release.pk), mode=SearchMode.KEYWORD) == [
        ("Ferry", 1)
    ]


@pytest.fixture
def proposal(owner: User, teammate: User, space: Space, ferry: Node) -> Proposal:
    """Edits the ferry, archives the pier, and adds a boat."""
    pier = make(owner, space, "Pier", "Passengers wait here under a roof.")
    make(owner, space, "Lighthouse", "The lamp turns all night.")
    changes: list[dict[str, Any]] = [
        {"action": "edit", "node": ferry.pk, "fields": {"title": "New ferry", "content": NEW}},
        {"action": "archive", "node": pier.pk},
        {
            "action": "create",
            "fields": {
                "title": "Boat",
                "content": "A rowing boat for two.",
                "status": "published",
                "tags": ["small"],
            },
        },
    ]
    made = services.proposal_create(
        acting_user=teammate, space=space, title="New fleet", changes=changes
    )
    made.refresh_from_db()
    previews.proposal_prepare(made.pk)
    return made


def ask(query: str, user: User, proposal: Proposal, **options: object) -> list[str]:
    wanted: dict[str, object] = {"mode": SearchMode.KEYWORD, "proposal": proposal.pk, **options}
    return [each.title for each in search(SearchRequest(query=query, **wanted), user=user).results]  # type: ignore[arg-type]


def test_a_proposal_is_searched_as_if_merged(teammate: User, proposal: Proposal) -> None:
    assert ask("diesel cars", teammate, proposal) == ["New ferry"]
    assert ask("steam coal", teammate, proposal) == []
    assert ask("passengers roof", teammate, proposal) == []
    assert ask("rowing boat", teammate, proposal) == ["Boat"]
    assert ask("lamp", teammate, proposal) == ["Lighthouse"]
    assert ask("boat", teammate, proposal, tags=("small",)) == ["Boat"]
    answer = found("When does the diesel ferry cross?", teammate, proposal=proposal.pk)
    assert (answer.results[0].title, answer.results[0].version) == ("New ferry", 2)
    assert answer.degraded == []


def test_a_stale_preview_says_so(
    owner: User, teammate: User, ferry: Node, proposal: Proposal
) -> None:
    edit(owner, ferry, tags=["changed"])
    answer = found("diesel", teammate, proposal=proposal.pk)
    assert answer.degraded == ["preview"]


def test_only_editors_may_look_at_a_proposal(
    space: Space, stranger: User, proposal: Proposal
) -> None:
    reader = User.objects.create_user(username="reader")
    grant(space, reader, Role.READER)
    for user in (reader, stranger):
        with pytest.raises(Invalid) as refused:
            ask("diesel", user, proposal)
        assert refused.value.code == "no_such_proposal"


def test_a_decided_proposal_is_not_tried(owner: User, proposal: Proposal) -> None:
    Proposal.objects.filter(pk=proposal.pk).update(status="rejected", decided_at=timezone.now())
    with pytest.raises(Invalid) as refused:
        ask("diesel", owner, proposal)
    assert refused.value.code == "proposal_decided"
