"""The pages of chat that guests may open, and what they tell them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat.models import Conversation
from chat.services.admission import guest_allowance
from knowledge.models import Space
from project.accounts.guests import guest_of_request, visitor
from project.accounts.models import User
from project.http.ids import uuid_or_none
from project.ratelimit import RateState

Page = Callable[..., HttpResponse]


def guests_too(page: Page) -> Page:
    """Let in who is signed in, the guest of the session (`request.guest`), and, where the page is
    of nothing in particular, any visitor while a space is open to guests. Others are to sign in.
    """
    for_people = login_required(page)

    @wraps(page)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return page(request, *args, **kwargs)
        guest = guest_of_request(request) or (None if kwargs else visitor(request))
        if guest is None or (not kwargs and not guests_are_welcome()):
            return for_people(request, *args, **kwargs)
        request.guest = guest  # type: ignore[attr-defined]  # templates read it, too
        return page(request, *args, **kwargs)

    return shown


def guests_are_welcome() -> bool:
    """Return whether a space is open to guests."""
    return Space.objects.open_to_guests().exists()


def left_of(user: User) -> RateState | None:
    """Return what a guest has left of their questions; None for people, and without a limit."""
    return guest_allowance(user) if user.is_guest else None


@require_safe
@never_cache
def guest_sign_in(request: HttpRequest) -> HttpResponse:
    """Send a guest to sign in, and from there back to `conversation`, or the one asked last."""
    address = reverse("chat-home")
    guest = guest_of_request(request)
    if guest is not None:
        rows = Conversation.objects.visible_to(guest)
        wanted = uuid_or_none(request.GET.get("conversation", ""))
        shown = rows.filter(pk=wanted).first() if wanted is not None else None
        found = shown or rows.order_by("-updated_at", "id").first()
        address = found.get_absolute_url() if found is not None else address
    return redirect_to_login(address)
