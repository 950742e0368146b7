import datetime
import threading
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.utils import timezone

from knowledge.models import Node, Source, Space
from project.accounts.models import User
from project.http.models import IdempotencyRecord
from tests.conftest import Api


def node(space: Space, **more: object) -> dict[str, object]:
    return {"space": str(space.pk), "title": "Tides", "content": "Twice a day.", **more}


def key(value: str = "") -> dict[str, str]:
    return {"idempotency-key": value or uuid.uuid4().hex}


def test_the_same_key_and_body_get_the_stored_answer(api: Api, space: Space) -> None:
    headers = key()
    first = api.post("/api/v1/nodes/", node(space), headers=headers)
    again = api.post("/api/v1/nodes/", node(space), headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotency-Replayed"] == "true"
    assert Node.objects.count() == 1


def test_a_browser_with_its_session_gets_it_too(owner: User, space: Space) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    browser.get("/")
    headers = {**key(), "X-CSRFToken": browser.cookies["acervo_csrf"].value}
    sent = [
        browser.post("/api/v1/nodes/", node(space), "application/json", headers=headers)
        for _ in range(2)
    ]
    assert [each.status_code for each in sent] == [201, 201]
    assert sent[1]["Idempotency-Replayed"] == "true"
    assert Node.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(api: Api, space: Space) -> None:
    headers = key()
    api.post("/api/v1/nodes/", node(space), headers=headers)
    answer = api.post("/api/v1/nodes/", node(space, title="Ebb"), headers=headers)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "idempotency_mismatch"
    assert Node.objects.count() == 1


def test_a_key_belongs_to_its_caller(api: Api, teammate_api: Api, space: Space) -> None:
    headers = key()
    api.post("/api/v1/nodes/", node(space), headers=headers)
    assert teammate_api.post("/api/v1/nodes/", node(space), headers=headers).status_code == 201
    assert Node.objects.count() == 2


def test_a_refused_body_is_answered_alike(api: Api, space: Space) -> None:
    headers = key()
    answers = [
        api.post("/api/v1/nodes/", {"space": str(space.pk)}, headers=headers) for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [400, 400]
    assert answers[0].json() == answers[1].json()


def test_files_count_as_a_part_of_the_body(api: Api, space: Space) -> None:
    headers = key()

    def upload(text: bytes) -> int:
        file = SimpleUploadedFile("tides.md", text, content_type="text/markdown")
        body = {"space": str(space.pk), "file": file}
        return api.post("/api/v1/uploads/", body, format="multipart", headers=headers).status_code

    assert [upload(b"# One"), upload(b"# One"), upload(b"# Two")] == [202, 202, 409]
    assert Source.objects.count() == 1


@pytest.mark.parametrize("value", ["with space", "x" * 201, "é"])
def test_a_strange_key_is_refused(api: Api, space: Space, value: str) -> None:
    answer = api.post("/api/v1/nodes/", node(space), headers=key(value))
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_idempotency_key"


def test_a_request_whose_process_died_is_taken_over(api: Api, space: Space) -> None:
    headers = key()
    api.post("/api/v1/nodes/", node(space), headers=headers)
    past = timezone.now() - datetime.timedelta(seconds=1)
    IdempotencyRecord.objects.update(status=None, locked_until=past)
    answer = api.post("/api/v1/nodes/", node(space), headers=headers)
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer


@pytest.mark.django_db(transaction=True)
def test_ten_equal_requests_at_once_do_it_once(api: Api, space: Space) -> None:
    headers = key()
    answers = []
    gate = threading.Barrier(10)

    def send() -> None:
        gate.wait()
        answers.append(api.post("/api/v1/nodes/", node(space), headers=headers))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [each.status_code for each in answers] == [201] * 10
    assert len({each.json()["id"] for each in answers}) == 1
    assert Node.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_work_whose_answer_could_not_be_stored_is_undone_and_done_once(
    api: Api, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = key()

    def broken(*_arguments: object) -> None:
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as patch:
        patch.setattr("project.http.idempotency._keep", broken)
        api.raise_request_exception = False
        answer = api.post("/api/v1/nodes/", node(space), headers=headers)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert answer.json()["error"]["code"] == "unavailable"
    assert not Node.objects.exists()
    assert api.post("/api/v1/nodes/", node(space), headers=headers).status_code == 201
    assert Node.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_place_of_a_request_that_still_works_is_not_taken(
    api: Api, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("project.http.idempotency.WAIT_SECONDS", 0.2)
    headers = key()
    api.post("/api/v1/nodes/", node(space), headers=headers)
    past = timezone.now() - datetime.timedelta(seconds=1)
    IdempotencyRecord.objects.update(status=None, locked_until=past)
    answers = []

    def send() -> None:
        answers.append(api.post("/api/v1/nodes/", node(space), headers=headers))
        connection.close()

    with transaction.atomic():
        IdempotencyRecord.objects.select_for_update().get()
        other = threading.Thread(target=send)
        other.start()
        other.join()
    assert answers[0].status_code == 409
    assert answers[0].json()["error"]["code"] == "idempotency_in_progress"
    assert answers[0]["Retry-After"] == "5"
    assert Node.objects.count() == 1
