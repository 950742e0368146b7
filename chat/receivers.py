"""What chat does when others say so: knowledge in the same transaction, accounts at sign-in."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import ngettext

from chat.answer_cache.keeping import answers_forget
from chat.models import Citation
from chat.services.guests import conversations_claim
from knowledge.signals import versions_erased
from project.accounts.guests import guest_forget
from project.accounts.models import User


@receiver(versions_erased, dispatch_uid="chat-citations-erase")
def citations_erase(*, node_id: uuid.UUID, versions: Sequence[int], **_: Any) -> None:
    """Empty what citations quote of erased versions; that they cited them stays."""
    Citation.objects.filter(cited_id=node_id, version__in=versions).update(title="", snippet="")
    answers_forget(node_id, versions)


@receiver(user_logged_in, dispatch_uid="chat-guest-claim")
def guest_claim(*, request: HttpRequest, user: User, **_: Any) -> None:
    """Give whoever signs in, by whatever way, what they asked as a guest of this very session.

    Django has given the session a fresh key by then, or emptied it where somebody else was signed
    in: no key that was known before opens it.
    """
    guest = guest_forget(request.session)
    count = conversations_claim(acting_user=user, guest_id=guest) if guest is not None else 0
    if count:
        words = ngettext(
            "The conversation that you began as a guest is yours now.",
            "The %(count)s conversations that you began as a guest are yours now.",
            count,
        )
        messages.success(request, words % {"count": count}, fail_silently=True)
