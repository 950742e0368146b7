"""Who is at the other end of a socket, and whether they still may be.

A browser comes with its session cookie; a program exchanges its API key for a token that opens
sockets for a minute. What it opens lasts until the token's own end, unless a fresh one is shown
before. Both are looked at again while the socket is open: signing out, deactivating a person or
revoking a key ends what they may do there.
"""

import functools
import secrets
import time
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
from django.core.cache import cache
from django.http import HttpRequest, parse_cookie
from django.http.request import validate_host
from django.utils import timezone
from django.utils.translation import get_language_from_request

from project.accounts.guests import guest_of
from project.accounts.models import ApiKey, User
from project.aio import in_thread
from project.database.prepared import prepared_rows
from project.database.reading import Reading
from project.http.client_address import address_block, client_address

TOKEN_SECONDS = 60
_SALT = "acervo.socket"

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SocketCaller:
    """How somebody proved who they are; `scopes` is None for a session, which has them all.

    `language` is that of the browser, for people who chose none; `stamp` changes with the password;
    `ends_at` (seconds since 1970) is when a token's time is over. A guest comes with the session
    and has an `address`, by which they are limited.
    """

    user_id: int
    session_key: str | None = None
    key_id: uuid.UUID | None = None
    scopes: frozenset[str] | None = None
    language: str = ""
    stamp: str = ""
    ends_at: float | None = None
    is_guest: bool = False
    address: str = ""

    def is_over(self) -> bool:
        """Whether the time of the token is over."""
        return self.ends_at is not None and time.time() >= self.ends_at

    def has_scope(self, scope: str) -> bool:
        """Whether this caller may use that part of Acervo."""
        return self.scopes is None or scope in self.scopes


def socket_token_create(
    *, acting_user: User, key: ApiKey | None, session_key: str | None = None
) -> str:
    """Return a token that opens sockets for the user, with the rights of the key if any.

    One that a session asked for ends with it. The session is named by a reference: its key in an
    address would be as good as a cookie.
    """
    reference = ""
    if session_key is not None:
        reference = secrets.token_urlsafe(16)
        cache.set(_reference(reference), session_key, TOKEN_SECONDS + 5)
    claims = {"user": acting_user.pk, "key": str(key.pk) if key is not None else None}
    return signing.dumps({**claims, "session": reference}, salt=_SALT)


def identified(scope: Scope) -> tuple[SocketCaller, User] | None:
    """Return who opens a socket and how they proved it; None for nobody."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    if "token" in query:
        return caller_of_token(query["token"][0])
    session_key = parse_cookie(_header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    user = _session_user(session_key)
    if user is None:
        return None
    caller = caller_of_session(user, session_key, language=_language_of(scope))
    return caller, user


def guest_identified(scope: Scope) -> tuple[SocketCaller, User] | None:
    """Return the guest who opens a socket; only sockets that are for guests, too, may ask."""
    session_key = parse_cookie(_header(scope, b"cookie")).get(settings.SESSION_COOKIE_NAME)
    if not session_key or b"token=" in scope.get("query_string", b""):
        return None
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = (scope.get("client") or ("",))[0]
    request.META["HTTP_X_FORWARDED_FOR"] = _header(scope, b"x-forwarded-for")
    caller = caller_of_guest(request, session_key, language=_language_of(scope))
    user = user_of(caller) if caller is not None else None
    return (caller, user) if caller is not None and user is not None else None


def caller_of_guest(
    request: HttpRequest, session_key: str, *, language: str = ""
) -> SocketCaller | None:
    """Return the caller that the guest of a session is; None where there is none."""
    guest = _session_guest(session_key)
    if guest is None:
        return None
    address = address_block(client_address(request))
    return SocketCaller(
        guest.pk, session_key=session_key, language=language, is_guest=True, address=address
    )


def caller_of_session(user: User, session_key: str, *, language: str = "") -> SocketCaller:
    """Return the caller that a signed-in browser is."""
    stamp = user.get_session_auth_hash()
    return SocketCaller(user.pk, session_key=session_key, language=language, stamp=stamp)


def caller_of_token(token: str) -> tuple[SocketCaller, User] | None:
    """Return whose token that is; None for one that is forged, old, or of somebody who left."""
    try:
        claims = signing.loads(token, salt=_SALT, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        return None
    session_key = None
    if claims["session"]:
        session_key = cache.get(_reference(claims["session"]))
        if session_key is None:
            return None
    key = None
    if claims["key"] is not None:
        key = ApiKey.objects.usable().filter(pk=claims["key"], user_id=claims["user"]).first()
        if key is None:
            return None
    caller = SocketCaller(
        claims["user"],
        session_key=session_key,
        key_id=key.pk if key is not None else None,
        scopes=frozenset(key.scopes) if key is not None else None,
        ends_at=time.time() + settings.ACERVO_SOCKET_TOKEN_SECONDS,
    )
    user = user_of(caller)
    return (caller, user) if user is not None else None


def _reference(name: str) -> str:
    return f"socket-token:{name}"


def user_of(caller: SocketCaller) -> User | None:
    """Return the caller's user if they may still act: signed in, active, key not revoked."""
    if caller.is_over():
        return None
    if caller.session_key is not None:
        if caller.stamp and (user := _unchanged(caller)) is not None:
            return user
        find = _session_guest if caller.is_guest else _session_user
        user = find(caller.session_key)
        if user is not None:
            user.address = caller.address
        return user if user is not None and user.pk == caller.user_id else None
    if caller.key_id is not None:
        key = ApiKey.objects.usable().select_related("user").filter(pk=caller.key_id).first()
        return key.user if key is not None else None
    return User.objects.filter(pk=caller.user_id, is_active=True).first()


@functools.cache
def _people() -> Reading[User]:
    return Reading(User, "person")


def _unchanged(caller: SocketCaller) -> User | None:
    """Return the person of a session that is still there, if their password is still the same.

    By one statement, as it is asked with every message. The key of a session changes with whoever
    is signed in; what is not as simple is left to the session itself.
    """
    sessions = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    reading = _people()
    rows = prepared_rows(
        f"SELECT {reading.columns} FROM accounts_user AS person "  # noqa: S608 - our own columns
        "WHERE id = %s AND is_active AND NOT is_guest AND EXISTS ("
        f"SELECT FROM {sessions._meta.db_table} WHERE session_key = %s AND expire_date > %s)",
        [caller.user_id, caller.session_key, timezone.now()],
        is_text=True,
    )
    user = reading.row(rows[0]) if rows else None
    is_same = user is not None and user.get_session_auth_hash() == caller.stamp
    return user if is_same else None


def _session_guest(session_key: str) -> User | None:
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return guest_of(session)


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
        caller, user = await in_thread(identified, scope) or (None, AnonymousUser())
        await self.application({**scope, "caller": caller, "user": user}, receive, send)


def _is_own_origin(scope: Scope) -> bool:
    origin = _header(scope, b"origin")
    if not origin or origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    host = _header(scope, b"host").lower()
    parts = urlsplit(origin)
    return parts.netloc.lower() == host and validate_host(
        parts.hostname or "", settings.ALLOWED_HOSTS
    )
