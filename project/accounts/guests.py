"""Guests: visitors who ask without signing in, each known by the session of one browser.

A guest is a row of the users that `User.objects` does not know and nobody can sign in as. The
session holds its number; `request.user` stays anonymous. Only what looks for a guest finds one, so
that every page and call that does not is closed to guests as it is to anybody.
"""

import uuid

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY as SIGNED_IN
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from project import ratelimit
from project.accounts.models import User
from project.http.client_address import address_block, client_address
from project.http.rates import too_many

KEY = "guest"  # in the session
log = structlog.get_logger(__name__)


def visitor(request: HttpRequest) -> User:
    """Return somebody who may become a guest: no row, and the rights of guests."""
    user = User(is_guest=True, remembers=False)
    user.address = address_block(client_address(request))
    return user


def guest_of(session: SessionBase) -> User | None:
    """Return the guest of a session in which nobody is signed in."""
    pk = session.get(KEY)
    if pk is None or SIGNED_IN in session:
        return None
    return User.everybody.filter(pk=pk, is_guest=True, is_active=True).first()


def guest_of_request(request: HttpRequest) -> User | None:
    """Return the guest who asks, with their address."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    guest = guest_of(request.session)
    if guest is not None:
        guest.address = address_block(client_address(request))
    return guest


def guest_begin(request: HttpRequest) -> User:
    """Make a guest of the session of a visitor, under a fresh key: one that was planted is void.

    Raises TooMany when as many have begun at the address as may.
    """
    user = visitor(request)
    if settings.ACERVO_RATE_GUEST_ADDRESS:
        state = ratelimit.hit("guests", user.address, settings.ACERVO_RATE_GUEST_ADDRESS)
        if not state.allowed:
            message = _("Too many guests have come from your network. Sign in, or try again later.")
            raise too_many("guests", state, message)
    user.username = f"guest-{uuid.uuid4().hex}"
    user.last_login = timezone.now()
    user.set_unusable_password()
    user.save(force_insert=True)
    request.session.cycle_key()
    request.session[KEY] = user.pk
    log.info("guest_began", guest=user.pk)
    return user


def guest_forget(session: SessionBase) -> int | None:
    """Take the guest out of a session and return their number."""
    pk: int | None = session.pop(KEY, None)
    return pk
