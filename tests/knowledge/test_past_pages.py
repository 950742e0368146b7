"""The pages of knowledge as it stood at a moment or in a release."""

from datetime import datetime, timedelta
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from django.utils import timezone

from knowledge import services
from knowledge.models import Node, Publication, Space
from project.accounts.models import User
from tests.knowledge.test_time_travel import NEW, OLD, edit, make


@pytest.fixture
def reader(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def ferry(owner: User, space: Space) -> Node:
    make(owner, space, "Pier", "Passengers wait here.")
    return make(owner, space, "Ferry", f"{OLD} It leaves from the [[Pier]].")


@pytest.fixture
def between(owner: User, ferry: Node) -> datetime:
    at = timezone.now()
    edit(owner, ferry, content=NEW, title="New ferry")
    edit(owner, Node.objects.get(title="Pier"), title="Quay")
    return at


def page(node: Node, **query: str) -> str:
    return f"/knowledge/nodes/{node.pk}/?{urlencode(query)}"


def test_a_node_page_shows_the_old_text_with_a_banner(
    reader: Client, ferry: Node, between: datetime
) -> None:
    then = between.isoformat()
    text = reader.get(page(ferry, as_of=then)).content.decode()
    assert "steam ferry" in text
    assert "diesel" not in text
    assert "You see the knowledge as it stood on" in text
    assert f'href="/knowledge/nodes/{ferry.pk}/"' in text  # back to today
    assert "You are reading version" not in text
    pier = Node.objects.get(title="Quay")
    kept = f"/knowledge/nodes/{pier.pk}/?version=1&amp;as_of={quote(then, safe='')}"
    assert text.count(kept) == 2  # the link in the text, and the neighbour
    assert ">Pier</a>" in text
    assert f"as_of={quote(then)}" in text.partition("node-place")[2][:400]
    today = reader.get(page(ferry)).content.decode()
    assert "data-moment" not in today


def test_the_version_of_the_address_has_to_be_that_of_the_state(
    reader: Client, ferry: Node, between: datetime
) -> None:
    then = between.isoformat()
    assert reader.get(page(ferry, as_of=then, version="1")).status_code == 200
    assert reader.get(page(ferry, as_of=then, version="2")).status_code == 404
    passage = f"/knowledge/nodes/{ferry.pk}/passage/?" + urlencode(
        {"as_of": then, "version": "1", "start": "0", "end": "9"}
    )
    text = reader.get(passage).content.decode()
    assert "As it stood on" in text
    assert f"as_of={quote(then)}" in text


def test_archived_and_deleted_nodes_can_be_read_as_they_stood(
    client: Client, owner: User, teammate: User, stranger: User, ferry: Node, between: datetime
) -> None:
    address = page(ferry, as_of=between.isoformat())
    services.node_archive(acting_user=owner, node=Node.objects.get(pk=ferry.pk))
    client.force_login(teammate)
    assert "steam ferry" in client.get(address).content.decode()
    services.node_delete(acting_user=owner, node=Node.objects.get(pk=ferry.pk))
    text = client.get(address).content.decode()
    assert "steam ferry" in text
    assert 'href="/knowledge/">' in text.partition("data-moment")[2]
    assert client.get(page(ferry)).status_code == 404
    client.force_login(stranger)
    assert client.get(address).status_code == 404
    client.logout()
    assert client.get(address).status_code == 302


def test_a_state_that_cannot_be_is_not_found(reader: Client, ferry: Node) -> None:
    for query in ({"as_of": "soon"}, {"as_of": "2999-01-01"}, {"release": "none"}):
        assert reader.get(page(ferry, **query)).status_code == 404


def test_browsing_keeps_the_state(
    reader: Client, owner: User, ferry: Node, between: datetime
) -> None:
    then = between.isoformat()
    listed = reader.get("/knowledge/", {"as_of": then}).content.decode()
    assert ">Ferry</span>" in listed
    assert "New ferry" not in listed
    found = reader.get("/knowledge/", {"as_of": then, "q": "steam"}).content.decode()
    assert "You see the knowledge as it stood on" in found
    assert f"version=1&amp;start=0&amp;end={len(ferry.content)}&amp;as_of=" in found
    assert 'href="/knowledge/?q=steam"' in found  # back to today
    assert f'name="as_of" value="{then[:10]}"' in found
    nothing = reader.get("/knowledge/", {"as_of": then, "q": "diesel cars"}).content.decode()
    assert "New ferry" not in nothing


def test_browsing_says_what_is_wrong_with_a_moment(reader: Client, ferry: Node) -> None:
    early = reader.get("/knowledge/", {"as_of": "2001-01-01", "q": "ferry"})
    assert early.status_code == 200
    assert "There was no knowledge yet" in early.content.decode()
    odd = reader.get("/knowledge/", {"as_of": "soon"}).content.decode()
    assert 'role="alert"' in odd


def test_a_release_is_offered_and_browsed(
    reader: Client, owner: User, space: Space, ferry: Node
) -> None:
    release = services.release_create(acting_user=owner, space=space, name="Spring")
    edit(owner, ferry, content=NEW, title="New ferry")
    assert f'<option value="{release.pk}">Spring' in reader.get("/knowledge/").content.decode()
    listed = reader.get("/knowledge/", {"release": str(release.pk)}).content.decode()
    assert "You see the knowledge of the release “Spring”" in listed
    assert f"version=1&amp;release={release.pk}" in listed
    text = reader.get(page(ferry, release="Spring")).content.decode()
    assert "steam ferry" in text


def test_a_day_stands_for_its_end(reader: Client, owner: User, ferry: Node) -> None:
    two_days = timezone.now() - timedelta(days=2)
    Publication.objects.update(started_at=two_days)
    yesterday = str((timezone.now() - timedelta(days=1)).date())
    assert ">Ferry</span>" in reader.get("/knowledge/", {"as_of": yesterday}).content.decode()
    before = str((two_days - timedelta(days=1)).date())
    assert ">Ferry</span>" not in reader.get("/knowledge/", {"as_of": before}).content.decode()
