"""What a person chose for their pages: the language, and the time zone of their browser."""

import zoneinfo
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

TIME_ZONE_COOKIE = "acervo_time_zone"
Handler = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class PreferencesMiddleware:
    """The language of the account goes before the cookie and `Accept-Language`.

    Behind LocaleMiddleware, which settles the latter two, and AuthenticationMiddleware.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._acall(request)
        with _zone_of(request):
            _speak(request, request.user if _has_session(request) else None)
            response = self.get_response(request)
            assert isinstance(response, HttpResponseBase)
            return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        with _zone_of(request):
            _speak(request, await request.auser() if _has_session(request) else None)
            response = self.get_response(request)
            assert not isinstance(response, HttpResponseBase)
            return await response


def _has_session(request: HttpRequest) -> bool:
    """Whether somebody may be signed in: reading `request.user` costs a look at the session."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES


def _speak(request: HttpRequest, user: Any) -> None:
    language = getattr(user, "language", "")
    if language in dict(settings.LANGUAGES):
        translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()


def _zone_of(request: HttpRequest) -> timezone.override:
    try:
        zone = zoneinfo.ZoneInfo(request.COOKIES.get(TIME_ZONE_COOKIE, ""))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return timezone.override(timezone.get_default_timezone())
    return timezone.override(zone)
