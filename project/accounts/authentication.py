"""How the REST API knows who is calling."""

import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from project.accounts.models import ApiKey, User

TOUCH_EVERY = datetime.timedelta(minutes=1)
_KNOWN = "acervo_api_key"  # attribute of a request: the secret that it shows, and its key


def key_find(secret: str) -> ApiKey | None:
    """Return the usable key with that secret, noting its use at most once a minute."""
    keys = ApiKey.objects.usable().select_related("user")
    key: ApiKey | None = keys.filter(hash=ApiKey.hash_of(secret)).first()
    if key is None:
        return None
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > TOUCH_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


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
