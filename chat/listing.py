"""The list of conversations: pinned, then newest first in pages, under the days of their last
messages; or the archived ones; or what holds the words that somebody looks for.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from chat.cold import warmed
from chat.models import ColdConversation, Conversation, Message
from chat.searching import Piece, Words, excerpt, marked, query_of, words_of
from project.accounts.models import User

PAGE = 50
MOST_PINNED = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """A conversation; of a search, with its title and the found text in pieces."""

    conversation: Conversation
    title: list[Piece] = field(default_factory=list)
    excerpt: list[Piece] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Day:
    """The conversations under one heading; without a label they go on under the one before."""

    label: str
    entries: list[Entry]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list; `after` marks where the next one begins, if there is one."""

    days: list[Day]
    after: str = ""
    is_archive: bool = False
    is_search: bool = False


def conversations_listed(
    user: User, *, words: str = "", after: str = "", is_archive: bool = False
) -> Listing:
    """Return a page of a person's conversations that hold all `words`, archived or not.

    Without words: those that are not archived, or only those that are. `after` is the mark of the
    page before; one that cannot be read counts as absent.
    """
    wanted = words_of(words)
    rows = conversations_with(user, wanted)
    if not wanted:
        rows = rows.filter(archived_at__isnull=not is_archive)
    mark = _mark(after)
    pinned, page = _page(rows, mark, has_pinned=not wanted and not is_archive)
    is_more, page = len(page) > PAGE, page[:PAGE]
    entries = _entries(page, wanted)
    days = [Day(_("Pinned"), _entries(pinned, []))] if pinned else []
    days += [
        Day(label, list(group))
        for label, group in groupby(entries, lambda each: _label(each.conversation.updated_at))
    ]
    if mark is not None and days and days[0].label == _label(mark[0]):
        days[0] = Day("", days[0].entries)  # it goes on where the page before ended
    last = f"{page[-1].updated_at.isoformat()}_{page[-1].pk}" if is_more else ""
    return Listing(days, last, is_archive=is_archive and not wanted, is_search=bool(wanted))


def conversations_with(user: User, wanted: list[str]) -> QuerySet:
    """Return a person's conversations in which something was said, with every wanted word.

    A word may stand in the title or in any message.
    """
    messages = Message.objects.filter(conversation=OuterRef("pk"))
    rows = Conversation.objects.visible_to(user).filter(Exists(messages))
    if wanted:
        rows = rows.annotate(title_words=Words("title"))
    for word in wanted:
        query = query_of(word)
        holding = messages.annotate(words=Words("content")).filter(words=query)
        cold = ColdConversation.objects.filter(conversation=OuterRef("pk"), words=query)
        rows = rows.filter(Q(title_words=query) | Exists(holding) | Exists(cold))
    if wanted:
        rows = rows.annotate(text_found=Subquery(_saying(messages, wanted)[:1]))
    return rows


def _saying(messages: QuerySet, wanted: Sequence[str]) -> QuerySet:
    """Return the texts of messages that have one of the words, the newest first."""
    query = query_of(wanted[0])
    for word in wanted[1:]:
        query |= query_of(word)
    found = messages.annotate(words=Words("content")).filter(words=query)
    texts: QuerySet = found.order_by("-created_at").values("content")
    return texts


def _page(
    rows: QuerySet, mark: tuple[datetime.datetime, uuid.UUID] | None, *, has_pinned: bool
) -> tuple[list[Conversation], list[Conversation]]:
    """Return the pinned conversations and those behind `mark`, one more than a page, at once."""
    others = rows.filter(pinned_at=None) if has_pinned else rows
    if mark is not None:
        others = others.filter(Q(updated_at__lt=mark[0]) | Q(updated_at=mark[0], id__gt=mark[1]))
    others = others.order_by("-updated_at", "id")[: PAGE + 1]
    if not has_pinned or mark is not None:
        return [], list(others)
    pinned = rows.exclude(pinned_at=None).order_by("-pinned_at", "id")[:MOST_PINNED]
    found = list(pinned.union(others, all=True))
    kept = [each for each in found if each.pinned_at is not None]
    rest = [each for each in found if each.pinned_at is None]
    kept.sort(key=lambda each: (-each.pinned_at.timestamp(), each.pk))
    rest.sort(key=lambda each: (-each.updated_at.timestamp(), each.pk))
    return kept, rest


def _entries(rows: list[Conversation], wanted: list[str]) -> list[Entry]:
    if not wanted:
        return [Entry(each) for each in rows]
    return [
        Entry(each, marked(each.title, wanted), excerpt(_text_found(each, wanted), wanted))
        for each in rows
    ]


def _text_found(conversation: Conversation, wanted: list[str]) -> str:
    """Return the newest message that has one of the words; cold storage gives back what it has."""
    text: str | None = conversation.__dict__["text_found"]
    if conversation.cold_since is not None:
        warmed(conversation)
        messages = Message.objects.filter(conversation=conversation)
        text = _saying(messages, wanted).values_list("content", flat=True).first()
    return text or ""


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
