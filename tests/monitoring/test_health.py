import datetime

import pytest
from django.test import Client
from django.utils import timezone

from knowledge.models import Space
from project import heartbeat
from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from project.events.models import Event

pytestmark = pytest.mark.django_db


def key_for(user: User, *scopes: str) -> str:
    secret = ApiKey.new_secret()
    ApiKey.objects.create(
        user=user, name="k", prefix=secret[:8], hash=ApiKey.hash_of(secret), scopes=list(scopes)
    )
    return secret


@pytest.fixture
def all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in heartbeat.PROCESSES:
        heartbeat.beat(name)


def test_a_running_process_is_live(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


def test_it_is_not_ready_before_every_process_is(client: Client) -> None:
    heartbeat.beat("web")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["processes"]["missing"] == ["agent", "worker", "beat"]


@pytest.mark.usefixtures("all_processes")
def test_it_is_ready_when_every_process_is(client: Client) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_the_deep_report_is_for_staff(client: Client, owner: User, admin_user: User) -> None:
    assert client.get("/health/").status_code == 401
    client.force_login(owner)
    assert client.get("/health/").status_code == 403
    client.logout()
    keys = [key_for(owner, Scope.ADMIN), key_for(admin_user, Scope.CHAT), "acv_unknown"]
    codes = [
        client.get("/health/", headers={"authorization": f"Bearer {key}"}).status_code
        for key in keys
    ]
    assert codes == [403, 403, 401]


@pytest.mark.usefixtures("all_processes")
def test_the_deep_report_tries_everything(client: Client, admin_user: User, space: Space) -> None:
    key = key_for(admin_user, Scope.ADMIN)
    answer = client.get("/health/", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.json()
    assert set(answer.json()["checks"]) == {
        "database",
        "redis",
        "processes",
        "queues",
        "events",
        "index",
        "embedding",
        "search",
    }


@pytest.mark.usefixtures("all_processes")
def test_events_that_wait_too_long_are_a_warning(client: Client, admin_user: User) -> None:
    event = Event.objects.create(type="x", trace_id="t" * 8)
    old = timezone.now() - datetime.timedelta(minutes=10)
    Event.objects.filter(pk=event.pk).update(created_at=old)
    client.force_login(admin_user)
    report = client.get("/health/").json()
    assert report["checks"]["events"]["status"] == "warning"
    assert report["status"] == "warning"


def test_metrics_count_what_is_there(client: Client, space: Space) -> None:
    text = client.get("/metrics").content.decode()
    assert 'acervo_jobs{status="queued"} 0.0' in text
    assert 'acervo_processes{process="agent"} 0.0' in text
    assert "django_http_requests_total_by_method_total" in text


def test_metrics_are_not_for_everyone_behind_a_proxy(client: Client, admin_user: User) -> None:
    headers = {"x-forwarded-for": "203.0.113.9"}
    assert client.get("/metrics", headers=headers).status_code == 401
    key = key_for(admin_user, Scope.ADMIN)
    allowed = client.get("/metrics", headers=headers | {"authorization": f"Bearer {key}"})
    assert allowed.status_code == 200
