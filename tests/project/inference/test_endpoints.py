"""Endpoints: checked when saved, sealed at rest, created from the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from pytest_django import Settings

from project.accounts.models import User
from project.inference import breaker, sealing
from project.inference.checks import check_language_model_settings
from project.inference.models import ModelEndpoint, UsageRecord
from project.inference.services import endpoint_bootstrap_from_env, endpoint_save
from project.inference.types import UsageContext
from project.inference.usage import usage_row, usage_store

pytestmark = pytest.mark.django_db


def draft(**extra: object) -> ModelEndpoint:
    values = {"name": "main", "base_url": "http://127.0.0.1:1/v1", "model_name": "m", **extra}
    return ModelEndpoint(**values)


@pytest.mark.parametrize(
    ("field", "extra"),
    [
        ("base_url", {"base_url": ""}),
        ("base_url", {"base_url": "ftp://host/v1"}),
        ("base_url", {"base_url": "file:///etc/passwd"}),
        ("base_url", {"base_url": "http://"}),
        ("base_url", {"base_url": "http://[::1/v1"}),
        ("base_url", {"base_url": "https://user:key@host/v1"}),
        ("base_url", {"base_url": "https://host/v1?key=1"}),
        ("model_name", {"model_name": " "}),
        ("backend", {"backend": "fastembed"}),
        ("dimensions", {"purpose": "embedding"}),
        ("total_timeout", {"first_token_timeout": 30, "total_timeout": 10}),
        ("idle_timeout", {"idle_timeout": 0}),
        ("input_price", {"input_price": -1}),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(
    field: str, extra: dict[str, object], admin_user: User
) -> None:
    with pytest.raises(ValidationError) as caught:
        endpoint_save(acting_user=admin_user, endpoint=draft(**extra))
    assert field in caught.value.message_dict


def test_the_key_is_sealed_kept_and_removed(admin_user: User) -> None:
    endpoint = endpoint_save(acting_user=admin_user, endpoint=draft(), api_key=" sk-secret ")
    stored = ModelEndpoint.objects.values_list("api_key_sealed", flat=True).get()
    assert "sk-secret" not in stored
    endpoint = endpoint_save(acting_user=admin_user, endpoint=endpoint)
    assert (endpoint.api_key, endpoint.has_api_key) == ("sk-secret", True)
    endpoint = endpoint_save(acting_user=admin_user, endpoint=endpoint, api_key="")
    assert (endpoint.api_key, endpoint.has_api_key) == ("", False)


def test_a_rotated_secret_key_still_opens_what_it_sealed(settings: Settings) -> None:
    sealed = sealing.seal("sk-secret")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another secret key"
    with pytest.raises(sealing.SealBroken):
        sealing.unseal(sealed)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert sealing.unseal(sealed) == "sk-secret"


@pytest.mark.django_db(transaction=True)
def test_saving_closes_the_breaker(admin_user: User) -> None:
    endpoint = endpoint_save(acting_user=admin_user, endpoint=draft())
    guard = breaker.for_endpoint(endpoint)
    for _ in range(5):
        guard.record(guard.acquire(), ok=False)
    assert guard.state().state == "open"
    endpoint_save(acting_user=admin_user, endpoint=endpoint)
    assert guard.state().state == "closed"


def test_the_environment_creates_one_endpoint_and_updates_it(settings: Settings) -> None:
    assert endpoint_bootstrap_from_env() is None
    settings.ACERVO_LLM_BASE_URL = "http://127.0.0.1:9000/v1"
    settings.ACERVO_LLM_MODEL = "first"
    settings.ACERVO_LLM_API_KEY = "sk-1"
    endpoint_bootstrap_from_env()
    settings.ACERVO_LLM_MODEL = "second"
    endpoint_bootstrap_from_env()
    endpoint = ModelEndpoint.objects.get()
    assert (endpoint.model_name, endpoint.api_key) == ("second", "sk-1")


def test_a_wrong_address_in_the_environment_is_named(settings: Settings) -> None:
    settings.ACERVO_LLM_BASE_URL = "localhost:9000"
    settings.ACERVO_LLM_MODEL = "m"
    with pytest.raises(ImproperlyConfigured, match="ACERVO_LLM_BASE_URL: The address must start"):
        endpoint_bootstrap_from_env()


def test_half_a_language_model_in_the_environment_is_reported(settings: Settings) -> None:
    assert check_language_model_settings() == []
    settings.ACERVO_LLM_MODEL = "m"
    (warning,) = check_language_model_settings()
    assert warning.id == "inference.W002"


@pytest.mark.django_db(transaction=True)
def test_usage_outlives_the_endpoint_it_belonged_to() -> None:
    endpoint = draft()
    endpoint.save()
    row = usage_row(
        context=UsageContext("answer"),
        kind="chat",
        model="m",
        outcome="ok",
        latency_ms=5,
        endpoint=endpoint,
    )
    ModelEndpoint.objects.all().delete()
    usage_store([row])
    assert UsageRecord.objects.get().endpoint is None
    assert UsageRecord.objects.all().totals()["calls"] == 1
