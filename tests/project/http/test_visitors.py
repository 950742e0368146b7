"""Requests by whom nobody knows: counted an address at a time, whatever they write in headers."""

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from project.accounts.models import User
from project.http.client_address import address_block, client_address
from tests.conftest import Api


@pytest.fixture(autouse=True)
def two_an_hour(settings: Settings) -> None:
    settings.ACERVO_RATE_ANONYMOUS = "2/hour"


@pytest.mark.django_db
def test_an_address_has_so_many_requests_and_a_time_to_come_back(client: Client) -> None:
    page = reverse("sign-in")
    assert [client.get(page).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.get(page)
    assert int(refused.headers["Retry-After"]) > 3500
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert refused.headers["RateLimit-Policy"] == '"visitor";q=2;w=3600'
    assert "minutes" in refused.content.decode()
    program = client.get("/api/v1/nodes/")
    assert program.status_code == 429
    assert program.json()["error"]["code"] == "rate_limited"
    assert client.get(page, REMOTE_ADDR="10.9.9.9").status_code == 200
    assert client.get("/health/live").status_code == 200


def test_whoever_is_known_is_not_counted(client: Client, owner: User, api: Api) -> None:
    client.force_login(owner)
    assert [client.get("/").status_code for _ in range(4)] == [200] * 4
    assert [api.get("/api/v1/nodes/").status_code for _ in range(4)] == [200] * 4


@pytest.mark.django_db
def test_wrong_keys_count(client: Client) -> None:
    def knock() -> int:
        return client.get("/api/v1/nodes/", headers={"Authorization": "Bearer acv_no"}).status_code

    assert [knock() for _ in range(3)] == [401, 401, 429]


def test_only_what_trusted_proxies_added_is_believed(settings: Settings) -> None:
    def seen(forwarded: str | None, proxies: int) -> str:
        settings.ACERVO_TRUSTED_PROXIES = proxies
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        request = RequestFactory().get("/", headers=headers, REMOTE_ADDR="10.0.0.1")
        return client_address(request)

    assert seen("1.2.3.4", 0) == "10.0.0.1"
    assert seen("6.6.6.6, 1.2.3.4", 1) == "1.2.3.4"
    assert seen("6.6.6.6, 1.2.3.4, 10.0.0.2", 2) == "1.2.3.4"
    assert seen("1.2.3.4", 2) == "10.0.0.1"
    assert seen(None, 1) == "10.0.0.1"
    assert seen("nonsense", 1) == "10.0.0.1"
    assert seen("1.2.3.4:5678", 1) == "1.2.3.4"
    assert seen("[2001:db8::1]:443", 1) == "2001:db8::1"


def test_a_block_is_what_one_caller_has() -> None:
    assert address_block("2001:db8:1:2:3::4") == address_block("2001:db8:1:2:ffff::1")
    assert address_block("2001:db8:1:2::1") != address_block("2001:db8:1:3::1")
    assert address_block("::ffff:1.2.3.4") == address_block("1.2.3.4") == "1.2.3.4"
