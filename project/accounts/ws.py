"""Who is at the other end of a socket, and whether they still may be.

A browser comes with its session cookie; a program exchanges its API key for a token that opens
sockets for a minute. Both are looked at again while the socket is open: signing out, deactivating
a person or revoking a key ends what they may do there.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.http import HttpRequest, parse_cookie
from django.http.request import validate_host
from django.utils.translation import get_language_from_request

from project.accounts.models import ApiKey, User
from project.aio import in_thread

TOKEN_SECONDS = 60
_SALT = "acervo.socket"

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SocketCaller:
    """How somebody proved who they are; `scopes` is None for a session, which has them all.

    `language` is that of the browser, for people who chose none.
    """

    user_id: int
    session_key: str | None = None
    key_id: uuid.UUID | None = None
    scopes: frozenset[str] | None = None
    language: str = ""

    def has_scope(self, scope: str) -> bool:
        """Whether this caller may use that part of Acervo."""
        return self.scopes is None or scope in self.scopes


def socket_token_create(*, acting_user: User, key: ApiKey | None) -> str:
    """Return a token that opens sockets for the user, with the rights of the key if any."""
    return signing.dumps(
        {"user": acting_user.pk, "key": str(key.pk) if key is not None else None}, salt=_SALT
    )


def caller_of(scope: Scope) -> SocketCaller | None:
    """Return who opens a socket, by `?token=` or else by the session cookie; None for nobody."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if "token" in query:
        return _caller_of_token(query["token"][0])
    session_key = parse_cookie(_header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    user = _session_user(session_key)
    if user is None:
        return None
    return SocketCaller(user.pk, session_key=session_key, language=_language_of(scope))


def user_of(caller: SocketCaller) -> User | None:
    """Return the caller's user if they may still act: signed in, active, key not revoked."""
    if caller.session_key is not None:
        user = _session_user(caller.session_key)
        return user if user is not None and user.pk == caller.user_id else None
    if caller.key_id is not None:
        key = ApiKey.objects.usable().select_related("user").filter(pk=caller.key_id).first()
        return key.user if key is not None else None
    return User.objects.filter(pk=caller.user_id, is_active=True).first()


def _caller_of_token(token: str) -> SocketCaller | None:
    try:
        claims = signing.loads(token, salt=_SALT, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        return None
    if claims["key"] is None:
        caller = SocketCaller(claims["user"])
        return caller if user_of(caller) is not None else None
    key = ApiKey.objects.usable().filter(pk=claims["key"], user_id=claims["user"]).first()
    if key is None:
        return None
    return SocketCaller(claims["user"], key_id=key.pk, scopes=frozenset(key.scopes))


def _session_user(session_key: str) -> User | None:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None


def _language_of(scope: Scope) -> str:
    """Return the language that a page would have for the browser which opens the socket."""
    request = HttpRequest()
    request.COOKIES = parse_cookie(_header(scope, b"cookie"))
    request.META["HTTP_ACCEPT_LANGUAGE"] = _header(scope, b"accept-language")
    return get_language_from_request(request)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


class SocketAuth:
    """Puts the caller and their user on the scope of each socket; both may be nobody.

    Turns away pages of other origins: they would act with the cookie of whoever visits them.
    Browsers always say where a page is from; programs need not.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass an acceptable connection on."""
        if not _is_own_origin(scope):
            await receive()
            await send({"type": "websocket.close", "code": 4403})
            return
        caller = await in_thread(caller_of, scope)
        user = await in_thread(user_of, caller) if caller is not None else None
        known = {"caller": caller if user is not None else None, "user": user or AnonymousUser()}
        await self.application({**scope, **known}, receive, send)


def _is_own_origin(scope: Scope) -> bool:
    origin = _header(scope, b"origin")
    if not origin or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    host = _header(scope, b"host").lower()
    parts = urlsplit(origin)
    return parts.netloc.lower() == host and validate_host(
        parts.hostname or "", settings.ALLOWED_HOSTS
    )
