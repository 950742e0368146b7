"""The list of conversations: newest first, in pages, under the days of their last messages."""

import datetime
import uuid
from dataclasses import dataclass
from itertools import groupby

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.models import Conversation, Message
from project.accounts.models import User

PAGE = 40


@dataclass(frozen=True, slots=True)
class Day:
    """The conversations under one heading."""

    label: str
    conversations: list[Conversation]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list; `after` marks where the next one begins, if there is one."""

    days: list[Day]
    after: str = ""


def conversations_listed(user: User, *, words: str = "", after: str = "") -> Listing:
    """Return a page of a person's conversations whose title or messages hold all `words`.

    `after` is the mark of the page before; one that cannot be read counts as absent.
    """
    messages = Message.objects.filter(conversation=OuterRef("pk"))
    rows = Conversation.objects.visible_to(user).filter(Exists(messages))
    for word in words.split()[:8]:
        rows = rows.filter(
            Q(title__icontains=word) | Exists(messages.filter(content__icontains=word))
        )
    mark = _mark(after)
    if mark is not None:
        rows = rows.filter(Q(updated_at__lt=mark[0]) | Q(updated_at=mark[0], id__gt=mark[1]))
    page = list(rows.order_by("-updated_at", "id")[: PAGE + 1])
    is_more, page = len(page) > PAGE, page[:PAGE]
    days = [
        Day(label, list(group))
        for label, group in groupby(page, lambda each: _label(each.updated_at))
    ]
    last = f"{page[-1].updated_at.isoformat()}_{page[-1].pk}" if is_more else ""
    return Listing(days, last)


def _mark(raw: str) -> tuple[datetime.datetime, uuid.UUID] | None:
    moment, _separator, pk = raw.partition("_")
    try:
        mark = datetime.datetime.fromisoformat(moment), uuid.UUID(pk)
    except ValueError:
        return None
    return mark if mark[0].tzinfo else None


def _label(moment: datetime.datetime) -> str:
    """Return the heading for a moment, in the time zone of the reader."""
    day, today = timezone.localtime(moment).date(), timezone.localdate()
    if day >= today:
        return _("Today")
    if day == today - datetime.timedelta(days=1):
        return _("Yesterday")
    if day > today - datetime.timedelta(days=7):
        return _("Previous 7 days")
    if day > today - datetime.timedelta(days=30):
        return _("Previous 30 days")
    # Translators: a month and its year, as a heading: "August 2026"
    return date_format(day, "YEAR_MONTH_FORMAT")
