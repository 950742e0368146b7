"""Files of one conversation: read, found there and nowhere else, shown, and gone with it."""

import datetime
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from chat import tasks
from chat.answer_cache.keys import key_of
from chat.answering.grounding import retrieve
from chat.attaching.reading import attachment_read
from chat.choices import TurnRoute, TurnStatus
from chat.claiming import Claim, turn_claim
from chat.dispatching.dispatcher import dispatch
from chat.finishing import Ending, turn_finish
from chat.models import Attachment, AttachmentPassage, Conversation, Turn
from chat.services import Sent, conversation_create, share_put
from chat.sharing import shared_items
from chat.types import AnswerCitation, AnswerDraft
from knowledge.models import Chunk, Node, Space
from project.accounts.models import User
from project.inference.models import ModelEndpoint
from tests.conftest import Api

FERRY = b"# Ferry\n\nThe ferry to Tavrin sails at nine.\n\n## Prices\n\nA ticket costs 14 crowns.\n"
Ask = Callable[..., Sent]


@pytest.fixture(autouse=True)
def words_only(settings: Settings, db: None) -> None:
    settings.ACERVO_EMBEDDING = "hashing"


def attach(
    api: Api, conversation: Conversation, name: str = "ferry.md", data: bytes = FERRY
) -> Any:
    return api.post(
        f"/api/v1/conversations/{conversation.pk}/attachments/",
        {"file": SimpleUploadedFile(name, data)},
        format="multipart",
    )


def read(answer: Any) -> Attachment:
    """Read an attached file as a worker does."""
    assert answer.status_code == 202, answer.json()
    attachment_read(uuid.UUID(answer.json()["id"]))
    return Attachment.objects.get(pk=answer.json()["id"])


def claimed(sent: Sent) -> Claim:
    ModelEndpoint.objects.get_or_create(
        name="good", defaults={"model_name": "good", "base_url": "http://127.0.0.1:9/v1"}
    )
    dispatch([sent.turn.pk])
    claim = turn_claim(sent.turn.pk, agent="test")
    assert claim is not None
    return claim


def answered(sent: Sent) -> Turn:
    """Answer with the best passage."""
    claim = claimed(sent)
    best = retrieve(claim.request, claim.request.question).passages[0]
    draft = AnswerDraft(route=TurnRoute.AI, model="good", text=f"{best.text} [1]")
    draft.trace = {"passages": [{"node": str(best.node), "version": best.version}]}
    draft.citations.append(
        AnswerCitation(
            1, str(best.node), best.version, str(best.chunk), best.title, best.text[:200],
            best.start, best.end, None, best.url,
        )
    )  # fmt: skip
    turn_finish(claim, draft, Ending(TurnStatus.COMPLETED), last_seq=3)
    return Turn.objects.get(pk=sent.turn.pk)


def test_a_file_is_read_found_cited_and_opened(
    api: Api, client: Client, owner: User, conversation: Conversation, ask: Ask
) -> None:
    row = read(attach(api, conversation))
    assert (row.status, row.data, row.error_message) == ("ready", None, "")
    assert attach(api, conversation).json()["id"] == str(row.pk)
    turn = answered(ask("What does a ticket for the ferry cost?"))
    citation = turn.citations.get()
    assert (citation.node, citation.version, citation.cited_id) == (None, 0, row.pk)
    assert row.content[citation.start : citation.end] == citation.snippet
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/c/{conversation.pk}/").content.decode()
    address = f"/c/{conversation.pk}/attachments/{row.pk}/?piece=1&amp;start={citation.start}"
    assert address in page
    assert "ferry.md" in page
    piece = client.get(address.replace("&amp;", "&") + f"&end={citation.end}").content.decode()
    assert 'class="passage"' in piece
    assert "14 crowns" in piece
    listed = api.get(f"/api/v1/conversations/{conversation.pk}/attachments/").json()["results"]
    assert [(each["filename"], each["status"], each["error"]) for each in listed] == [
        ("ferry.md", "ready", "")
    ]


def test_it_is_neither_knowledge_nor_found_elsewhere_nor_answered_again(
    api: Api, owner: User, space: Space, conversation: Conversation, ask: Ask
) -> None:
    assert key_of(claimed(ask("When does the bus leave?")).request) is not None
    Turn.objects.update(status=TurnStatus.COMPLETED)
    read(attach(api, conversation))
    assert not Node.objects.exists()
    assert not Chunk.objects.exists()
    question = "What does a ticket for the ferry cost?"
    here = claimed(ask(question)).request
    assert "14 crowns" in retrieve(here, question).passages[0].text
    assert key_of(here) is None
    other = conversation_create(acting_user=owner, space=space.pk)
    elsewhere = replace(here, session=str(other.pk))
    assert retrieve(elsewhere, question).passages == []
    assert key_of(elsewhere) is not None


def test_whoever_names_the_file_gets_it_from_its_beginning(
    api: Api, conversation: Conversation, ask: Ask
) -> None:
    read(attach(api, conversation))
    question = "Please sum up the attached document."
    found = retrieve(claimed(ask(question)).request, question).passages
    assert [each.start for each in found] == sorted(each.start for each in found)
    assert found[0].score >= 0.8


def test_an_answer_from_a_file_is_withheld_from_those_it_is_shared_with(
    api: Api, owner: User, teammate: User, space: Space, conversation: Conversation, ask: Ask
) -> None:
    read(attach(api, conversation))
    answered(ask("What does a ticket for the ferry cost?"))
    share = share_put(acting_user=owner, conversation=conversation, space=space.pk)
    question, answer = shared_items(share, teammate)
    assert not question.is_withheld
    assert answer.is_withheld


def test_a_file_without_text_says_so_and_others_are_refused_at_once(
    api: Api, conversation: Conversation, settings: Settings
) -> None:
    row = read(attach(api, conversation, "blank.txt", b"  \n\n "))
    assert row.status == "failed"
    assert row.problem
    assert row.data is None
    assert attach(api, conversation, "none.md", b"").status_code == 400
    refused = attach(api, conversation, "run.exe", b"MZ\x00\x01\x02")
    assert refused.status_code == 415
    settings.ACERVO_ATTACHMENT_BYTES = 20
    assert attach(api, conversation, "long.md").status_code == 413
    settings.ACERVO_ATTACHMENT_BYTES = 2000
    settings.ACERVO_ATTACHMENTS = 1
    full = attach(api, conversation, "more.md", b"# More")
    assert full.status_code == 409
    assert full.json()["error"]["code"] == "too_many_attachments"


def test_it_goes_when_it_is_removed_and_with_its_conversation(
    api: Api, conversation: Conversation
) -> None:
    first = read(attach(api, conversation))
    address = f"/api/v1/conversations/{conversation.pk}/attachments/{first.pk}/"
    assert api.delete(address).status_code == 204
    assert api.delete(address).status_code == 404
    read(attach(api, conversation))
    assert AttachmentPassage.objects.exists()
    assert api.delete(f"/api/v1/conversations/{conversation.pk}/").status_code == 204
    assert not AttachmentPassage.objects.exists()
    assert not Attachment.objects.exists()


def test_nobody_else_sees_it_or_attaches_anything(
    api: Api, teammate_api: Api, client: Client, teammate: User, conversation: Conversation
) -> None:
    row = read(attach(api, conversation))
    address = f"/api/v1/conversations/{conversation.pk}/attachments/"
    assert teammate_api.get(address).status_code == 404
    assert attach(teammate_api, conversation).status_code == 404
    assert teammate_api.delete(f"{address}{row.pk}/").status_code == 404
    client.force_login(teammate, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"/c/{conversation.pk}/attachments/").status_code == 404
    assert client.get(f"/c/{conversation.pk}/attachments/{row.pk}/").status_code == 404


def test_a_file_whose_task_was_lost_is_read_by_the_next_one(
    api: Api, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(tasks, "send_after_commit", lambda _task, pk: asked.append(pk))
    row = Attachment.objects.get(pk=attach(api, conversation).json()["id"])
    assert tasks.attachments_recover() == 0  # it has only just come
    Attachment.objects.update(created_at=timezone.now() - datetime.timedelta(minutes=3))
    assert tasks.attachments_recover() == 1
    tasks.attachment_read(asked[0])
    row.refresh_from_db()
    assert row.status == "ready"
    assert tasks.attachments_recover() == 0
