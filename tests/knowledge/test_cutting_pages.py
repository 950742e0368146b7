"""Seeing how a text is cut, in the admin and over REST; and choosing it for a kind."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from knowledge import services
from knowledge.models import Chunk, Kind, Node, Source, Space
from project.accounts.models import User
from tests.conftest import Api
from tests.knowledge.test_cutting import FAQ
from tests.support.admin_client import signed_in
from tests.support.files import make_pdf

PAGE, REST = "/admin/knowledge/kind/cutting/", "/api/v1/chunk-preview/"


@pytest.fixture
def kind(owner: User, space: Space) -> Kind:
    chunking = {"strategy": "questions"}
    return services.kind_create(acting_user=owner, space=space, name="faq", chunking=chunking)


@pytest.fixture
def node(owner: User, space: Space, kind: Kind) -> Node:
    return services.node_create(
        acting_user=owner, space=space, title="Help", content=FAQ, kind="faq"
    )


def test_a_node_is_shown_as_its_kind_cuts_it_and_as_asked(owner: User, node: Node) -> None:
    client = signed_in(owner)
    page = client.get(f"{PAGE}?node={node.pk}").content.decode()
    assert "Now: Questions and answers" in page
    assert "Q: Is there a ferry?" in page
    sent = {"strategy": "sentences", "sentences": "2", "rows": "9", "title": "Help", "text": FAQ}
    answer = client.post(f"{PAGE}?node={node.pk}", sent)
    page = answer.content.decode()
    assert "As asked: Window of sentences" in page
    assert "Repeated from the passage before:" in page
    assert "Help\nHelp &gt; Fares" in page  # what is embedded: title, headings
    now, asked = answer.context["sides"]
    assert now["counts"]["passages"] == 5
    assert asked["counts"]["tokens_repeated"] > 0
    assert not Chunk.objects.exists()
    link = f"/admin/knowledge/kind/cutting/?node={node.pk}"
    assert link in client.get(f"/admin/knowledge/node/{node.pk}/change/").content.decode()


def test_a_file_is_read_cut_and_not_kept(owner: User, space: Space) -> None:
    client = signed_in(owner)
    data = make_pdf([["# Ferry", "It leaves at nine."], ["It comes at ten."]])
    file = SimpleUploadedFile("plan.pdf", data, "application/pdf")
    answer = client.post(PAGE, {"strategy": "structure", "file": file})
    assert [each.text for each in answer.context["sides"][0]["passages"]] == [
        "# Ferry\n\nIt leaves at nine.",
        "It comes at ten.",
    ]
    assert not Source.objects.exists()
    bad = SimpleUploadedFile("plan.pdf", b"MZ", "application/pdf")
    answer = client.post(PAGE, {"strategy": "structure", "file": bad})
    assert "its content is of another type" in answer.context["form"].errors["file"][0]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"strategy": "structure", "text": ""}, "text"),
        ({"strategy": "magic", "text": "x"}, "strategy"),
        ({"strategy": "structure", "text": "x", "max_tokens": "5"}, "max_tokens"),
        ({"strategy": "sentences", "text": "x", "sentences": "2", "repeated": "2"}, "repeated"),
    ],
)
def test_what_cannot_be_tried_is_told_at_the_field(
    owner: User, space: Space, sent: dict[str, str], field: str
) -> None:
    answer = signed_in(owner).post(PAGE, sent)
    assert list(answer.context["form"].errors) == [field]
    assert not answer.context["sides"]


def test_only_curators_see_it(
    teammate: User, stranger: User, space: Space, node: Node, admin_user: User
) -> None:
    for user in (teammate, stranger):
        user.is_staff = True
        user.save()
        assert signed_in(user).get(PAGE).status_code in (302, 404)
    assert signed_in(admin_user).get(f"{PAGE}?node={node.pk}").status_code == 200


def test_a_manager_chooses_how_a_kind_is_cut(
    client: Client, owner: User, space: Space, kind: Kind
) -> None:
    client = signed_in(owner)
    address = f"/admin/knowledge/kind/{kind.pk}/change/"
    page = client.get(address).content.decode()
    assert '<option value="questions" selected>' in page
    assert f"/admin/knowledge/kind/cutting/?kind={kind.pk}" in page
    sent: dict[str, Any] = {"title": "", "description": "", "metadata_schema": "{}"}
    sent |= {"strategy": "table_rows", "rows": "2", "sentences": "7"}
    assert client.post(address, sent).status_code == 302
    kind.refresh_from_db()
    assert kind.chunking == {"strategy": "table_rows", "rows": 2}
    answer = client.post(address, sent | {"rows": "99"})
    assert "from 1 to 50" in answer.content.decode()


def test_over_rest_a_curator_sees_how_a_text_is_cut(
    api: Api, teammate_api: Api, stranger_api: Api, space: Space, node: Node
) -> None:
    body: dict[str, Any] = {"node": str(node.pk), "limit": 2}
    answer = api.post(REST, body).json()
    assert answer["chunking"]["strategy"] == answer["present_chunking"]["strategy"] == "questions"
    assert (len(answer["passages"]), answer["next_offset"]) == (2, 2)
    assert all(each["is_shared"] for each in answer["passages"])
    body = {"text": FAQ, "title": "Help", "chunking": {"strategy": "whole"}, "space": str(space.pk)}
    answer = api.post(REST, {**body, "kind": "faq"}).json()
    assert (answer["counts"]["passages"], answer["present"]["passages"]) == (1, 5)
    (whole,) = answer["passages"]
    assert whole["embedded"].startswith("Help\nHelp")

    assert api.post(REST, {}).json()["error"]["code"] == "required"
    wrong = api.post(REST, {"text": "x", "chunking": {"strategy": "whole", "rows": 1}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "chunking_invalid")
    assert teammate_api.post(REST, body).status_code == 403
    assert teammate_api.post(REST, {"text": "x"}).status_code == 403
    for own in (body, {"node": str(node.pk)}):
        assert stranger_api.post(REST, own).status_code == 404
    kinds = f"/api/v1/kinds/{Kind.objects.get().pk}/"
    changed = api.patch(kinds, {"chunking": {"strategy": "heading", "level": 3}}).json()
    assert changed["chunking"] == {"strategy": "heading", "level": 3}
    refused = api.patch(kinds, {"chunking": {"strategy": "heading", "level": 9}}).json()
    assert refused["error"]["code"] == "chunking_invalid"
