"""How the REST API knows who is calling."""

import datetime
import functools

from django.db import connection, models
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from project.accounts.models import ApiKey, User
from project.database.prepared import prepared_rows

TOUCH_EVERY = datetime.timedelta(minutes=1)
_HASH = "hash"  # stands for the hash of a secret
_KNOWN = "acervo_api_key"  # attribute of a request: the secret that it shows, and its key


def key_find(secret: str) -> ApiKey | None:
    """Return the usable key with that secret, noting its use at most once a minute."""
    now = timezone.now()
    key = _usable(ApiKey.hash_of(secret), now)
    if key is None:
        return None
    if key.last_used_at is None or now - key.last_used_at > TOUCH_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def _usable(key_hash: str, now: datetime.datetime) -> ApiKey | None:
    statement, places = _asked()
    rows = prepared_rows(statement, [key_hash if each == _HASH else now for each in places])
    if not rows:
        return None
    row = rows[0]
    own = len(ApiKey._meta.concrete_fields)
    key: ApiKey = ApiKey.from_db(connection.alias, _names(ApiKey), row[:own])
    key.user = User.from_db(connection.alias, _names(User), row[own:])
    return key


@functools.cache
def _asked() -> tuple[str, tuple[object, ...]]:
    """Return the query for a key with its user, made once: that takes longer than to run it.

    Its parameters are the hash, and the time wherever there is something else.
    """
    rows = ApiKey.objects.usable().select_related("user").filter(hash=_HASH).order_by()
    statement, parameters = rows.query.sql_with_params()
    places = tuple(each for each in parameters if isinstance(each, str | datetime.datetime))
    if places != tuple(parameters):
        message = "The query for API keys has a parameter that is neither their hash nor the time."
        raise TypeError(message)
    return statement, places


@functools.cache
def _names(model: type[models.Model]) -> list[str]:
    return [each.attname for each in model._meta.concrete_fields]


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer <key>`; `request.auth` is the ApiKey.

    A request is asked for its key twice where `Idempotency-Key` is given: it remembers it.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        """Return the key's user and the key; raises AuthenticationFailed for an unusable one."""
        scheme, _space, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        secret = secret.strip()
        http = getattr(request, "_request", request)
        known, key = getattr(http, _KNOWN, ("", None))
        if key is None or known != secret:
            key = key_find(secret)
            setattr(http, _KNOWN, (secret, key))
        if key is None:
            raise exceptions.AuthenticationFailed(_("This API key is unknown, expired or revoked."))
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Return the scheme that a 401 asks for."""
        return "Bearer"


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with CSRF."""

    def authenticate_header(self, request: Request) -> str:
        """Return the scheme that a 401 asks for."""
        return "Bearer"
