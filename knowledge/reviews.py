"""Who is told of reviews that are due, and when the next one is.

An owner is told once for each due date of a node: a row that can be there only once, the event
`knowledge.node.review_due` in the same transaction, and a mail where a server is configured. Mails
are sent by a later step of the same task: one that fails is tried again the next hour.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import ngettext

from knowledge.choices import NodeStatus
from knowledge.models import FindingSnooze, Node, ReviewInterval, ReviewReminder
from project.accounts.models import User
from project.events.services import emit

log = structlog.get_logger(__name__)

BATCH = 500
MAIL_PATIENCE = datetime.timedelta(days=3)
"""A mail that could not be sent for so long is not sent any more."""


def mail_is_configured() -> bool:
    """Return whether mails can be sent."""
    return bool(settings.EMAIL_HOST) or "smtp" not in settings.EMAIL_BACKEND


def reminders_make() -> int:
    """Tell owners of the reviews that are due, each once; return how many were told.

    Archived nodes and snoozed reviews are left out.
    """
    today = timezone.localdate()
    due = (
        Node.objects.filter(review_due__lte=today)
        .exclude(status=NodeStatus.ARCHIVED)
        .exclude(
            pk__in=FindingSnooze.objects.filter(code="review_overdue", until__gt=today).values(
                "node"
            )
        )
        .order_by("review_due", "pk")
    )
    made = 0
    told = ReviewReminder.objects.values_list("node", "review_due")
    for node in due.select_related("owner").only("pk", "space", "review_due", "owner").iterator():
        assert node.review_due is not None
        if told.filter(node=node.pk, review_due=node.review_due).exists():
            continue
        made += _remind(node)
    return made


def _remind(node: Node) -> int:
    owner = node.owner if node.owner is not None and node.owner.is_active else None
    assert node.review_due is not None
    with transaction.atomic():
        _reminder, is_new = ReviewReminder.objects.get_or_create(
            node=node,
            review_due=node.review_due,
            defaults={
                "user": owner,
                "mail_due": bool(owner and owner.email and mail_is_configured()),
            },
        )
        if is_new:
            emit(
                "knowledge.node.review_due",
                {
                    "node": str(node.pk),
                    "review_due": node.review_due.isoformat(),
                    "owner": owner.pk if owner else None,
                },
                space_id=node.space_id,
                subject_id=node.pk,
            )
    return int(is_new)


def mails_send() -> int:
    """Send what is due, one mail a person; return how many went.

    The rows are locked while their mail is on its way, so that two processes send it once. A server
    that refuses leaves them for the next time.
    """
    sent = 0
    for user_id in _people():
        with transaction.atomic():
            rows = list(
                ReviewReminder.objects.select_for_update(skip_locked=True, of=("self",))
                .filter(mail_due=True, user=user_id)
                .select_related("node")
                .order_by("review_due", "pk")[:BATCH]
            )
            user = User.objects.filter(pk=user_id, is_active=True).exclude(email="").first()
            if rows and user is not None and not _mail(user, [row.node for row in rows]):
                continue
            ids = [row.pk for row in rows]
            mailed = {"mailed_at": timezone.now()} if user is not None else {}
            ReviewReminder.objects.filter(pk__in=ids).update(mail_due=False, **mailed)
            sent += int(bool(rows) and user is not None)
    return sent


def _people() -> Iterable[int]:
    waiting = ReviewReminder.objects.filter(mail_due=True)
    waiting.filter(created_at__lt=timezone.now() - MAIL_PATIENCE).update(mail_due=False)
    waiting.filter(user=None).update(mail_due=False)
    people = waiting.exclude(user=None).order_by("user").values_list("user", flat=True)
    return [user for user in people.distinct() if user is not None]


def _mail(user: User, nodes: list[Node]) -> bool:
    """Send one person the list of what to read again; return whether the server took it."""
    with translation.override(user.language or settings.LANGUAGE_CODE):
        subject = ngettext(
            "%(count)s text of yours is due for review",
            "%(count)s texts of yours are due for review",
            len(nodes),
        )
        base = settings.ACERVO_PUBLIC_URL
        context = {
            "user": user,
            "nodes": [(node, f"{base}{node.get_absolute_url()}") for node in nodes],
            "list_url": f"{base}{reverse('admin:knowledge_nodequality_changelist')}?owner=me",
        }
        body = render_to_string("knowledge/mail/review_due.txt", context)
    message = EmailMessage(subject % {"count": len(nodes)}, body, to=[user.email])
    try:
        message.send()
    except OSError as error:  # SMTPException is one
        log.warning("reminder_not_sent", user=user.pk, error=type(error).__name__)
        return False
    return True


# -- the next review -------------------------------------------------------------------------------


def review_days(space_id: uuid.UUID, kind: str) -> int:
    """Return after how many days a node of the space and kind is to be read again."""
    rows = ReviewInterval.objects.filter(space=space_id, kind__in=("", kind))
    days = dict(rows.values_list("kind", "days"))
    return days.get(kind) or days.get("") or int(settings.ACERVO_REVIEW_DAYS)


def next_review(node: Node) -> datetime.date:
    """Return when a node that was just read is to be read again."""
    return timezone.localdate() + datetime.timedelta(days=review_days(node.space_id, node.kind))
