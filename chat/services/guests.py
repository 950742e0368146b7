"""What guests begin, and what becomes of it: taken over by whoever signs in, or deleted."""

import datetime
import uuid

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.models import Conversation, Feedback
from chat.services._common import absent, as_title, space_of
from project.accounts.models import User
from project.http.errors import Conflict

MOST_CONVERSATIONS = 50
BATCH = 500
log = structlog.get_logger(__name__)


@transaction.atomic
def guest_conversation_create(*, guest: User, space: uuid.UUID | None, title: str) -> Conversation:
    """Start a conversation of a guest with one space that is open to guests.

    Raises NotFound, Invalid, and Conflict where there are too many. The row of the guest is locked:
    a conversation is either there to be claimed, or not begun.
    """
    if not User.everybody.select_for_update().filter(pk=guest.pk, is_active=True).exists():
        raise absent()
    chosen = space_of(guest, space)
    if Conversation.objects.filter(user=guest).count() >= MOST_CONVERSATIONS:
        message = _("Guests keep %(count)s conversations at most. Delete one, or sign in.")
        raise Conflict(message % {"count": MOST_CONVERSATIONS}, code="too_many_conversations")
    return Conversation.objects.create(user=guest, space=chosen, title=as_title(title))


@transaction.atomic
def conversations_claim(*, acting_user: User, guest_id: int) -> int:
    """Make the conversations of a guest those of a person, once; return how many they are.

    The caller has shown that the guest is of the person's own session. The guest is over: their
    row stays, without anything, until it is swept.
    """
    rows = User.everybody.select_for_update()
    guest = rows.filter(pk=guest_id, is_guest=True, is_active=True).first()
    if guest is None or acting_user.is_guest:
        return 0
    guest.is_active, guest.last_login = False, timezone.now()
    guest.save(update_fields=["is_active", "last_login"])
    Feedback.objects.filter(user=guest).update(user=acting_user)
    count = Conversation.objects.filter(user=guest).update(user=acting_user)
    log.info("guest_claimed", guest=guest.pk, user=acting_user.pk, conversations=count)
    return count


def guests_expire() -> int:
    """Delete guests who were silent for ACERVO_GUEST_DAYS, with all they asked; return how many."""
    since = timezone.now() - datetime.timedelta(days=settings.ACERVO_GUEST_DAYS)
    lively = Conversation.objects.filter(user=OuterRef("pk"), updated_at__gte=since)
    silent = User.everybody.filter(~Exists(lively), is_guest=True, last_login__lt=since)
    chosen = list(silent.order_by("last_login").values_list("pk", flat=True)[:BATCH])
    User.everybody.filter(~Exists(lively), pk__in=chosen, is_guest=True).delete()
    return len(chosen)
