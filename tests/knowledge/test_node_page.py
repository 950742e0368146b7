"""The reading page of a node, the passage for the side panel, source files and browsing."""

import copy
import hashlib
import uuid

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from knowledge import reading
from knowledge.choices import NodeStatus, Visibility
from knowledge.models import Node, Relation, Source, Space
from knowledge.relating.related import related_of
from knowledge.relation_writing import relations_insert
from knowledge.services import node_create, node_publish, node_update, node_versions_visible_to
from knowledge.writing import node_write
from project.accounts.models import User

TEXT = """Before the first heading.

# Tides

High water is at noon.

## Springs

They come with the **full** moon. See [[Moon]] and [[Nothing]].
"""


@pytest.fixture
def node(owner: User, space: Space) -> Node:
    return node_create(
        acting_user=owner,
        space=space,
        title="Tide table",
        content=TEXT,
        tags=["sea"],
        status=NodeStatus.PUBLISHED,
    )


def page(node: Node) -> str:
    return f"/knowledge/nodes/{node.pk}/"


@pytest.fixture
def reader(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


def test_it_shows_the_text_with_who_wrote_it(reader: Client, node: Node) -> None:
    text = reader.get(page(node)).content.decode()
    assert "Tide table" in text
    assert "<strong>full</strong>" in text
    assert "Version 1" in text
    assert "owner" in text
    assert "sea" in text


def test_it_marks_the_passage_that_the_address_names(reader: Client, node: Node) -> None:
    start = TEXT.index("High")
    address = f"{page(node)}?version=1&start={start}&end={start + 10}"
    text = reader.get(address).content.decode()
    assert '<mark id="passage" class="passage">High water</mark>' in text


@pytest.mark.parametrize("span", ["start=5&end=2", "start=0&end=99999", "start=a&end=b", "start=1"])
def test_a_damaged_passage_is_not_marked(reader: Client, node: Node, span: str) -> None:
    response = reader.get(f"{page(node)}?{span}")
    assert response.status_code == 200
    assert "<mark" not in response.content.decode()


def test_an_old_version_says_that_there_is_a_newer_one(
    reader: Client, owner: User, node: Node
) -> None:
    node_update(acting_user=owner, node=node, content="New words.", reason="Storm")
    old = reader.get(f"{page(node)}?version=1").content.decode()
    assert "You are reading version 1; the current one is 2." in old
    assert "High water is at noon." in old
    new = reader.get(page(node)).content.decode()
    assert "You are reading" not in new
    assert "New words." in new
    assert "Storm" in new


@pytest.mark.parametrize("version", ["9", "x", "-1", "1e3", "99999999999999999999"])
def test_a_version_that_is_not_there_is_not_found(reader: Client, node: Node, version: str) -> None:
    assert reader.get(page(node), {"version": version}).status_code == 404


def test_a_stranger_finds_nothing_and_a_visitor_is_asked_to_sign_in(
    client: Client, stranger: User, node: Node
) -> None:
    for address in (page(node), f"/knowledge/nodes/{uuid.uuid4()}/"):
        response = client.get(address)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/sign-in/?next=/knowledge/nodes/")
        assert client.get(f"{address}passage/").status_code == 401
    client.force_login(stranger)
    assert client.get(page(node)).status_code == 404
    assert client.get(f"{page(node)}passage/").status_code == 404


def test_a_visitor_reads_published_nodes_of_public_spaces_only(
    client: Client, owner: User, space: Space, node: Node
) -> None:
    space.visibility = Visibility.PUBLIC
    space.save()
    assert client.get(page(node)).status_code == 200
    draft = node_create(acting_user=owner, space=space, title="Draft", content="Secret.")
    assert client.get(page(draft)).status_code == 302


def test_a_reader_opens_the_versions_that_were_public_and_no_draft(
    client: Client, owner: User, stranger: User, space: Space
) -> None:
    Space.objects.filter(pk=space.pk).update(visibility=Visibility.SIGNED_IN)
    made = node_create(acting_user=owner, space=space, title="Tides", content="A rough draft.")
    node_update(acting_user=owner, node=made, content="Fit to print.")
    node_publish(acting_user=owner, node=made)
    client.force_login(stranger)
    assert client.get(page(made) + "?version=1").status_code == 404
    text = client.get(page(made)).content.decode()
    assert "Fit to print." in text
    assert "version=1" not in text


def test_wiki_links_lead_to_nodes_that_the_reader_may_open(
    reader: Client, owner: User, space: Space, node: Node
) -> None:
    moon = node_create(acting_user=owner, space=space, title="Moon", content="Round.")
    text = reader.get(page(node)).content.decode()
    assert f'<a class="wiki-link" href="/knowledge/nodes/{moon.pk}/?version=1">Moon</a>' in text
    assert '<span class="wiki-link wiki-link-missing">Nothing</span>' in text


def test_related_nodes_are_named_once_with_all_the_ways(
    reader: Client, owner: User, space: Space, node: Node
) -> None:
    other = node_create(acting_user=owner, space=space, title="Pier", content="See [[Tide table]].")
    relations_insert([Relation(source=node, target=other, kind="part_of")], author=owner)
    related = related_of(node, owner)
    assert [(each.node, set(each.ways)) for each in related] == [
        (other, {"this is part of it", "links here"})
    ]
    assert reader.get(page(node)).content.decode().count(">Pier</a>") == 1


def test_the_passage_comes_with_its_headings_and_page(
    reader: Client, owner: User, node: Node
) -> None:
    start = TEXT.index("They")
    pages = [{"page": 1, "start": 0, "end": start}, {"page": 2, "start": start, "end": 999}]
    before = copy.copy(node)
    node.tags = ["harbour"]
    node_write(node, before, author=owner, anchors=pages)
    address = f"{page(node)}passage/?version=2&start={start}&end={start + 14}"
    text = reader.get(address).content.decode()
    assert "They come with" in text
    assert text.index("Tides") < text.index("Springs")
    assert "page 2" in text
    assert f"?version=2&amp;start={start}&amp;end={start + 14}#passage" in text
    assert "<html" not in text


def test_the_headings_above_a_place_are_those_of_its_branch() -> None:
    text = "# A\n\n## B\n\none\n\n## C\n\ntwo\n\n# D\n\nthree\n"
    assert reading.heading_path(text, text.index("one")) == ("A", "B")
    assert reading.heading_path(text, text.index("two")) == ("A", "C")
    assert reading.heading_path(text, text.index("three")) == ("D",)
    assert reading.heading_path(text, 0) == ("A",)


def test_a_long_text_is_cut_around_the_passage(owner: User, space: Space) -> None:
    text = "\n\n".join(f"# Part {number}\n\n" + "words " * 200 for number in range(40))
    node = node_create(acting_user=owner, space=space, title="Long", content=text)
    version = node_versions_visible_to(owner, node).get()
    start = text.index("# Part 20") + 11
    passage = reading.passage_of(version, (start, start + 5), reading.wiki_links(node, owner))
    assert passage.is_cut_before
    assert passage.is_cut_after
    assert passage.html.count("<mark") == 1
    assert "Part 20" in passage.html
    assert "Part 0<" not in passage.html
    assert "Part 39" not in passage.html
    assert passage.headings == ("Part 20",)


@pytest.fixture
def source(owner: User, space: Space) -> Source:
    body = b"<script>alert(1)</script>"
    return Source.objects.create(
        space=space,
        title="A page",
        filename="pagé.html",
        content_type="text/html",
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        file=ContentFile(body, "page.html"),
        created_by=owner,
    )


def test_a_source_file_is_a_download_and_never_a_page(reader: Client, source: Source) -> None:
    response = reader.get(f"/knowledge/sources/{source.pk}/file/")
    assert b"".join(response.streaming_content) == b"<script>alert(1)</script>"
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_source_file_is_for_those_who_may_see_it(
    client: Client, stranger: User, source: Source
) -> None:
    address = f"/knowledge/sources/{source.pk}/file/"
    assert client.get(address).status_code == 302
    client.force_login(stranger)
    assert client.get(address).status_code == 404


def test_browsing_lists_what_the_visitor_may_find(
    client: Client, owner: User, stranger: User, node: Node, space: Space
) -> None:
    node_create(acting_user=owner, space=space, title="Draft of a text", content="Words.")
    client.force_login(stranger)
    assert "Tide table" not in client.get("/knowledge/").content.decode()
    client.force_login(owner)
    listed = client.get("/knowledge/").content.decode()
    assert "Tide table" in listed
    assert "Draft of a text" not in listed
    assert "Tide table" not in client.get("/knowledge/?kind=faq").content.decode()


def test_a_passage_whose_text_changed_leads_to_what_changed(
    client: Client, owner: User, stranger: User, space: Space
) -> None:
    node = node_create(
        acting_user=owner, space=space, title="Tides", content="High water.\n\nAt noon.",
        status="published",
    )  # fmt: skip
    client.force_login(owner)
    passage = f"/knowledge/nodes/{node.pk}/passage/"
    changes = f"/knowledge/nodes/{node.pk}/changes/?from=1"
    assert changes not in client.get(passage, {"version": 1}).content.decode()
    node_update(acting_user=owner, node=node, content="High water.\n\nAt one <b>.")
    page = client.get(passage, {"version": 1, "start": 13, "end": 21}).content.decode()
    assert "The text has changed since: the current version is 2." in page
    assert changes in page
    shown = client.get(changes).content.decode()
    assert "<del>noon</del>" in shown
    assert "&lt;b&gt;" in shown
    assert client.get(f"/knowledge/nodes/{node.pk}/changes/?from=7").status_code == 404
    client.force_login(stranger)
    assert client.get(changes).status_code == 404
