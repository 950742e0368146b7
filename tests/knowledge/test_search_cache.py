"""Searches that are answered from the cache: never stale, never somebody else's."""

import datetime
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from knowledge import services
from knowledge.choices import NodeStatus, SearchMode, Visibility
from knowledge.indexing import index_node
from knowledge.models import Node, Relation, Space
from knowledge.retrieval import (
    _cache,
    _search,
    retrieve_passages,
    search,
    searches_changed,
    searches_warm,
    tally,
)
from knowledge.revisions import changes_fold
from knowledge.types import SearchRequest
from project.accounts.choices import Role
from project.accounts.models import User
from tests.conftest import grant

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = ["rope", "buoy", "crane", "berth", "tide", "anchor", "ferry", "harbour", "mast", "sail"]


@pytest.fixture(autouse=True)
def quick_and_empty(settings: Settings) -> Iterator[None]:
    settings.ACERVO_EMBEDDING = "hashing"
    _cache.cache.clear()
    yield
    _cache.cache.clear()


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counted: Counter[str] = Counter()
    monkeypatch.setattr(tally, "count", lambda level: counted.update([level]))
    return counted


def publish(owner: User, space: Space, title: str, content: str, **fields: Any) -> Node:
    node = services.node_create(
        acting_user=owner,
        space=space,
        title=title,
        content=content,
        status=NodeStatus.PUBLISHED,
        **fields,
    )
    index_node(node.pk)
    return node


def titles(query: str, user: User, **filters: Any) -> list[str]:
    return [each.title for each in search(SearchRequest(query, **filters), user=user).results]


def test_what_is_found_again_is_the_same_and_costs_no_search(
    owner: User, space: Space, levels: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner, space, "Berth 4", "# Power\n\nBerth 4 has **shore** power.", external_id="B-4")
    request = SearchRequest("shore powre", tags=(), limit=3)
    fresh = search(request, user=owner, fresh=True)
    first = search(request, user=owner)
    asked = [retrieve_passages("shore power", user=owner, limit=2)]
    monkeypatch.setattr(_search, "find", None)  # nothing is searched
    second = search(request, user=owner)
    _cache.cache.clear()
    third = search(request, user=owner)
    asked += [retrieve_passages("shore power", user=owner, limit=2) for _ in range(2)]
    assert fresh.results == first.results == second.results == third.results != []
    assert fresh.corrections == first.corrections == second.corrections == third.corrections != ()
    assert asked[0] == asked[1] == asked[2]
    assert asked[0][0].signals["keyword"]["terms"]
    assert levels == {"miss": 2, "l1": 2, "l2": 2}
    second.results.clear()
    asked[0][0].signals.clear()  # type: ignore[attr-defined]
    assert search(request, user=owner).results == fresh.results
    with pytest.raises(TypeError):
        search(SearchRequest("shore power", limit=4), user=owner)  # another question


class Writers:
    """Everything that can change what a search finds, done at random."""

    def __init__(self, owner: User, stranger: User, spaces: list[Space]) -> None:
        self.owner, self.stranger, self.spaces = owner, stranger, spaces
        self.luck = random.Random(20)
        self.acts: list[Callable[[], object]] = [
            self.publish,
            self.retitle,
            self.rewrite,
            self.reclassify,
            self.set_validity,
            self.relate,
            self.unrelate,
            self.archive,
            self.publish_again,
            self.erase,
            self.open_or_close,
            self.let_in_or_out,
            changes_fold,
        ]

    def text(self) -> str:
        return " ".join(self.luck.choices(WORDS, k=6)).capitalize() + "."

    def node(self) -> Node:
        return self.luck.choice(list(Node.objects.order_by("created_at", "pk")))

    def publish(self) -> None:
        publish(self.owner, self.luck.choice(self.spaces), self.text(), self.text())

    def update(self, **changes: Any) -> None:
        node = self.node()
        services.node_update(acting_user=self.owner, node=node, **changes)
        if self.luck.random() < 0.5:
            index_node(node.pk)

    def retitle(self) -> None:
        self.update(title=self.text())

    def rewrite(self) -> None:
        self.update(content=self.text(), tags=[self.luck.choice("ab")])

    def reclassify(self) -> None:
        kind = self.luck.choice(["faq", "policy"])
        self.update(metadata={"x": self.luck.randint(1, 2)}, kind=kind)

    def set_validity(self) -> None:
        week = datetime.timedelta(days=7)
        self.update(valid_from=timezone.now() + self.luck.choice([-week, week]), valid_until=None)

    def relate(self) -> None:
        one, other = self.luck.sample(list(Node.objects.order_by("created_at", "pk")), 2)
        if not Relation.objects.filter(source=one, target=other).exists():
            weight = self.luck.random()
            services.relation_create(
                acting_user=self.owner, source=one, target=other, weight=weight
            )

    def unrelate(self) -> None:
        if relation := Relation.objects.order_by("created_at").first():
            services.relation_delete(acting_user=self.owner, relation=relation)

    def archive(self) -> None:
        services.node_archive(acting_user=self.owner, node=self.node())

    def publish_again(self) -> None:
        node = self.node()
        services.node_publish(acting_user=self.owner, node=node)
        index_node(node.pk)

    def erase(self) -> None:
        node = self.node()
        services.versions_erase(
            acting_user=self.owner, space=node.space, node_id=node.pk, reason="A wish."
        )
        self.publish()

    def open_or_close(self) -> None:
        choice = self.luck.choice([Visibility.MEMBERS, Visibility.SIGNED_IN, Visibility.PUBLIC])
        Space.objects.filter(pk=self.luck.choice(self.spaces).pk).update(visibility=choice)

    def let_in_or_out(self) -> None:
        if self.luck.random() < 0.5:
            grant(self.luck.choice(self.spaces), self.stranger, Role.READER)
        else:
            self.stranger.groups.clear()


def test_whatever_is_written_it_is_never_stale(
    owner: User, stranger: User, space: Space, levels: Counter[str]
) -> None:
    """After each of many writes, everybody finds with the cache what they find without."""
    other = Space.objects.create(name="Quay", slug="quay", visibility=Visibility.SIGNED_IN)
    grant(other, owner, Role.MANAGER)
    writers = Writers(owner, stranger, [space, other])
    requests = [
        SearchRequest("rope at the berth, tide or crane"),
        SearchRequest("ferry anchor", mode=SearchMode.GRAPH, limit=5),
        SearchRequest("crane buoy", tags=("a",)),
    ]
    for _ in range(5):
        writers.publish()
    found = 0
    for step in range(2 * len(writers.acts)):
        act = writers.acts[step] if step < len(writers.acts) else writers.luck.choice(writers.acts)
        act()
        for user in (owner, stranger):
            for request in requests if step % 8 == 0 else requests[:1]:
                fresh = search(request, user=user, fresh=True).results
                assert search(request, user=user).results == fresh, (step, act, user)
                found += len(fresh)
    assert found > 100
    assert levels["l1"] > 5  # where a write changed nothing for somebody


def test_nobody_is_shown_what_another_may_read(
    owner: User, teammate: User, stranger: User, space: Space, levels: Counter[str]
) -> None:
    publish(owner, space, "Secret berth", "The berth of the secret ferry.")
    query = "secret ferry"
    assert titles(query, owner) == titles(query, teammate) == ["Secret berth"]
    assert levels == {"miss": 1, "l1": 1}  # who may read the same shares the answer
    assert titles(query, stranger) == titles(query, stranger, spaces=(space.pk,)) == []
    assert retrieve_passages(query, user=stranger) == []
    teammate.groups.clear()
    assert titles(query, teammate) == []
    grant(space, stranger, Role.READER)
    assert titles(query, stranger) == ["Secret berth"]
    Space.objects.filter(pk=space.pk).update(visibility=Visibility.SIGNED_IN)
    assert titles(query, teammate) == ["Secret berth"]
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert titles(query, User.objects.get(pk=owner.pk)) == []


def test_a_right_that_is_given_while_it_searches_is_not_kept_for_others(
    owner: User, stranger: User, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_space = Space.objects.create(name="Quay", slug="quay", visibility=Visibility.SIGNED_IN)
    grant(open_space, owner, Role.MANAGER)
    publish(owner, open_space, "Open rope", "A rope.")
    publish(owner, space, "Closed rope", "A rope.")
    original = _search.find

    def overtaken(*args: Any, **options: Any) -> Any:
        grant(space, stranger, Role.READER)
        return original(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(_search, "find", overtaken)
        assert titles("rope", stranger) == ["Open rope"]
    stranger.groups.clear()
    assert titles("rope", stranger) == ["Open rope"]

    def changed(*args: Any, **options: Any) -> Any:
        found = original(*args, **options)
        Node.objects.filter(title="Open rope").update(title="Old rope")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_search, "find", changed)
        titles("a rope", stranger)
    Node.objects.filter(title="Old rope").update(title="New rope")
    assert titles("a rope", stranger) == ["New rope"]


def test_a_validity_that_begins_or_ends_is_seen_in_time(owner: User, space: Space) -> None:
    until = timezone.now() + datetime.timedelta(seconds=1.5)
    publish(owner, space, "Summer tides", "Tides.", valid_until=until)
    publish(owner, space, "Winter tides", "Tides.", valid_from=until)
    while timezone.now() < until - datetime.timedelta(seconds=0.1):
        found = titles("tides", owner)
        assert found == ["Summer tides"] or timezone.now() >= until
    time.sleep(max(0.0, (until - timezone.now()).total_seconds()) + 0.02)
    assert titles("tides", owner) == ["Winter tides"]


def test_inside_a_transaction_nothing_is_kept(owner: User, space: Space) -> None:
    publish(owner, space, "Rope", "A rope.")
    with transaction.atomic():
        Node.objects.update(title="Never seen")
        assert titles("rope", owner) == ["Never seen"]
        transaction.set_rollback(True)
    assert titles("rope", owner) == ["Rope"]


def test_what_lacks_a_leg_or_is_of_another_state_is_not_kept(
    owner: User, space: Space, levels: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(owner, space, "Rope", "A rope.")
    original = _search.find

    def lacking(*args: Any, **options: Any) -> Any:
        found = original(*args, **options)
        found.lack("vector")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_search, "find", lacking)
        assert search(SearchRequest("rope"), user=owner).degraded == ["vector"]
    assert search(SearchRequest("rope"), user=owner).degraded == []
    search(SearchRequest("rope", explain=True), user=owner)
    search(SearchRequest("rope", as_of=timezone.now()), user=owner)
    assert levels == {"miss": 2, "bypass": 2}


def test_the_usual_searches_are_ready_after_a_publish(
    owner: User, stranger: User, space: Space, levels: Counter[str]
) -> None:
    publish(owner, space, "Rope", "The long rope of the harbour.")
    raw = redis.Redis.from_url(django_settings.REDIS_URL)
    for _trip in range(2):  # what searches of other tests have left in this process
        _cache.cache.send_riders()
    raw.flushdb()
    for number in range(3):
        titles("the longest rope of all", owner)
        retrieve_passages("the longest rope of all", user=owner)
        if number == 0:
            titles("asked by one person only", owner)
        _cache.cache.send_riders()
    _cache.cache.send_riders()
    held = [raw.get(name) or b"" for name in raw.keys("acervo:asked:search:*")]
    assert len(held) == 2
    kept = b" ".join([*raw.keys(), *held])
    assert b"rope" not in kept
    assert b"person" not in kept
    assert all(raw.ttl(name) > 0 for name in raw.keys("acervo:asked:*"))

    publish(owner, space, "Rope 2", "The longest rope of all.")
    searches_changed(space.pk)
    levels.clear()
    assert searches_warm(space.pk) == 2
    assert levels == {"miss": 2}
    _cache.cache.clear()  # another process
    assert titles("the longest rope of all", owner)[0] == "Rope 2"
    assert levels["l2"] == 1
    assert titles("the longest rope of all", stranger) == []
    owner.groups.clear()
    publish_count = Node.objects.update(title="Rope 3")
    assert publish_count == 2
    levels.clear()
    searches_warm(space.pk)
    assert levels == {}  # they may see nothing of it any more
