"""Secrets in the admin: keys of models never come out, keys of programs are shown once."""

from typing import Any

import pytest
from django.test import Client

from memory.models import Episode
from memory.services import episode_create
from project.accounts.models import ApiKey, User
from project.events.models import Event
from project.inference.models import ModelEndpoint, UsageRecord
from tests.support.admin_client import signed_in

ENDPOINTS, KEYS = "/admin/inference/modelendpoint/", "/admin/accounts/apikey/"
SECRET = "sk-very-secret-0123456789"


@pytest.fixture
def client(admin_user: User) -> Client:
    return signed_in(admin_user)


@pytest.fixture
def endpoint(db: None) -> ModelEndpoint:
    made = ModelEndpoint(name="Small", base_url="http://127.0.0.1:9/v1", model_name="small-1")
    made.set_api_key(SECRET)
    made.save()
    return made


def form_of(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Small",
        "is_active": "on",
        "purpose": "chat",
        "backend": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "model_name": "small-1",
        "new_api_key": "",
        "tier": "moderate",
        "weight": 100,
        "languages": "",
        "input_price": 0,
        "output_price": 0,
        "max_concurrency": 0,
        "requests_per_minute": 0,
        "connect_timeout": 1,
        "first_token_timeout": 2,
        "idle_timeout": 2,
        "total_timeout": 3,
        "dimensions": "",
        "query_prefix": "",
        "document_prefix": "",
    } | changes


def test_a_key_is_stored_sealed_and_never_shown(client: Client) -> None:
    assert client.post(f"{ENDPOINTS}add/", form_of(new_api_key=SECRET)).status_code == 302
    made = ModelEndpoint.objects.get()
    assert made.api_key == SECRET
    assert SECRET not in made.api_key_sealed
    pages = [ENDPOINTS, f"{ENDPOINTS}{made.pk}/change/", f"{ENDPOINTS}{made.pk}/history/"]
    for page in pages:
        html = client.get(page).content.decode()
        assert SECRET not in html
        assert made.api_key_sealed not in html
    assert "A key is set" in client.get(pages[1]).content.decode()


def test_a_refused_form_does_not_show_the_typed_key(client: Client) -> None:
    answer = client.post(f"{ENDPOINTS}add/", form_of(new_api_key=SECRET, base_url="ftp://x"))
    assert answer.status_code == 200
    assert SECRET not in answer.content.decode()
    assert answer.context["adminform"].form.errors["base_url"]


def test_an_empty_field_keeps_the_key_and_a_switch_removes_it(
    client: Client, endpoint: ModelEndpoint
) -> None:
    address = f"{ENDPOINTS}{endpoint.pk}/change/"
    assert client.post(address, form_of(weight=7)).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.weight, endpoint.api_key) == (7, SECRET)
    assert client.post(address, form_of(clear_api_key="on")).status_code == 302
    endpoint.refresh_from_db()
    assert not endpoint.has_api_key


def test_a_test_call_tells_the_plain_error_and_leaves_a_usage_row(
    client: Client, endpoint: ModelEndpoint
) -> None:
    answer = client.post(f"{ENDPOINTS}{endpoint.pk}/try/", follow=True)
    assert "The call failed after" in answer.content.decode()
    row = UsageRecord.objects.get()
    assert (row.endpoint, row.purpose, row.outcome) == (endpoint, "test", "refused")


def test_a_test_call_of_an_embedding_model_succeeds(client: Client) -> None:
    endpoint = ModelEndpoint.objects.create(name="H", purpose="embedding", backend="hashing")
    answer = client.post(f"{ENDPOINTS}{endpoint.pk}/try/", follow=True)
    assert "It answered in" in answer.content.decode()


def test_the_breaker_is_reset_by_a_post_only(client: Client, endpoint: ModelEndpoint) -> None:
    assert client.get(f"{ENDPOINTS}{endpoint.pk}/reset/").status_code == 405
    answer = client.post(f"{ENDPOINTS}{endpoint.pk}/reset/", follow=True)
    assert "The breaker is closed" in answer.content.decode()


def test_the_secret_of_an_api_key_is_shown_once(client: Client, admin_user: User) -> None:
    sent = {"user": admin_user.pk, "name": "Script", "scopes": ["chat"]}
    sent |= {"expires_at_0": "", "expires_at_1": ""}
    answer = client.post(f"{KEYS}add/", sent)
    key = ApiKey.objects.get()
    secret = answer.context["secret"]
    assert ApiKey.hash_of(secret) == key.hash
    assert secret in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    for page in (KEYS, f"{KEYS}{key.pk}/change/"):
        html = client.get(page).content.decode()
        assert secret not in html
        assert key.hash not in html


def test_a_key_is_revoked(client: Client, admin_user: User) -> None:
    key = ApiKey.objects.create(user=admin_user, name="k", prefix="acv_1", hash="h", scopes=[])
    client.post(f"{KEYS}{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_an_event_that_was_given_up_is_sent_again(client: Client) -> None:
    event = Event.objects.create(type="x", trace_id="t", attempts=12)
    Event.objects.update(failed_at=event.created_at)
    sent = {"action": "events_again", "_selected_action": [event.pk]}
    answer = client.post("/admin/events/event/", sent, follow=True)
    assert "1 event is sent again." in answer.content.decode()
    event.refresh_from_db()
    assert (event.failed_at, event.attempts) == (None, 0)


def test_an_operator_forgets_an_episode(client: Client, owner: User) -> None:
    episode = episode_create(acting_user=owner, session="s", content="I like the sea.")
    client.post(f"/admin/memory/episode/{episode.pk}/delete/", {"post": "yes"})
    assert not Episode.objects.exists()
    assert Event.objects.filter(type="memory.episode.deleted").exists()
