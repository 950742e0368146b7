"""Attaching files to a conversation, and taking them away."""

import hashlib
import uuid

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext as _

from chat import tasks
from chat.models import Attachment, Conversation
from chat.services._common import absent
from knowledge.parsing import ParsingError, UnsupportedDocument, check_upload
from knowledge.source_files import name_cleaned
from project import ratelimit
from project.accounts.models import User
from project.celery import send_after_commit
from project.http.errors import Conflict, Invalid, TooLarge, TooMany, Unreadable, UnsupportedType


def attachment_add(
    *,
    acting_user: User,
    conversation_id: uuid.UUID,
    file: File,
    filename: str,
    content_type: str = "",
) -> Attachment:
    """Attach a file and have it read; the same content again returns what is attached already.

    Raises NotFound, Invalid, TooLarge, TooMany, UnsupportedType, Unreadable, and Conflict where as
    many files are attached as may be.
    """
    _limit(acting_user)
    data = _checked(file, filename, content_type)
    with transaction.atomic():
        conversation = (
            Conversation.objects.visible_to(acting_user)
            .select_for_update()
            .filter(pk=conversation_id)
            .first()
        )
        if conversation is None:
            raise absent()
        digest = hashlib.sha256(data).hexdigest()
        rows = Attachment.objects.filter(conversation=conversation)
        known = rows.filter(sha256=digest).first()
        if known is not None:
            return known
        most = settings.ACERVO_ATTACHMENTS
        if rows.count() >= most:
            message = _("%(most)s files are attached already: remove one first.") % {"most": most}
            raise Conflict(message, code="too_many_attachments", field="file")
        row = Attachment.objects.create(
            conversation=conversation,
            filename=name_cleaned(filename),
            content_type=content_type[:127],
            size=len(data),
            sha256=digest,
            data=data,
        )
        send_after_commit(tasks.attachment_read, str(row.pk))
    return row


def attachment_remove(*, acting_user: User, attachment: Attachment) -> None:
    """Take an attachment away, with its passages; answers that cite it keep what they quote."""
    Attachment.objects.visible_to(acting_user).filter(pk=attachment.pk).delete()


def _checked(file: File, filename: str, content_type: str) -> bytes:
    """Return the bytes of a file that may be attached."""
    most = settings.ACERVO_ATTACHMENT_BYTES
    if (file.size or 0) > most:
        message = _("The file is too large to attach: up to %(most)s MB are allowed.")
        raise TooLarge(message % {"most": most // 1024**2}, field="file")
    data: bytes = file.read()
    if not data:
        raise Invalid(_("The file is empty."), field="file")
    try:
        check_upload(data, filename, content_type)
    except UnsupportedDocument as fault:
        raise UnsupportedType(fault.message, code=fault.code, field="file") from None
    except ParsingError as fault:
        raise Unreadable(fault.message, code=fault.code, field="file") from None
    return data


def _limit(user: User) -> None:
    if not settings.ACERVO_RATE_UPLOADS:
        return
    state = ratelimit.hit("uploads", str(user.pk), settings.ACERVO_RATE_UPLOADS)
    if not state.allowed:
        raise TooMany(_("Too many uploads. Wait and try again."), retry_after=state.retry_after)
