"""Sending deliveries: what is due, one webhook at a time, as far as its owner may know of it now.

1. `webhooks_send` takes the webhooks that have something due, each under a lease, and sends for
   several at once in threads: a receiver that is slow delays nobody but itself.
2. A try is one POST (`calling`): guarded as every call of an address that somebody chose, bounded
   in time, redirects not followed.
3. A try that fails is made again after a random time up to `longest_wait` (full jitter), TRIES
   times or until the delivery is too old. The webhook pauses meanwhile, so that a receiver that is
   down is asked seldom. One that fails for GIVE_UP_AFTER is switched off.
"""

import datetime
import json
import random
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import structlog
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from project.aio import release_connections
from project.events.choices import DeliveryStatus, DisabledReason
from project.events.models import Webhook, WebhookDelivery
from project.events.webhooks.calling import Answer, call
from project.events.webhooks.keeping import secrets_of
from project.events.webhooks.notices import disabled_tell
from project.events.webhooks.registry import TEST, Told, offer_of
from project.inference.sealing import SealBroken
from project.locks import try_lock
from project.tracing import bind_trace

AT_ONCE = 8  # webhooks
SPELL = 45.0  # seconds a task works before others have a turn
LOOK_EVERY = 0.5  # seconds
TURN = 15.0  # seconds for one webhook before the next
LEASE = datetime.timedelta(seconds=120)
TRIES = 12
FIRST_WAIT, LONGEST_WAIT = 10.0, 6 * 3600.0  # seconds
LONGEST_PAUSE = 300.0  # seconds of a webhook
GIVE_UP_AFTER = datetime.timedelta(days=3)
LEAST_FAILURES = 20
KEPT_TRIES = 20
log = structlog.get_logger(__name__)


def longest_wait(tries: int) -> float:
    """Return the seconds that the next try is made in at the latest, after so many tries."""
    return min(LONGEST_WAIT, FIRST_WAIT * 3.0 ** max(0, tries - 1))


def webhooks_send() -> bool:
    """Send what is due; return whether more is. One process of the installation does at a time."""
    ends = time.monotonic() + SPELL
    while time.monotonic() < ends:
        with try_lock("webhooks") as held:
            if not held:
                return False
            _send_until(ends)
        if not _due():  # what came while the lock was let go of is seen here
            return False
    return True


def _send_until(ends: float) -> None:
    """Send in threads until nothing is due or the time is over; what is slow holds up nobody."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        running: dict[Future[None], uuid.UUID] = {}
        while time.monotonic() < ends:
            due = [each for each in _due() if each not in running.values()]
            for each in due[: AT_ONCE - len(running)]:
                running[pool.submit(_in_turn, each)] = each
            if not running:
                return
            for done in wait(running, LOOK_EVERY, FIRST_COMPLETED).done:
                del running[done]


def _due() -> list[uuid.UUID]:
    longest_first = F("last_success_at").asc(nulls_first=True)
    due = Webhook.objects.due().order_by(longest_first, "pk")
    return list(due.values_list("pk", flat=True)[:AT_ONCE])


def _in_turn(webhook_id: uuid.UUID) -> None:
    try:
        webhook_work(webhook_id)
    except Exception:
        log.exception("webhook_not_sent", webhook=str(webhook_id))
        rows = Webhook.objects.filter(pk=webhook_id)
        rows.update(pause_until=Now() + datetime.timedelta(seconds=LONGEST_PAUSE))
    finally:
        release_connections()


def webhook_work(webhook_id: uuid.UUID) -> int:
    """Send what is due of one webhook until it fails or its turn is over; return how many tries."""
    owner = uuid.uuid4().hex
    ends, sent = time.monotonic() + TURN, 0
    try:
        while time.monotonic() < ends and _hold(webhook_id, owner):
            webhook = Webhook.objects.select_related("owner").get(pk=webhook_id)
            due = webhook.deliveries.due().order_by("next_attempt_at", "created_at", "pk")
            delivery = due.first()
            if delivery is None:
                break
            sent += 1
            with bind_trace(delivery.trace_id):
                if not _deliver(webhook, delivery, owner):
                    break
    finally:
        Webhook.objects.filter(pk=webhook_id, lease_owner=owner).update(
            lease_owner="", lease_until=None
        )
    return sent


def _hold(webhook_id: uuid.UUID, owner: str) -> bool:
    """Take or renew the lease of a webhook; False when it is not to be had, or does not send."""
    free = Q(lease_until=None) | Q(lease_until__lte=Now()) | Q(lease_owner=owner)
    rows = Webhook.objects.filter(free, pk=webhook_id, is_enabled=True)
    return bool(rows.update(lease_owner=owner, lease_until=Now() + LEASE))


def _deliver(webhook: Webhook, delivery: WebhookDelivery, owner: str) -> bool:
    """Try a delivery; return whether the webhook's others may follow at once."""
    if delivery.give_up_at and delivery.give_up_at < timezone.now():
        return _end(delivery, DeliveryStatus.FAILED, _("It was too old to be tried again."))
    withheld = _why_withheld(webhook, delivery)
    if withheld:
        return _end(delivery, DeliveryStatus.WITHHELD, withheld)
    try:
        known = secrets_of(webhook)
    except SealBroken:
        return _failed(
            webhook,
            delivery,
            owner,
            Answer(error=_("The secret cannot be opened any more: give the webhook a new one.")),
        )
    body = body_of(delivery)
    release_connections()  # none is held while the receiver answers
    answer = call(webhook.url, delivery.message_id, body, known)
    if answer.is_taken:
        return _taken(webhook, delivery, owner, answer)
    return _failed(webhook, delivery, owner, answer)


def _why_withheld(webhook: Webhook, delivery: WebhookDelivery) -> str:
    if delivery.type == TEST:
        return ""
    offered = offer_of(delivery.type)
    if offered is None:
        return _("Events of this type are not told any more.")
    if not webhook.owner.is_active:
        return _("The owner of the webhook is not active.")
    told = Told(delivery.type, delivery.payload, delivery.space_id, delivery.subject_id)
    if not offered.gate(webhook.owner, told):
        return _("The owner of the webhook may not know of it.")
    return ""


def body_of(delivery: WebhookDelivery) -> bytes:
    """Return what is sent: the same bytes in each try, whatever happened since."""
    offered = offer_of(delivery.type)
    fields = offered.fields if offered else tuple(delivery.payload)
    data = {name: delivery.payload[name] for name in fields if name in delivery.payload}
    if delivery.space_id:
        data["space"] = str(delivery.space_id)
    message = {
        "type": delivery.type,
        "timestamp": delivery.happened_at.astimezone(datetime.UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z"),
        "sequence": delivery.position,
        "data": data,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _tried(delivery: WebhookDelivery, answer: Answer) -> dict[str, Any]:
    """Return the fields of a delivery that a try changes."""
    this = {
        "at": timezone.now().isoformat(timespec="seconds"),
        "status": answer.status or None,
        "error": answer.error,
        "ms": answer.milliseconds,
    }
    return {
        "attempts": delivery.attempts + 1,
        "history": [this, *delivery.history][:KEPT_TRIES],
        "last_status": answer.status or None,
        "last_error": answer.error[:300],
        "excerpt": answer.excerpt,
    }


def _waiting(delivery: WebhookDelivery) -> Any:
    """Return the row of a delivery that nobody has ended or sent again meanwhile."""
    return WebhookDelivery.objects.filter(
        pk=delivery.pk, status=DeliveryStatus.WAITING, attempts=delivery.attempts
    )


def _end(delivery: WebhookDelivery, status: DeliveryStatus, why: str) -> bool:
    _waiting(delivery).update(status=status, last_error=why[:300], finished_at=Now())
    return True


def _taken(webhook: Webhook, delivery: WebhookDelivery, owner: str, answer: Answer) -> bool:
    fields = _tried(delivery, answer)
    _waiting(delivery).update(status=DeliveryStatus.DELIVERED, finished_at=Now(), **fields)
    _held(webhook, owner).update(
        failures=0, failing_since=None, last_success_at=Now(), pause_until=None
    )
    return True


def _failed(webhook: Webhook, delivery: WebhookDelivery, owner: str, answer: Answer) -> bool:
    """Note a try that failed, when the next is made, and whether the webhook is switched off."""
    fields = _tried(delivery, answer)
    tries = fields["attempts"]
    rest = random.uniform(1.0, longest_wait(tries))  # noqa: S311 - spreads load, no secret
    rest = max(rest, answer.retry_after)
    if tries >= TRIES or answer.is_gone:
        _waiting(delivery).update(status=DeliveryStatus.FAILED, finished_at=Now(), **fields)
    else:
        later = Now() + datetime.timedelta(seconds=rest)
        _waiting(delivery).update(next_attempt_at=later, **fields)
    failures = webhook.failures + 1
    pause = random.uniform(0.0, min(LONGEST_PAUSE, 2.0 ** min(failures, 10)))  # noqa: S311 - as above
    pause = max(pause, answer.retry_after)
    _held(webhook, owner).update(
        failures=failures,
        failing_since=Coalesce("failing_since", Now()),
        pause_until=Now() + datetime.timedelta(seconds=pause),
    )
    log.warning(
        "webhook_delivery_failed",
        webhook=str(webhook.pk),
        delivery=str(delivery.pk),
        tries=tries,
        status=answer.status or None,
        error=answer.error,
    )
    if answer.is_gone:
        _switch_off(webhook, owner, DisabledReason.GONE)
    elif failures >= LEAST_FAILURES:
        too_long = Q(failing_since__lt=Now() - GIVE_UP_AFTER)
        if _held(webhook, owner).filter(too_long).exists():
            _switch_off(webhook, owner, DisabledReason.FAILING)
    return False


def _held(webhook: Webhook, owner: str) -> Any:
    """Return the row of a webhook that this sender still holds, and nobody has changed."""
    return Webhook.objects.filter(pk=webhook.pk, lease_owner=owner)


def _switch_off(webhook: Webhook, owner: str, reason: DisabledReason) -> None:
    rows = _held(webhook, owner).filter(is_enabled=True)
    if rows.update(is_enabled=False, disabled_reason=reason, disabled_at=Now()):
        log.error("webhook_switched_off", webhook=str(webhook.pk), reason=reason.value)
        disabled_tell(webhook.pk)
