"""The memory page: a person sees, finds, switches off and deletes what is remembered of them."""

import pytest
from django.test import Client

from memory.models import Episode
from project.accounts.models import User


def remembered(user: User, content: str) -> Episode:
    return Episode.objects.create(user=user, session="one", content=content)


@pytest.fixture
def reader(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def test_it_lists_ones_own_memories_and_no_others(
    reader: Client, owner: User, stranger: User
) -> None:
    remembered(owner, "I sail on Thursdays.")
    remembered(stranger, "I keep bees.")
    page = reader.get("/memory/").content.decode()
    assert "I sail on Thursdays." in page
    assert "bees" not in page


def test_memories_are_found_by_their_words(reader: Client, owner: User) -> None:
    remembered(owner, "I sail on Thursdays.")
    remembered(owner, "I like short answers.")
    page = reader.get("/memory/", {"q": "THURSDAYS sail"}).content.decode()
    assert "I sail" in page
    assert "short answers" not in page


def test_one_memory_can_be_deleted(reader: Client, owner: User) -> None:
    gone, kept = remembered(owner, "One."), remembered(owner, "Two.")
    assert reader.post(f"/memory/{gone.pk}/delete/").status_code == 302
    assert list(Episode.objects.all()) == [kept]


def test_nobody_deletes_the_memory_of_another(reader: Client, stranger: User) -> None:
    theirs = remembered(stranger, "I keep bees.")
    assert reader.post(f"/memory/{theirs.pk}/delete/").status_code == 404
    assert Episode.objects.filter(pk=theirs.pk).exists()


def test_all_can_be_deleted_at_once(reader: Client, owner: User, stranger: User) -> None:
    remembered(owner, "One.")
    remembered(owner, "Two.")
    theirs = remembered(stranger, "Three.")
    page = reader.post("/memory/clear/", follow=True).content.decode()
    assert "2 memories are deleted." in page
    assert list(Episode.objects.all()) == [theirs]


def test_remembering_can_be_switched_off_and_on(reader: Client, owner: User) -> None:
    reader.post("/memory/switch/")
    owner.refresh_from_db()
    assert not owner.remembers
    reader.post("/memory/switch/", {"remembers": "on"})
    owner.refresh_from_db()
    assert owner.remembers


@pytest.mark.parametrize("address", ["/memory/clear/", "/memory/switch/"])
def test_looking_changes_nothing(reader: Client, owner: User, address: str) -> None:
    remembered(owner, "One.")
    assert reader.get(address).status_code == 405
    assert Episode.objects.count() == 1
