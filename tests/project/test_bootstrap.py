from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from knowledge.models import Space
from project.accounts.authentication import key_find
from project.accounts.choices import Scope
from project.accounts.models import ApiKey, User
from project.accounts.services import api_key_revoke
from project.inference.models import ModelEndpoint

pytestmark = pytest.mark.django_db

KEY = "a-key-for-the-test"


def bootstrap() -> str:
    said = StringIO()
    call_command("bootstrap", stdout=said)
    return said.getvalue()


def test_it_makes_an_admin_and_shows_the_password_once() -> None:
    said = bootstrap()
    admin = User.objects.get()
    password = said.split("password ")[1].split()[0]
    assert (admin.username, admin.is_superuser, admin.is_staff) == ("admin", True, True)
    assert admin.check_password(password)
    assert len(password) >= 16
    assert bootstrap() == ""
    assert User.objects.get().check_password(password)


def test_it_makes_the_default_space_once() -> None:
    bootstrap()
    space = Space.objects.get()
    assert (space.name, space.visibility, space.is_default) == ("General", "signed_in", True)
    Space.objects.update(name="Renamed")
    bootstrap()
    assert Space.objects.get().name == "Renamed"


def test_the_environment_names_the_admin_and_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACERVO_ADMIN_USERNAME", "ines")
    monkeypatch.setenv("ACERVO_ADMIN_PASSWORD", "open sesame")
    monkeypatch.setenv("ACERVO_BOOTSTRAP_API_KEY", KEY)
    assert bootstrap() == ""
    assert bootstrap() == ""
    admin = User.objects.get()
    assert (admin.username, admin.check_password("open sesame")) == ("ines", True)
    key = key_find(KEY)
    assert key is not None
    assert (key.user, set(key.scopes)) == (admin, set(Scope.values))
    assert KEY not in str(vars(key))


def test_a_changed_password_and_a_revoked_key_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACERVO_ADMIN_PASSWORD", "open sesame")
    monkeypatch.setenv("ACERVO_BOOTSTRAP_API_KEY", KEY)
    bootstrap()
    admin = User.objects.get()
    admin.set_password("changed")
    admin.save()
    api_key_revoke(acting_user=admin, key=ApiKey.objects.get())
    bootstrap()
    assert User.objects.get().check_password("changed")
    assert key_find(KEY) is None
    assert ApiKey.objects.count() == 1


def test_it_does_not_raise_an_ordinary_user(monkeypatch: pytest.MonkeyPatch, owner: User) -> None:
    monkeypatch.setenv("ACERVO_ADMIN_USERNAME", "owner")
    with pytest.raises(CommandError, match="ACERVO_ADMIN_USERNAME"):
        bootstrap()
    assert not User.objects.get().is_superuser
    assert not Space.objects.exists()


def test_an_admin_that_is_there_is_used(admin_user: User) -> None:
    assert bootstrap() == ""
    assert User.objects.get() == admin_user


def test_it_makes_the_model_endpoint(settings: object, admin_user: User) -> None:
    settings.ACERVO_LLM_BASE_URL = "http://127.0.0.1:9/v1"
    settings.ACERVO_LLM_MODEL = "small"
    bootstrap()
    bootstrap()
    assert ModelEndpoint.objects.get().model_name == "small"
