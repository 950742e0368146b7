"""Searching the knowledge as it stood at a moment."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from knowledge import past
from knowledge.choices import GenerationStatus, RelationStatus, SearchMode, Visibility
from knowledge.indexing import index_node
from knowledge.models import IndexedVersion, IndexGeneration, Node, Publication, Relation, Space
from knowledge.relabelling import passages_relabel
from knowledge.relation_writing import relation_write, relations_insert, relations_remove
from knowledge.retrieval import _gaps, retrieve_passages, search
from knowledge.services import (
    node_archive,
    node_create,
    node_delete,
    node_publish,
    node_update,
    versions_erase,
)
from knowledge.types import SearchRequest, SearchResponse
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.errors import Invalid
from tests.conftest import Api, grant

OLD = "The steam ferry crosses the bay at nine and carries coal."
NEW = "The diesel ferry crosses the bay at ten and carries cars."


def make(owner: User, space: Space, title: str, content: str, **fields: object) -> Node:
    made = node_create(
        acting_user=owner,
        space=space,
        title=title,
        content=content,
        status="published",
        **fields,  # type: ignore[arg-type]
    )
    index_node(made.pk)
    return made


def edit(owner: User, node: Node, *, indexed: bool = True, **changes: object) -> None:
    node_update(acting_user=owner, node=node, **changes)  # type: ignore[arg-type]
    if indexed:
        index_node(node.pk)


def found(query: str, user: User | AnonymousUser, **options: object) -> SearchResponse:
    return search(SearchRequest(query=query, **options), user=user)  # type: ignore[arg-type]


def versions(query: str, user: User | AnonymousUser, **options: object) -> list[tuple[str, int]]:
    return [(each.title, each.version) for each in found(query, user, **options).results]


@pytest.fixture
def ferry(owner: User, space: Space) -> Node:
    return make(owner, space, "Ferry", OLD)


@pytest.fixture
def between(owner: User, ferry: Node) -> datetime:
    """A moment at which the ferry's first version was public; the second one is now."""
    at = timezone.now()
    edit(owner, ferry, content=NEW, title="New ferry")
    return at


def test_a_moment_between_two_versions_has_the_words_of_the_old_one(
    api: Api, ferry: Node, between: datetime
) -> None:
    def words(query: str, **body: object) -> list[tuple[str, int]]:
        wanted = {"query": query, "mode": "keyword", **body}
        answer = api.post("/api/v1/search/", wanted)
        assert answer.status_code == 200, answer.content
        return [(row["title"], row["version"]) for row in answer.json()["results"]]

    then = {"as_of": between.isoformat()}
    assert words("steam coal", **then) == [("Ferry", 1)]
    assert words("diesel cars", **then) == []
    assert words("steam coal") == []
    assert words("diesel cars") == [("New ferry", 2)]


@pytest.mark.parametrize("mode", list(SearchMode))
def test_every_mode_finds_the_old_version(
    owner: User, space: Space, between: datetime, mode: SearchMode
) -> None:
    make(owner, space, "Later", "A steam engine of another time.")
    answer = found("When does the steam ferry cross?", owner, as_of=between, mode=mode)
    assert [(each.title, each.version) for each in answer.results] == [("Ferry", 1)]
    assert answer.degraded == []


def test_a_result_names_the_passage_of_its_version(
    owner: User, ferry: Node, between: datetime
) -> None:
    (result,) = found("steam ferry", owner, as_of=between, explain=True).results
    assert OLD[result.start : result.end] == OLD
    assert "steam" in result.snippet
    place = urlencode({"version": 1, "start": 0, "end": len(OLD), "as_of": between.isoformat()})
    assert result.url == f"/knowledge/nodes/{ferry.pk}/?{place}"
    signals = result.signals or {}
    assert signals["vector"]["similarity"] > 0
    assert {"steam", "ferri"} <= set(signals["keyword"]["terms"])
    (passage,) = retrieve_passages("steam ferry", user=owner, as_of=between)
    assert (passage.version, passage.text, passage.chunk) == (1, OLD, result.chunk)


def test_scores_do_not_depend_on_later_versions(owner: User, ferry: Node, space: Space) -> None:
    for number in range(4):
        make(owner, space, f"Boat {number}", f"Boat {number} rows over the bay.")
    before = [each.score for each in found("steam ferry in the bay", owner).results]
    at = timezone.now()
    for node in Node.objects.all():
        edit(owner, node, content="Steam, steam, steam. The bay is full of it.")
    after = [each.score for each in found("steam ferry in the bay", owner, as_of=at).results]
    assert after == pytest.approx(before, abs=1e-4)


def test_a_moment_has_what_was_public_then_and_nothing_else(owner: User, space: Space) -> None:
    make(owner, space, "Ferry", OLD)
    start = timezone.now()
    draft = node_create(acting_user=owner, space=space, title="Draft", content="A tide table.")
    as_draft = timezone.now()
    node_publish(acting_user=owner, node=draft)
    index_node(draft.pk)
    public = timezone.now()
    node_archive(acting_user=owner, node=draft)
    archived = timezone.now()
    node_publish(acting_user=owner, node=draft)
    index_node(draft.pk)
    again = timezone.now()
    node_delete(acting_user=owner, node=Node.objects.get(title="Draft"))
    states = [
        versions("tide table", owner, as_of=at, mode=SearchMode.KEYWORD)
        for at in (start, as_draft, public, archived, again, timezone.now())
    ]
    assert states == [[], [], [("Draft", 1)], [], [("Draft", 1)], []]


def test_a_version_keeps_to_its_own_validity(owner: User, space: Space) -> None:
    now = timezone.now()
    node = make(owner, space, "Summer", "Summer tariff.", valid_until=now + timedelta(hours=1))
    edit(owner, node, content="Winter tariff.", valid_until=None)
    Publication.objects.filter(version=1).update(
        started_at=now - timedelta(hours=3), ended_at=now - timedelta(hours=1)
    )
    past.versions_fill()
    at = now - timedelta(hours=2)
    assert versions("tariff", owner, as_of=at) == [("Summer", 1)]
    expired = make(owner, space, "Expired", "Old tariff.", valid_until=now - timedelta(hours=2))
    Publication.objects.filter(node_id=expired.pk).update(started_at=now - timedelta(hours=4))
    assert versions("tariff", owner, as_of=at) == [("Summer", 1)]
    earlier = now - timedelta(hours=2, minutes=30)
    assert set(versions("tariff", owner, as_of=earlier)) == {("Summer", 1), ("Expired", 1)}


def test_access_is_that_of_today(
    owner: User, teammate: User, stranger: User, space: Space, between: datetime
) -> None:
    reader = User.objects.create_user(username="reader")
    grant(space, reader, Role.READER)
    for user in (owner, teammate, reader):
        assert versions("steam", user, as_of=between) == [("Ferry", 1)]
    for nobody in (stranger, AnonymousUser()):
        assert versions("steam", nobody, as_of=between) == []
        assert versions("steam", nobody, as_of=between, spaces=(space.pk,)) == []
    reader.groups.clear()
    assert versions("steam", reader, as_of=between) == []
    space.visibility = Visibility.PUBLIC
    space.save()
    assert versions("steam", AnonymousUser(), as_of=between) == [("Ferry", 1)]


def test_an_erased_version_never_appears(
    owner: User, space: Space, ferry: Node, between: datetime
) -> None:
    versions_erase(
        acting_user=owner, space=space, node_id=ferry.pk, versions=[1], reason="A complaint."
    )
    assert versions("steam ferry", owner, as_of=between) == []
    assert past.versions_fill() == 0
    assert versions("diesel", owner) == [("New ferry", 2)]


def test_a_version_that_was_never_indexed_is_found_by_its_words(
    owner: User, ferry: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(owner, ferry, content="The sail ferry waits for wind.", indexed=False)
    at = timezone.now()
    edit(owner, ferry, content=NEW)
    answer = found("sail wind", owner, as_of=at)
    (result,) = answer.results
    assert (result.version, answer.degraded) == (2, ["vector"])
    assert "sail ferry" in result.snippet
    assert found("sail wind", owner, as_of=at, mode=SearchMode.KEYWORD).degraded == []
    monkeypatch.setattr(_gaps, "MOST_VERSIONS", 0)
    bounded = found("sail wind", owner, as_of=at)
    assert (bounded.results, bounded.degraded) == ([], ["keyword", "vector"])
    past.versions_fill()
    filled = found("sail wind", owner, as_of=at)
    assert [each.version for each in filled.results] == [2]
    assert filled.results[0].score == pytest.approx(result.score, abs=0.01)


def test_a_version_that_is_not_indexed_yet_is_found_at_once(owner: User, ferry: Node) -> None:
    edit(owner, ferry, content=NEW, indexed=False)
    now = timezone.now()
    assert versions("diesel", owner, as_of=now) == [("Ferry", 2)]
    assert versions("steam", owner, as_of=now) == []


def test_a_version_published_again_is_found_before_it_is_indexed_again(
    owner: User, ferry: Node
) -> None:
    node_archive(acting_user=owner, node=ferry)
    node_publish(acting_user=owner, node=ferry)
    now = timezone.now()
    assert versions("steam", owner, as_of=now) == [("Ferry", 1)]
    index_node(ferry.pk)
    assert versions("steam", owner, as_of=now) == [("Ferry", 1)]


def test_without_past_vectors_the_words_decide(owner: User, between: datetime) -> None:
    IndexedVersion.objects.filter(version=1).update(retired_at=timezone.now() - timedelta(days=400))
    past.vectors_drop()
    answer = found("When does the steam ferry cross?", owner, as_of=between)
    assert [each.version for each in answer.results] == [1]
    assert answer.degraded == ["vector"]
    keyword = found("steam ferry", owner, as_of=between, mode=SearchMode.KEYWORD)
    assert keyword.degraded == []


def test_vectors_of_another_model_take_no_part(owner: User, between: datetime) -> None:
    IndexedVersion.objects.filter(version=1).update(model_key="another")
    from knowledge.models import PastVector

    PastVector.objects.update(model_key="another")
    answer = found("steam ferry", owner, as_of=between, explain=True)
    assert answer.degraded == ["vector"]
    assert (answer.results[0].signals or {})["vector"] is None
    assert IndexGeneration.objects.filter(status=GenerationStatus.ACTIVE).count() == 1


def test_filters_hold_of_the_version_not_of_the_node(owner: User, space: Space) -> None:
    before = timezone.now()
    node = make(
        owner, space, "Berth", "A berth costs nine.", tags=["old"], kind="policy",
        metadata={"year": 2025}, language="en", external_id="B-1",
    )  # fmt: skip
    at = timezone.now()
    edit(owner, node, tags=["new"], kind="faq", metadata={"year": 2026}, language="pt-br")

    def hits(**filters: object) -> int:
        return len(found("berth", owner, as_of=at, **filters).results)

    kept: list[dict[str, object]] = [
        {"tags": ("old",)},
        {"kinds": ("policy",)},
        {"metadata": {"year": 2025}},
        {"language": "en"},
        {"external_ids": ("B-1",)},
        {"created_after": before},
        {"created_before": at},
    ]
    left_out: list[dict[str, object]] = [
        {"tags": ("new",)},
        {"kinds": ("faq",)},
        {"kinds": ()},
        {"metadata": {"year": 2026}},
        {"language": "pt"},
        {"external_ids": ("B-2",)},
        {"created_after": at},
        {"created_before": before},
    ]
    assert [hits(**filters) for filters in kept] == [1] * len(kept)
    assert [hits(**filters) for filters in left_out] == [0] * len(left_out)


def test_relations_lead_as_they_did_then(owner: User, space: Space, ferry: Node) -> None:
    pier = make(owner, space, "Pier", "Where passengers wait under a roof.")
    relation = Relation(source=ferry, target=pier, created_by=owner)
    before = timezone.now()
    relations_insert([relation], author=owner)
    related = timezone.now()
    suggested = Relation.objects.get()
    suggested.status = RelationStatus.SUGGESTED
    relation_write(suggested, Relation.objects.get(), author=owner)
    withdrawn = timezone.now()
    suggested = Relation.objects.get()
    confirmed = Relation.objects.get()
    confirmed.status = RelationStatus.CONFIRMED
    relation_write(confirmed, suggested, author=owner)
    relations_remove([Relation.objects.get()], author=owner)
    removed = timezone.now()

    def leads(at: datetime) -> bool:
        answer = found("steam coal", owner, as_of=at, mode=SearchMode.GRAPH, explain=True)
        led = {each.title: (each.signals or {})["graph"] for each in answer.results}
        return led.get("Pier") is not None

    assert [leads(at) for at in (before, related, withdrawn, removed)] == [
        False, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "code"),
    [
        (lambda: timezone.now() + timedelta(minutes=5), "time_to_come"),
        (lambda: datetime(2026, 3, 1, 12), "time_without_zone"),  # noqa: DTZ001
    ],
)
def test_a_moment_that_cannot_be_is_refused(
    owner: User, when: Callable[[], datetime], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        found("ferry", owner, as_of=when())
    assert (refused.value.code, refused.value.field) == (code, "as_of")


def test_a_moment_before_all_knowledge_says_so(owner: User, stranger: User, ferry: Node) -> None:
    with pytest.raises(Invalid) as refused:
        found("ferry", owner, as_of=datetime(2001, 1, 1, tzinfo=UTC))
    assert (refused.value.code, refused.value.field) == ("time_before_all", "as_of")
    # Whoever sees nothing is told nothing.
    assert versions("ferry", stranger, as_of=datetime(2001, 1, 1, tzinfo=UTC)) == []


def test_rest_refuses_states_that_cannot_be(api: Api, ferry: Node) -> None:
    def problem(**body: object) -> tuple[int, str, str]:
        answer = api.post("/api/v1/search/", {"query": "ferry", **body})
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["field"]

    day = timezone.now().date()
    unknown = "7b8a2b1c-0000-4000-8000-000000000000"
    assert problem(as_of="2999-01-01T00:00:00Z") == (400, "time_to_come", "as_of")
    assert problem(as_of=str(day + timedelta(days=2))) == (400, "time_to_come", "as_of")
    assert problem(as_of="2026-03-01T12:00:00") == (400, "time_without_zone", "as_of")
    assert problem(as_of="yesterday")[::2] == (400, "as_of")
    assert problem(as_of="2026-02-30")[::2] == (400, "as_of")
    assert problem(as_of="2001-01-01") == (400, "time_before_all", "as_of")
    assert problem(release="none") == (400, "no_such_release", "release")
    assert problem(release=unknown) == (400, "no_such_release", "release")
    assert problem(proposal=unknown) == (400, "no_such_proposal", "proposal")
    two = {"as_of": timezone.now().isoformat(), "release": "one"}
    assert problem(**two) == (400, "two_states", "release")
    assert api.post("/api/v1/search/", {"query": "ferry", "as_of": str(day)}).status_code == 200


def test_rest_shows_a_node_as_it_stood(
    api: Api, stranger_api: Api, owner: User, ferry: Node, between: datetime
) -> None:
    address = f"/api/v1/nodes/{ferry.pk}/"
    then = {"as_of": between.isoformat()}
    answer = api.get(address, then)
    body = answer.json()
    assert (body["title"], body["content"], body["version"]) == ("Ferry", OLD, 1)
    assert (body["status"], answer.headers["ETag"]) == ("published", '"1"')
    assert body["url"] == f"/knowledge/nodes/{ferry.pk}/?version=1"
    assert body["created_at"] <= body["published_at"] <= then["as_of"].replace("+00:00", "Z")
    assert api.get(address).json()["title"] == "New ferry"
    assert stranger_api.get(address, then).status_code == 404
    assert api.get("/api/v1/nodes/nonsense/", then).status_code == 404
    assert api.get(address, {"as_of": "2001-01-01"}).status_code == 404
    assert api.get(address, {"as_of": "soon"}).json()["error"]["field"] == "as_of"
    node_delete(acting_user=owner, node=Node.objects.get())
    assert api.get(address).status_code == 404
    assert api.get(address, then).json()["content"] == OLD


def test_an_index_made_anew_changes_nothing_of_the_past(
    owner: User, ferry: Node, between: datetime
) -> None:
    Node.objects.update(indexed_version=None)
    assert index_node(ferry.pk)
    assert versions("steam", owner, as_of=between, mode=SearchMode.KEYWORD) == [("Ferry", 1)]
    assert versions("diesel", owner, as_of=timezone.now(), mode=SearchMode.KEYWORD) == [
        ("New ferry", 2)
    ]
    node_archive(acting_user=owner, node=ferry)
    assert versions("steam", owner, as_of=between) == [("Ferry", 1)]


def test_a_change_that_leaves_the_text_alone_is_a_state_of_its_own(
    owner: User, space: Space
) -> None:
    node = make(owner, space, "Berth", "A berth costs nine.", tags=["old"])
    at = timezone.now()
    node_update(acting_user=owner, node=node, tags=["new"])
    assert passages_relabel([node.pk]) == [node.pk]
    now = timezone.now()
    for moment, tag, version in ((at, "old", 1), (now, "new", 2)):
        answer = found("berth", owner, as_of=moment, tags=(tag,))
        assert [each.version for each in answer.results] == [version]
        assert answer.degraded == []
    assert found("berth", owner, as_of=at, tags=("new",)).results == []
