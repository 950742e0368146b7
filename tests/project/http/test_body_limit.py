import asyncio
import json
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from pytest_django import Settings

from project.asgi import application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def small_limits(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    settings.ACERVO_MAX_UPLOAD_BYTES = 2000


async def sent(*parts: bytes, **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and body of the answer to a POST, sent part by part, whole or not."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/uploads/",
        "query_string": b"",
        "headers": [
            (b"host", b"testserver"),
            *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
        ],
    }
    client = ApplicationCommunicator(application, scope)
    for part in parts:
        await client.send_input({"type": "http.request", "body": part, "more_body": True})
    start = await client.receive_output(10)
    body = await client.receive_output(10)
    await asyncio.wait_for(client.wait(), 10)
    return start["status"], json.loads(body["body"])


async def test_a_body_that_states_too_great_a_length_is_refused_unread() -> None:
    for length in ("1001", "9" * 30):
        status, answer = await sent(content_length=length, content_type="application/json")
        assert (status, answer["error"]["code"]) == (413, "too_large")
        assert answer["error"]["request_id"]


async def test_a_body_without_an_end_is_refused_where_the_limit_is() -> None:
    status, _ = await sent(*[b"x" * 600] * 2, content_type="application/json")
    assert status == 413
    form = "multipart/form-data; boundary=b"
    status, _ = await sent(*[b"x" * 600_000] * 2, content_type=form)
    assert status == 413
