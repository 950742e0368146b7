"""The socket of a job, through the whole ASGI application."""

import asyncio
import uuid
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from knowledge import services
from knowledge.api.job_serializers import JobSerializer
from knowledge.ingestion import job_work
from knowledge.leases import job_hold
from knowledge.models import IngestJob, Space
from knowledge.representation import job_body
from project.accounts.models import User
from project.accounts.services import api_key_create
from project.accounts.ws import socket_token_create
from project.aio import in_thread
from project.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(owner: User, space: Space) -> IngestJob:
    rows = [{"title": "Tides", "content": "Twice a day."}]
    return services.nodes_bulk(acting_user=owner, space=space, rows=rows)


def socket(job_id: object, user: User | None) -> WebsocketCommunicator:
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    if user is not None:
        client = Client()
        client.force_login(user)
        cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
    return WebsocketCommunicator(application, f"/ws/jobs/{job_id}/", headers=headers)


async def closing_code(communicator: WebsocketCommunicator) -> int:
    await communicator.connect(timeout=5)
    message = await communicator.receive_output(timeout=5)
    assert message["type"] == "websocket.close"
    return int(message["code"])


async def test_it_sends_the_job_as_it_is_and_closes_when_it_has_ended(
    owner: User, job: IngestJob
) -> None:
    communicator = await in_thread(socket, job.pk, owner)
    assert (await communicator.connect(timeout=5))[0]
    first = await communicator.receive_json_from(timeout=5)
    assert first["type"] == "job.updated"
    assert (first["job"]["status"], first["job"]["position"]) == ("queued", 1)

    await in_thread(job_work, job.pk)
    last: dict[str, Any] = {}
    while (message := await communicator.receive_output(timeout=5))["type"] == "websocket.send":
        last = message
    assert message["code"] == 1000
    assert '"status": "completed"' in last["text"]


async def test_it_tells_of_progress_while_the_job_runs(owner: User, job: IngestJob) -> None:
    communicator = await in_thread(socket, job.pk, owner)
    await communicator.connect(timeout=5)
    await communicator.receive_json_from(timeout=5)

    def go_on() -> None:
        with job_hold(job.pk) as hold:
            assert hold is not None
            hold.progress(0.5)

    await in_thread(go_on)
    while (await communicator.receive_json_from(timeout=5))["job"]["progress"] != 0.5:
        await asyncio.sleep(0)
    await communicator.disconnect()


async def test_nobody_signed_in_is_told_so(job: IngestJob) -> None:
    assert await closing_code(await in_thread(socket, job.pk, None)) == 4401


async def test_a_job_of_others_looks_like_none(stranger: User, job: IngestJob) -> None:
    assert await closing_code(await in_thread(socket, job.pk, stranger)) == 4403
    assert await closing_code(await in_thread(socket, uuid.uuid4(), stranger)) == 4403
    assert await closing_code(await in_thread(socket, "nonsense", stranger)) == 4403


async def test_a_token_needs_the_scope_to_read(owner: User, job: IngestJob) -> None:
    def opened(scope: str) -> WebsocketCommunicator:
        key, _secret = api_key_create(acting_user=owner, name="Test", scopes=[scope])
        token = socket_token_create(acting_user=owner, key=key)
        return WebsocketCommunicator(application, f"/ws/jobs/{job.pk}/?token={token}")

    assert await closing_code(await in_thread(opened, "chat")) == 4403
    communicator = await in_thread(opened, "knowledge:read")
    await communicator.connect(timeout=5)
    assert (await communicator.receive_json_from(timeout=5))["job"]["id"] == str(job.pk)
    await communicator.send_json_to({"type": "ping"})
    while (await communicator.receive_json_from(timeout=5))["type"] != "pong":
        await asyncio.sleep(0)
    await communicator.disconnect()


async def test_losing_the_role_ends_it(teammate: User, job: IngestJob) -> None:
    communicator = await in_thread(socket, job.pk, teammate)
    await communicator.connect(timeout=5)
    await communicator.receive_json_from(timeout=5)
    await in_thread(teammate.groups.clear)
    while (message := await communicator.receive_output(timeout=6))["type"] == "websocket.send":
        await asyncio.sleep(0)
    assert message["code"] == 4403


def test_a_job_looks_the_same_over_rest(owner: User, job: IngestJob) -> None:
    assert JobSerializer(job).data.keys() == job_body(job).keys()
    job_work(job.pk)
    job.refresh_from_db()
    rest = {name: value for name, value in JobSerializer(job).data.items() if "_at" not in name}
    own = {name: value for name, value in job_body(job).items() if "_at" not in name}
    assert {name: str(value) for name, value in rest.items()} == {
        name: str(value) for name, value in own.items()
    }
