"""Showing a conversation to the members of a space, and taking that back."""

import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.models import Conversation, Share
from chat.services._common import space_of
from chat.threads import path_of
from project.accounts.models import User
from project.http.errors import Invalid


@transaction.atomic
def share_put(*, acting_user: User, conversation: Conversation, space: uuid.UUID) -> Share:
    """Share what was said so far with a space that the person may read; the link stays the same.

    Raises NotFound for other spaces, Invalid when nothing was said yet.
    """
    found = space_of(acting_user, space)
    assert found is not None
    path = path_of(conversation)
    if not path:
        raise Invalid(_("There is nothing to share yet."))
    share, _is_new = Share.objects.update_or_create(
        conversation=conversation,
        defaults={"space": found, "leaf_id": path[-1], "created_at": timezone.now()},
    )
    return share


def share_delete(*, acting_user: User, conversation: Conversation) -> bool:
    """Take the link back; return whether there was one."""
    owned = Conversation.objects.visible_to(acting_user)
    count, _rows = Share.objects.filter(conversation=conversation, conversation__in=owned).delete()
    return bool(count)
