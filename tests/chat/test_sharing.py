"""A conversation shared with a space: for its members, as far as it went, and until taken back."""

import uuid

import pytest
from django.test import Client
from rest_framework.test import APIClient

from chat import services
from chat.models import Citation, Conversation, Share, Turn
from knowledge.models import Node, Space
from knowledge.services import node_create
from project.accounts.choices import Role
from project.accounts.models import User
from tests.chat.test_pages import ask
from tests.conftest import grant, make_user


def node_in(space: Space, user: User, title: str) -> Node:
    return node_create(
        acting_user=user, space=space, title=title, content="Noon.", status="published"
    )


def cite(turn: Turn, node: Node) -> None:
    Citation.objects.create(
        turn=turn, index=1, node=node, cited_id=node.pk, version=1, chunk_id=uuid.uuid4(),
        title=node.title, snippet="Noon.", start=0, end=5,
    )  # fmt: skip


@pytest.fixture
def conversation(owner: User, space: Space) -> Conversation:
    made = Conversation.objects.create(user=owner, space=space, title="Tides")
    cite(ask(made, "When?", "At **noon** [1]."), node_in(space, owner, "Tide table"))
    return made


@pytest.fixture
def share(owner: User, space: Space, conversation: Conversation) -> Share:
    return services.share_put(acting_user=owner, conversation=conversation, space=space.pk)


def page(user: User, share: Share) -> str | None:
    client = Client()
    client.force_login(user)
    response = client.get(share.get_absolute_url())
    return response.content.decode() if response.status_code == 200 else None


def test_members_of_the_space_read_it_and_nobody_else(
    teammate: User, stranger: User, share: Share, client: Client
) -> None:
    text = page(teammate, share)
    assert text is not None
    assert "<strong>noon</strong>" in text
    assert "A conversation of owner" in text
    assert page(stranger, share) is None
    assert client.get(share.get_absolute_url()).status_code == 302
    conversation = share.conversation
    client.force_login(teammate)
    assert client.get(conversation.get_absolute_url()).status_code == 404
    assert client.get(f"/api/v1/conversations/{conversation.pk}/messages/").status_code == 404


def test_what_is_said_later_is_not_shown_until_it_is_shared_anew(
    owner: User, teammate: User, space: Space, share: Share
) -> None:
    newest = share.conversation.messages.last()
    ask(share.conversation, "And a secret?", "Hush.", parent=newest)
    assert "Hush." not in str(page(teammate, share))
    again = services.share_put(acting_user=owner, conversation=share.conversation, space=space.pk)
    assert again.pk == share.pk
    assert "Hush." in str(page(teammate, again))


def test_an_answer_from_texts_that_a_reader_may_not_open_is_withheld_with_all_that_follow(
    owner: User, teammate: User, space: Space, conversation: Conversation
) -> None:
    vault = Space.objects.create(name="Vault", slug="vault")
    grant(vault, owner, Role.MANAGER)
    secret = node_in(vault, owner, "Combination")
    uncited = {"passages": [{"node": str(secret.pk), "title": "Combination"}]}
    turn = ask(
        conversation, "The code?", "4711.", parent=conversation.messages.last(), trace=uncited
    )
    ask(conversation, "Backwards?", "1174.", parent=turn.answer)
    share = services.share_put(acting_user=owner, conversation=conversation, space=space.pk)
    text = str(page(teammate, share))
    assert "noon" in text
    assert "Backwards?" in text
    for hidden in ("4711", "1174", "Combination"):
        assert hidden not in text
    assert text.count("made from texts that you may not read") == 2
    assert "1174" in str(page(owner, share))


def test_a_link_that_is_taken_back_opens_nothing(
    owner: User, teammate: User, share: Share, client: Client
) -> None:
    client.force_login(owner)
    form = client.get(f"{share.conversation.get_absolute_url()}share/")
    assert str(share.pk) in form.content.decode()
    client.post(f"{share.conversation.get_absolute_url()}share/", {"what": "revoke"})
    assert page(teammate, share) is None
    assert not Share.objects.exists()


def test_a_link_ends_when_either_of_them_may_no_longer_read_the_space(
    owner: User, teammate: User, share: Share
) -> None:
    teammate.groups.clear()
    assert page(teammate, share) is None
    reader = make_user("reader")
    grant(share.space, reader, Role.READER)
    assert page(reader, share) is not None
    owner.groups.clear()
    assert page(reader, share) is None


def test_it_is_shared_with_spaces_of_ones_own_only(
    owner: User, teammate: User, space: Space, conversation: Conversation
) -> None:
    vault = Space.objects.create(name="Vault", slug="vault")
    api = APIClient()
    api.force_authenticate(owner)
    address = f"/api/v1/conversations/{conversation.pk}/share/"
    assert api.get(address).status_code == 404
    assert api.put(address, {"space": str(vault.pk)}, format="json").status_code == 404
    made = api.put(address, {"space": str(space.pk)}, format="json").json()
    assert api.get(address).json() == made
    api.force_authenticate(teammate)
    assert api.get(address).status_code == 404
    assert api.delete(address).status_code == 404
    api.force_authenticate(owner)
    assert api.delete(address).status_code == 204
    assert api.get(address).status_code == 404


def test_in_portuguese_to_share_is_no_part_of_a_whole(
    owner: User, conversation: Conversation, client: Client
) -> None:
    client.force_login(owner)
    page = client.get(f"/c/{conversation.pk}/share/", headers={"accept-language": "pt-br"})
    assert "Compartilhar</button>" in page.content.decode()
