import base64
import json
from typing import Any

import pytest
from django.test import Client

from knowledge.models import Node, Space
from tests.conftest import Api

pytestmark = pytest.mark.django_db


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def post(api: Api, path: str, raw: bytes) -> Any:
    return api.post(f"/api/v1/{path}", raw, content_type="application/json")


def refused(answer: Any) -> bool:
    return answer.status_code == 400 and "request_id" in answer.json()["error"]


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a": "\\u0000"}',
        '{"a\\u0000": 1}',
        '{"a": "\\ud83d"}',
        '{"a": [{"b": "\\udc00"}]}',
        '{"a": 1e999}',
        '{"a": -1e999}',
        '{"a": NaN}',
        '{"a": ' + "[" * 80 + "]" * 80 + "}",
        '{"a": ' + "[" * 200_000 + "]" * 200_000 + "}",
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "\xff"}',
    ],
)
def test_json_that_cannot_be_stored_is_refused(api: Api, space: Space, metadata: str) -> None:
    body = f'{{"space": "{space.pk}", "title": "Tides", "metadata": {metadata}}}'
    assert refused(post(api, "nodes/", body.encode("latin-1")))
    assert not Node.objects.exists()


def test_half_a_surrogate_pair_is_refused_where_a_choice_is_expected(
    api: Api, space: Space
) -> None:
    body = f'{{"space": "{space.pk}", "title": "Tides", "status": "\\ud800"}}'
    assert refused(post(api, "nodes/", body.encode()))


def test_a_whole_surrogate_pair_is_a_character(api: Api, space: Space) -> None:
    body = f'{{"space": "{space.pk}", "title": "Wave \\ud83c\\udf0a"}}'
    assert post(api, "nodes/", body.encode()).json()["title"] == "Wave 🌊"


def test_a_body_that_is_too_large_is_refused(api: Api, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert code_of(post(api, "nodes/", b" " * 1001)) == (413, "too_large")
    headers = {"idempotency-key": "large"}
    answer = api.post(
        "/api/v1/nodes/", b" " * 1001, content_type="application/json", headers=headers
    )
    assert code_of(answer) == (413, "too_large")


def test_a_form_with_too_many_fields_is_refused(api: Api) -> None:
    fields = {f"field{number}": "x" for number in range(1500)}
    assert refused(api.post("/api/v1/uploads/", fields, format="multipart"))


@pytest.mark.parametrize("limit", ["0", "-1", "201", "9" * 5000, "²", ""])
def test_a_limit_is_a_number_from_1_to_200(api: Api, limit: str) -> None:
    assert refused(api.get("/api/v1/nodes/", {"limit": limit}))


@pytest.mark.parametrize(
    "cursor",
    ["garbage", "é", "p=garbage", "p=\x00", "p=0001-01-01T00:00:00+23:59", "o=-1", "p=7&r=1"],
)
def test_a_cursor_that_no_page_gave_out_is_refused(api: Api, cursor: str) -> None:
    if "=" in cursor:
        cursor = base64.b64encode(cursor.encode()).decode()
    assert refused(api.get("/api/v1/nodes/", {"cursor": cursor}))


def test_a_cursor_of_another_list_is_refused(api: Api, space: Space) -> None:
    body = {"space": str(space.pk), "title": "Tides"}
    node = api.post("/api/v1/nodes/", body).json()["id"]
    cursor = base64.b64encode(b"p=2026-01-01T00:00:00Z").decode()
    assert refused(api.get(f"/api/v1/nodes/{node}/versions/", {"cursor": cursor}))


def test_numbers_of_thousands_of_digits_are_refused(api: Api, space: Space) -> None:
    body = {"space": str(space.pk), "title": "Tides"}
    path = f"/api/v1/nodes/{api.post('/api/v1/nodes/', body).json()['id']}/"
    digits = "9" * 5000
    assert refused(api.get(f"{path}diff/", {"from": digits, "to": "1"}))
    assert refused(api.patch(path, {"title": "Ebb"}, headers={"if-match": f'"{digits}"'}))


def test_rows_of_a_bulk_call_are_stored_as_they_are_checked(api: Api, space: Space) -> None:
    row = {"title": "7", "content": "8", "valid_from": "2026-01-01T10:00:00+02:00"}
    path, body = "/api/v1/nodes/bulk/", {"space": str(space.pk)}
    answer = api.post(path, {**body, "nodes": [row]})
    assert answer.status_code == 202, answer.json()
    for wrong in ({"title": 7}, {"content": 8}, {"tags": [2**70]}):
        assert refused(api.post(path, {**body, "nodes": [{**row, **wrong}]})), wrong


@pytest.mark.parametrize("name", ["kinds", "external_ids"])
def test_a_search_for_none_of_all_kinds_finds_nothing(api: Api, space: Space, name: str) -> None:
    answer = api.post("/api/v1/search/", {"query": "tides", name: []})
    assert answer.status_code == 200
    assert answer.json()["results"] == []


def test_a_database_that_is_away_is_a_503_everywhere(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import InterfaceError

    def away(*_args: object) -> None:
        raise InterfaceError("the connection is closed")

    monkeypatch.setattr("project.http.idempotency._actor", away)
    client.raise_request_exception = False
    headers = {"idempotency-key": "k"}
    answer = client.post("/api/v1/nodes/", json.dumps({}), "application/json", headers=headers)
    assert code_of(answer) == (503, "unavailable")
    monkeypatch.setattr("knowledge.views.browsing.choices", away)
    page = client.get("/knowledge/")
    assert page.status_code == 503
    assert page["Retry-After"]
    assert "text/html" in page["Content-Type"]
