from datetime import timedelta

import pytest
from django.utils import timezone

from project.accounts.authentication import key_find
from project.accounts.models import ApiKey, User
from project.accounts.services import api_key_create, api_key_revoke
from project.http.errors import Forbidden, Invalid, NotFound


def test_the_secret_is_shown_once_and_not_kept(owner: User) -> None:
    key, secret = api_key_create(acting_user=owner, name=" Robot ", scopes=["chat", "chat"])
    assert key_find(secret) == key
    assert (key.name, key.scopes, key.user) == ("Robot", ["chat"], owner)
    assert secret.startswith(key.prefix)
    assert secret not in str(ApiKey.objects.values().get())


def test_a_revoked_or_expired_key_opens_nothing(owner: User) -> None:
    key, secret = api_key_create(acting_user=owner, name="Robot", scopes=["chat"])
    revoked = api_key_revoke(acting_user=owner, key=key)
    assert key_find(secret) is None
    assert api_key_revoke(acting_user=owner, key=key).revoked_at == revoked.revoked_at
    soon = timezone.now() + timedelta(hours=1)
    key, secret = api_key_create(acting_user=owner, name="R", scopes=["chat"], expires_at=soon)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    assert key_find(secret) is None


def test_only_an_administrator_makes_keys_for_others_or_with_wide_scopes(
    owner: User, teammate: User, admin_user: User
) -> None:
    with pytest.raises(Forbidden):
        api_key_create(acting_user=owner, user=teammate, name="Robot", scopes=["chat"])
    for scope in ("memory:any", "admin"):
        with pytest.raises(Forbidden):
            api_key_create(acting_user=owner, name="Robot", scopes=[scope])
    key, _ = api_key_create(acting_user=admin_user, user=owner, name="Robot", scopes=["admin"])
    assert key.user == owner


def test_a_strangers_key_is_not_there(owner: User, stranger: User) -> None:
    key, _ = api_key_create(acting_user=owner, name="Robot", scopes=["chat"])
    with pytest.raises(NotFound):
        api_key_revoke(acting_user=stranger, key=key)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expires_at": timezone.now()}, "expires_at"),
    ],
)
def test_it_names_the_field_at_fault(owner: User, fields: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        api_key_create(acting_user=owner, **{"name": "Robot", "scopes": ["chat"], **fields})
    assert refused.value.field == field
