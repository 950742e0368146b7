"""Telling those who look after a space that its budget is nearly, or all, used up.

The event, and with it webhooks, goes out in the transaction that counts the spending. Mails follow
where a mail server is set up: one a person and notice, and again later if the server refuses.
"""

from __future__ import annotations

import datetime
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.dispatch import receiver
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from knowledge.models import Space, SpaceRole
from knowledge.reviews import mail_is_configured
from project.accounts.choices import Role
from project.accounts.models import User
from project.events.services import emit
from project.inference.budgets import spent
from project.inference.models import BudgetNotice, SpaceBudget
from project.inference.signals import budget_passed

ALL = 100
PATIENCE = datetime.timedelta(days=3)
"""A mail that could not be sent for so long is not sent any more."""

log = structlog.get_logger(__name__)


@receiver(budget_passed, dispatch_uid="chat-budget-notice")
def budget_tell(*, notice: BudgetNotice, **_extra: Any) -> None:
    """Emit the event of a notice that was just made."""
    used = spent(notice.space_id)
    emit(
        "inference.budget.used_up" if notice.percent >= ALL else "inference.budget.nearly_used_up",
        {
            "space": str(notice.space_id) if notice.space_id else None,
            "month": notice.month.isoformat(),
            "percent": notice.percent,
            "tokens": used.tokens,
            "cost": float(used.cost),
        },
        space_id=notice.space_id,
    )


def mails_send() -> int:
    """Send the mails that are due; return how many went.

    A notice is locked while its mails are on their way, and remembers whom it has reached.
    """
    BudgetNotice.objects.filter(mail_due=True, created_at__lt=timezone.now() - PATIENCE).update(
        mail_due=False
    )
    sent = 0
    due = BudgetNotice.objects.filter(mail_due=True).order_by("pk")
    for pk in list(due.values_list("pk", flat=True)[:500]):
        with transaction.atomic():
            notice = due.select_for_update(skip_locked=True).filter(pk=pk).first()
            if notice is None:
                continue
            waiting = [each for each in told_of(notice) if str(each.pk) not in notice.mailed]
            if not mail_is_configured():
                waiting = []
            reached = [str(each.pk) for each in waiting if _mail(each, notice)]
            sent += len(reached)
            notice.mailed = [*notice.mailed, *reached]
            notice.mail_due = len(reached) < len(waiting)
            notice.save(update_fields=["mailed", "mail_due"])
    return sent


def told_of(notice: BudgetNotice) -> list[User]:
    """Return the managers of the space with a mail address.

    Of questions over all spaces, and of a space without a manager, superusers.
    """
    people = User.objects.filter(is_active=True).exclude(email="").order_by("pk")
    if notice.space_id is not None:
        held = SpaceRole.objects.filter(space=notice.space_id, role__gte=Role.MANAGER)
        managers = list(people.filter(groups__in=held.values("group")).distinct())
        if managers:
            return managers
    return list(people.filter(is_superuser=True))


def _mail(user: User, notice: BudgetNotice) -> bool:
    """Send one person a notice; return whether the server took it."""
    space = Space.objects.filter(pk__in=[notice.space_id]).first()
    budget = SpaceBudget.objects.filter(space_id=notice.space_id).first()
    with translation.override(user.language or settings.LANGUAGE_CODE):
        name = space.name if space is not None else _("Questions over all spaces")
        is_all = notice.percent >= ALL
        subject = (
            _("The budget of “%(space)s” is used up")
            if is_all
            else _("%(percent)s %% of the budget of “%(space)s” are used")
        ) % {"space": name, "percent": notice.percent}
        context = {
            "user": user,
            "space": name,
            "percent": notice.percent,
            "is_all": is_all,
            "month": date_format(notice.month, "YEAR_MONTH_FORMAT"),
            "used": spent(notice.space_id),
            "budget": budget,
            "url": settings.ACERVO_PUBLIC_URL + reverse("admin:inference_spacebudget_changelist"),
        }
        body = render_to_string("chat/mail/budget.txt", context)
    try:
        EmailMessage(subject, body, to=[user.email]).send()
    except OSError as error:  # SMTPException is one
        log.warning("budget_notice_not_sent", user=user.pk, error=type(error).__name__)
        return False
    return True
