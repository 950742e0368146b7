"""Finding nodes and passages."""

import copy
from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from knowledge.choices import NodeStatus, RelationStatus, SearchMode, Visibility
from knowledge.indexing import prepare_nodes, swap, unindex_node
from knowledge.models import Node, Relation, Space
from knowledge.relation_writing import relation_write, relations_insert
from knowledge.retrieval import _gathering, _route, retrieve_passages, search
from knowledge.types import SearchRequest
from project.accounts.models import User
from project.http.errors import Invalid
from project.inference.types import EmbeddingUnavailable


def make_node(space: Space, title: str, content: str, **extra: object) -> Node:
    values: dict[str, object] = {"status": NodeStatus.PUBLISHED, "checksum": "x", **extra}
    return Node.objects.bulk_create([Node(space=space, title=title, content=content, **values)])[0]


def index(*nodes: Node) -> None:
    swap(prepare_nodes(nodes))


@pytest.fixture
def library(space: Space) -> dict[str, Node]:
    """A few nodes of the members-only space, all indexed."""
    nodes = {
        "tide": make_node(
            space, "Tides", "High water comes twice a day and lifts every boat in the basin."
        ),
        "fees": make_node(
            space,
            "Mooring fees",
            "A berth costs 12 euros a night. Children sail free. Pay at the harbour office.",
            kind="policy",
            tags=["money", "berths"],
            metadata={"season": "summer", "level": {"code": 3}},
            external_id="PRO-104",
        ),
        "fire": make_node(
            space, "Fire drill", "Ring the bell, leave the pier, and meet at the lighthouse."
        ),
        "radio": make_node(
            space,
            "Rádio",
            "O rádio do porto fica ligado no canal 12 para as embarcações.",
            language="pt-br",
        ),
    }
    index(*nodes.values())
    return nodes


def titles(query: str, user: User | AnonymousUser, **options: object) -> list[str]:
    found = search(SearchRequest(query=query, **options), user=user)  # type: ignore[arg-type]
    return [result.title for result in found.results]


@pytest.mark.parametrize("mode", list(SearchMode))
def test_every_mode_finds_the_node_that_answers(
    library: dict[str, Node], owner: User, mode: SearchMode
) -> None:
    assert titles("How much does a berth cost a night?", owner, mode=mode)[0] == "Mooring fees"


def test_a_result_names_its_passage(library: dict[str, Node], owner: User) -> None:
    found = search(SearchRequest(query="berth price", limit=1), user=owner)
    (result,) = found.results
    node = library["fees"]
    assert (result.node, result.external_id, result.version) == (node.pk, "PRO-104", 1)
    assert node.content[result.start : result.end] == node.content
    assert "berth costs 12 euros" in result.snippet
    assert result.url == (
        f"/knowledge/nodes/{node.pk}/?version=1&start={result.start}&end={result.end}"
    )
    assert 0 < result.score <= 1
    assert (found.degraded, result.signals, found.explanation) == ([], None, None)


def test_words_are_found_with_and_without_accents(library: dict[str, Node], owner: User) -> None:
    for query in ("embarcacao", "embarcações", "radio", "RÁDIO do porto"):
        assert titles(query, owner, mode=SearchMode.KEYWORD) == ["Rádio"]


def test_an_id_is_found_as_it_is_written(space: Space, owner: User) -> None:
    index(
        make_node(space, "Pump", "The pump PRO-104 needs oil."),
        make_node(space, "Pro", "104 reasons to be a pro."),
    )
    assert titles("PRO-104", owner, limit=1) == ["Pump"]


def test_strangers_find_nothing_and_public_spaces_are_open(
    library: dict[str, Node], space: Space, stranger: User
) -> None:
    assert titles("berth", stranger) == titles("berth", AnonymousUser()) == []
    assert retrieve_passages("berth", user=stranger) == []
    space.visibility = Visibility.PUBLIC
    space.save()
    assert "Mooring fees" in titles("berth", AnonymousUser())


def test_spaces_that_cannot_be_seen_are_left_out_in_silence(
    library: dict[str, Node], stranger: User, space: Space
) -> None:
    assert titles("berth", stranger, spaces=(space.pk,)) == []


def test_what_is_archived_or_out_of_date_is_not_found(
    library: dict[str, Node], owner: User
) -> None:
    past = timezone.now() - timedelta(days=1)
    Node.objects.filter(pk=library["fees"].pk).update(valid_until=past)
    Node.objects.filter(pk=library["fire"].pk).update(status=NodeStatus.ARCHIVED)
    assert set(titles("berth bell pier boat", owner)) == {"Tides", "Rádio"}
    with transaction.atomic():
        unindex_node(library["tide"])
    assert titles("boat", owner, mode=SearchMode.KEYWORD) == []


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kinds": ("policy",)}, {"Mooring fees"}),
        ({"tags": ("money", "berths")}, {"Mooring fees"}),
        ({"tags": ("money", "rope")}, set()),
        ({"language": "pt-br"}, {"Rádio"}),
        ({"metadata": {"level": {"code": 3}}}, {"Mooring fees"}),
        ({"metadata": {"season": "winter"}}, set()),
        ({"external_ids": ("PRO-104", "none")}, {"Mooring fees"}),
        ({"created_after": timezone.now() + timedelta(hours=1)}, set()),
        ({"created_before": timezone.now() - timedelta(hours=1)}, set()),
        ({"spaces": ()}, set()),
        ({"min_score": 0.99}, set()),
    ],
)
def test_filters_keep_what_they_say(
    library: dict[str, Node], owner: User, filters: dict[str, object], expected: set[str]
) -> None:
    assert set(titles("berth in the harbour", owner, **filters)) == expected


def test_a_node_comes_once_however_many_of_its_passages_match(space: Space, owner: User) -> None:
    sections = "\n\n".join(
        f"## Berth {n}\n\nBerth {n} has water, power and a view of the sea." for n in range(6)
    )
    node = make_node(space, "All berths", sections)
    index(node)
    found = search(SearchRequest(query="berth 4 power", explain=True), user=owner)
    (result,) = found.results
    assert "Berth 4" in result.snippet
    assert result.signals is not None
    assert len(result.signals["passages"]) == 6
    passages = retrieve_passages("berth 4 power", user=owner, limit=3)
    assert [passage.node for passage in passages] == [node.pk] * 3
    assert passages[0].text == node.content[passages[0].start : passages[0].end]
    assert passages[0].heading_path == ("Berth 4",)


def test_without_the_model_the_words_alone_decide(
    library: dict[str, Node], owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_options: object) -> None:
        raise EmbeddingUnavailable("timeout", "The model is away.")

    monkeypatch.setattr(_gathering, "embed_texts", away)
    for mode in (SearchMode.HYBRID, SearchMode.VECTOR, SearchMode.GRAPH):
        found = search(SearchRequest(query="berth costs", mode=mode), user=owner)
        assert found.degraded == ["vector"]
        assert [result.title for result in found.results] == ["Mooring fees"]
    assert search(SearchRequest(query="berth", mode=SearchMode.KEYWORD), user=owner).degraded == []


def test_explain_tells_every_signal(library: dict[str, Node], owner: User) -> None:
    found = search(SearchRequest(query="berth costs a night", explain=True), user=owner)
    signals = found.results[0].signals
    assert signals is not None
    assert found.explanation is not None
    assert signals["vector"]["rank"] == signals["keyword"]["rank"] == 1
    assert set(signals["keyword"]["terms"]) == {"berth", "cost", "night"}
    assert 0 < signals["vector"]["similarity"] <= 1
    assert found.explanation["passages_in_scope"] == 4
    assert {"scope", "embed", "legs", "rank", "results"} <= set(found.explanation["timings_ms"])


def test_graph_search_adds_what_confirmed_relations_lead_to(
    library: dict[str, Node], space: Space, owner: User, stranger: User
) -> None:
    options = {"mode": SearchMode.GRAPH, "explain": True, "limit": 4}
    suggested = Relation(
        source=library["fees"], target=library["radio"], status=RelationStatus.SUGGESTED
    )
    sure = Relation(source=library["fees"], target=library["fire"], kind="see_also", weight=1.0)
    relations_insert([sure, suggested], author=owner)

    def led(query: str) -> dict[str, object]:
        found = search(SearchRequest(query=query, **options), user=owner)  # type: ignore[arg-type]
        return {result.title: (result.signals or {})["graph"] for result in found.results}

    seen = led("What does a berth cost?")
    assert seen["Fire drill"]["from"] == str(library["fees"].pk)  # type: ignore[index]
    assert seen["Rádio"] is None
    before = copy.copy(suggested)
    suggested.status = RelationStatus.CONFIRMED
    relation_write(suggested, before, author=owner)
    assert led("What does a berth cost?")["Rádio"] is not None


def test_relations_lead_nowhere_one_may_not_go(
    library: dict[str, Node], owner: User, stranger: User
) -> None:
    hidden = Space.objects.create(name="Vault", slug="vault", visibility=Visibility.MEMBERS)
    secret = make_node(hidden, "Secret", "Completely different matter.")
    index(secret)
    ways = [
        Relation(source=library["fees"], target=secret),
        Relation(source=secret, target=library["fire"]),
    ]
    relations_insert(ways, author=owner)
    found = search(
        SearchRequest(query="berth cost", mode=SearchMode.GRAPH, explain=True), user=owner
    )
    assert "Secret" not in [result.title for result in found.results]
    assert all((result.signals or {})["graph"] is None for result in found.results)


def test_the_large_scope_path_finds_what_the_exact_one_finds(
    library: dict[str, Node], owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = titles("berth in the harbour", owner)
    monkeypatch.setattr(
        _gathering, "route_of", lambda _scope, count: _route.Route(count, count, is_exact=False)
    )
    assert titles("berth in the harbour", owner) == exact
    assert titles("berth", owner, tags=("money",)) == ["Mooring fees"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"query": "  "}, "query"),
        ({"query": "x" * 5000}, "query"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 101}, "limit"),
        ({"query": "x", "release": "one"}, "release"),
        ({"query": "x", "as_of": timezone.now() + timedelta(days=1)}, "as_of"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    owner: User, options: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        search(SearchRequest(**options), user=owner)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize("query", ["'", "\\", "' | !!", "<->", "a:* & b", "%s", "\0", "💥", "的"])
def test_no_query_breaks_the_search(library: dict[str, Node], owner: User, query: str) -> None:
    assert search(SearchRequest(query=query), user=owner).degraded == []
