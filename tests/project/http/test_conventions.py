import pytest
from django.test import Client

from knowledge.models import Node, Space
from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from tests.conftest import Api

pytestmark = pytest.mark.django_db


def test_every_answer_carries_a_request_id(client: Client) -> None:
    assert len(client.get("/api/v1/nodes/")["X-Request-ID"]) == 32
    mine = client.get("/api/v1/nodes/", headers={"x-request-id": "caller-42-abcdef"})
    assert mine["X-Request-ID"] == "caller-42-abcdef"
    bad = client.get("/api/v1/nodes/", headers={"x-request-id": "a b\tc"})
    assert bad["X-Request-ID"] != "a b\tc"


def test_an_error_names_itself_and_its_request(client: Client) -> None:
    answer = client.get("/api/v1/nodes/", headers={"x-request-id": "caller-42-abcdef"})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert error["code"] == "unauthenticated"
    assert error["request_id"] == "caller-42-abcdef"
    assert error["message"]


@pytest.mark.parametrize("change", ["revoked", "expired", "inactive"])
def test_an_unusable_key_is_no_key(api: Api, owner: User, change: str) -> None:
    from django.utils import timezone

    if change == "revoked":
        ApiKey.objects.update(revoked_at=timezone.now())
    elif change == "expired":
        ApiKey.objects.update(expires_at=timezone.now())
    else:
        User.objects.update(is_active=False)
    assert api.get("/api/v1/nodes/").status_code == 401


def test_a_key_without_the_scope_is_told_which(owner: User, space: Space) -> None:
    reader = Api(owner, [Scope.KNOWLEDGE_READ])
    assert reader.get("/api/v1/nodes/").status_code == 200
    answer = reader.post("/api/v1/nodes/", {"title": "x", "space": str(space.pk)})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "missing_scope"
    assert "knowledge:write" in answer.json()["error"]["message"]


def test_a_browser_session_needs_the_csrf_token(owner: User, space: Space) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner)
    body = {"title": "x", "space": str(space.pk)}
    answer = browser.post("/api/v1/nodes/", body, content_type="application/json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["error"]["message"]


def test_unknown_fields_are_named(api: Api, space: Space) -> None:
    answer = api.post("/api/v1/nodes/", {"title": "x", "space": str(space.pk), "colour": 1})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("unknown_field", "colour")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{not json", "application/json", 400),
        (b"[1, 2]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"<a/>", "application/xml", 415),
    ],
)
def test_what_is_no_json_object_is_refused(
    api: Api, body: bytes, content_type: str, status: int
) -> None:
    answer = api.generic("POST", "/api/v1/nodes/", body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "²"])
def test_limits_out_of_range_are_refused(api: Api, limit: str) -> None:
    answer = api.get("/api/v1/nodes/", {"limit": limit})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "limit"


def test_pages_hold_every_row_once(api: Api, space: Space) -> None:
    for number in range(7):
        api.post("/api/v1/nodes/", {"title": f"Node {number}", "space": str(space.pk)})
    seen, url = [], "/api/v1/nodes/?limit=3"
    while url:
        page = api.get(url).json()
        assert set(page) == {"results", "next", "previous"}
        seen += [row["title"] for row in page["results"]]
        url = page["next"]
    assert seen == [f"Node {number}" for number in reversed(range(7))]


@pytest.mark.parametrize("path", ["nodes", "spaces", "relations", "sources", "jobs", "episodes"])
@pytest.mark.parametrize(
    "pk", ["nonsense", "7d0f8f66-9f1c-4c0e-8f5e-1f0f0c9f3a11", "%00", "0" * 300]
)
def test_what_is_not_there_is_404(api: Api, path: str, pk: str) -> None:
    answer = api.get(f"/api/v1/{path}/{pk}/")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_fault_of_ours_tells_nothing_of_the_inside(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    monkeypatch.setattr(Node.objects.__class__, "visible_to", burst, raising=False)
    answer = api.get("/api/v1/nodes/")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.content.decode()


def test_the_rate_limit_says_when_to_come_back(api: Api, settings: object) -> None:
    settings.ACERVO_RATE_API = "2/minute"  # type: ignore[attr-defined]
    codes = [api.get("/api/v1/spaces/") for _ in range(3)]
    assert [each.status_code for each in codes] == [200, 200, 429]
    assert 1 <= int(codes[2]["Retry-After"]) <= 61
    assert codes[2].json()["error"]["code"] == "rate_limited"
