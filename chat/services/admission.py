"""Whether a message is let in: before anything of it is stored, and in the order of what it costs.

1. Too many turns wait: whoever comes now is told when to come back (`queue`).
2. The words that its space refuses.
3. Noise, and the same again and again, is slowed down: it may come again later, as it is.
4. The hourly limit of the person; only what passes everything before counts.
"""

import hashlib
import random
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from chat import metrics
from chat.choices import TurnStatus
from chat.guarding import Word, spam_signs, words_found
from chat.models import Turn
from project import ratelimit
from project.accounts.allowances import limit_with, message_limit, message_limits
from project.accounts.models import User
from project.guarding import folded_words
from project.http.errors import Invalid, Unavailable
from project.http.rates import too_many
from project.ratelimit import RateState

REPEATS = "5/10minutes"
"""In one conversation."""
SHORT_REPEATS = "20/10minutes"
"""For a word or two: "yes", "go on"."""
REPEATS_ANYWHERE = "30/10minutes"
"""In all conversations of a person: a program asks for many people what many ask."""
SHORT_WORDS = 2
NOISE = "6/10minutes"
MEASURED_FOR = 0.5  # seconds that a measurement of the queue is used
COME_BACK = (4, 12)  # seconds, drawn anew each time: not all at once


@dataclass(frozen=True, slots=True)
class Admission:
    """A message that is let in: what is left of the limit (None: no limit), and marked words."""

    allowance: RateState | None
    words: tuple[str, ...] = ()


def admit(
    *,
    user: User,
    conversation_id: uuid.UUID,
    text: str,
    words: Iterable[Word],
    group_limit: int | None,
) -> Admission:
    """Let a message in that the queue has room for. Raises Invalid (`word_refused`) and TooMany.

    `words` are those that it is held against, `group_limit` what the groups of the person allow.
    """
    marked = _watched(text, words)
    if settings.ACERVO_RATE_MESSAGES:
        _slow_down(user, conversation_id, text)
    return Admission(_use(user, limit_with(user, group_limit)), marked)


def allowance_use(user: User) -> RateState | None:
    """Count a message of a person; None without a limit. Raises TooMany."""
    return _use(user, message_limit(user))


def _use(user: User, limit: str) -> RateState | None:
    if user.is_guest:
        return _guest_use(user)
    if not limit:
        return None
    state = ratelimit.hit("messages", str(user.pk), limit)
    if not state.allowed:
        metrics.guarded.labels("rate").inc()
        message = _("You have sent as many messages as you may for now. Try again later.")
        raise too_many("messages", state, message)
    return state


def _guest_use(user: User) -> RateState | None:
    """Count a message of a guest, for them and for their address: both, or none."""
    limits = message_limits(user)
    if not limits:
        return None
    state = ratelimit.hit_all("guest-messages", limits)
    if not state.allowed:
        metrics.guarded.labels("rate").inc()
        message = _("Guests may not ask more for now. Sign in to go on, or try again later.")
        raise too_many("messages", state, message)
    return state


def guest_allowance(user: User) -> RateState | None:
    """Return what a guest has left, without counting; None without a limit."""
    limits = message_limits(user)
    return ratelimit.hit_all("guest-messages", limits, cost=0) if limits else None


def _watched(text: str, words: Iterable[Word]) -> tuple[str, ...]:
    """Return the words that mark a message. Raises Invalid for those that refuse it."""
    found = words_found(text, words)
    refusing = next((each for each in found if each.refuses), None)
    if refusing is not None:
        metrics.guarded.labels("word").inc()
        message = _("The space “%(space)s” does not take questions with “%(phrase)s”.")
        raise Invalid(
            message % {"space": refusing.space, "phrase": refusing.phrase},
            code="word_refused",
            field="content",
            details={"phrase": refusing.phrase},
        )
    return tuple(each.phrase for each in found)


def _slow_down(user: User, conversation_id: uuid.UUID, text: str) -> None:
    """Let repetitions and noise through at their own pace. Raises TooMany."""
    words = folded_words(text)
    digest = hashlib.sha256((words.strip() or text.strip()).encode()).hexdigest()[:24]
    limit = SHORT_REPEATS if len(words.split()) <= SHORT_WORDS else REPEATS
    places = {f"{conversation_id}:{digest}": limit, f"{user.pk}:{digest}": REPEATS_ANYWHERE}
    state = ratelimit.hit_all("repeats", places)
    if not state.allowed:
        metrics.guarded.labels("repeat").inc()
        message = _("You have sent this several times. Wait before you send it again.")
        raise too_many("repeats", state, message, code="repeated_message")
    if not spam_signs(text):
        return
    state = ratelimit.hit("noise", str(user.pk), NOISE)
    if not state.allowed:
        metrics.guarded.labels("noise").inc()
        message = _("Several of your messages looked like noise. Wait before you send this one.")
        raise too_many("noise", state, message, code="slow_down")


class _Queue:
    """How many turns wait, counted at most twice a second in a process.

    What this process let in since the last count is added to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = 0
        self._until = 0.0

    def admit(self) -> None:
        """Count one more. Raises Unavailable (`busy`) when as many wait as may."""
        bound = settings.ACERVO_TURN_QUEUE
        if not bound:
            return
        with self._lock:
            is_old = time.monotonic() >= self._until
            if is_old:
                self._until = time.monotonic() + MEASURED_FOR  # others go on with the last count
        if is_old:
            waiting = Turn.objects.filter(status=TurnStatus.QUEUED).order_by()
            counted = waiting.values("pk")[: bound + 1].count()
            with self._lock:
                self._counted = counted
        with self._lock:
            is_full = self._counted >= bound
            self._counted += 0 if is_full else 1
        if is_full:
            metrics.guarded.labels("busy").inc()
            message = _(
                "Too many questions are waiting just now. Nothing was sent; try again soon."
            )
            pause = random.randint(*COME_BACK)  # noqa: S311 - spreads load, guards nothing
            raise Unavailable(message, code="busy", retry_after=pause)

    def forget(self) -> None:
        """Count anew the next time."""
        with self._lock:
            self._until = 0.0


queue = _Queue()
