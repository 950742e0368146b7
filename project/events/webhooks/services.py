"""Writes of webhooks: make, change, delete, change the secret, try, send again.

A webhook is its owner's; superusers may change those of others, but see no secret of them.
"""

import datetime
import uuid
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypedDict, Unpack
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from project.accounts.models import User
from project.events.choices import DeliveryStatus, DisabledReason
from project.events.models import Webhook, WebhookDelivery
from project.events.webhooks.keeping import secret_set
from project.events.webhooks.outbox import OLDEST, send_soon
from project.events.webhooks.registry import TEST, offer_of, spaces_of
from project.events.webhooks.signing import secret_new
from project.http.addresses import Blocked, Guard
from project.http.api import missing
from project.http.errors import Conflict, Forbidden, Invalid
from project.tracing import current_trace_id

MOST_WEBHOOKS = 20  # a person
MOST_SPACES = 50
OVERLAP_HOURS = 24  # in which the former secret signs as well
MOST_REPLAYED = 1000
ENDED = (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, DeliveryStatus.WITHHELD)


class WebhookFields(TypedDict, total=False):
    """What a caller may set."""

    name: str
    url: str
    types: Sequence[str]
    spaces: Sequence[uuid.UUID]
    is_enabled: bool


class Made(NamedTuple):
    """A webhook with its secret in clear, which is never shown again."""

    webhook: Webhook
    secret: str


@transaction.atomic
def webhook_create(
    *, acting_user: User, scopes: Collection[str] | None = None, **fields: Unpack[WebhookFields]
) -> Made:
    """Make a webhook of the acting user; it is told what happens from now on.

    `scopes` are those of the key that asks, None for all: it needs those of the types. Raises
    Invalid, Forbidden and Conflict.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=acting_user.pk)
    if Webhook.objects.filter(owner=locked).count() >= MOST_WEBHOOKS:
        message = _("A person has at most %(count)s webhooks.") % {"count": MOST_WEBHOOKS}
        raise Conflict(message, code="too_many_webhooks")
    for name in ("name", "url", "types"):
        if name not in fields:
            raise Invalid(_("This field is required."), code="required", field=name)
    row = Webhook(owner=acting_user)
    _fields_set(row, fields, scopes)
    secret = secret_new()
    secret_set(row, secret)
    row.save(force_insert=True)
    return Made(row, secret)


@transaction.atomic
def webhook_update(
    *,
    acting_user: User,
    webhook: Webhook,
    scopes: Collection[str] | None = None,
    **fields: Unpack[WebhookFields],
) -> Webhook:
    """Change a webhook; what waits goes to the new address. Raises NotFound, Invalid, Forbidden."""
    row = _locked(acting_user, webhook)
    _fields_set(row, fields, scopes)
    row.save()
    if row.is_enabled:
        transaction.on_commit(send_soon, robust=True)
    return row


@transaction.atomic
def webhook_delete(*, acting_user: User, webhook: Webhook) -> None:
    """Delete a webhook with its deliveries; what waits is not sent any more. Raises NotFound."""
    _locked(acting_user, webhook).delete()


@transaction.atomic
def webhook_rotate(
    *, acting_user: User, webhook: Webhook, overlap_hours: int = OVERLAP_HOURS
) -> Made:
    """Give a webhook a new secret; the former signs as well for some hours, 0 for not at all.

    Only its owner gets to see it. Raises NotFound and Forbidden.
    """
    row = _locked(acting_user, webhook)
    if row.owner_id != acting_user.pk:
        raise Forbidden(_("Only its owner may be told the secret of a webhook."))
    until = timezone.now() + datetime.timedelta(hours=overlap_hours)
    row.former_secret_sealed = row.secret_sealed if overlap_hours else ""
    row.former_secret_until = until if overlap_hours else None
    secret = secret_new()
    secret_set(row, secret)
    row.save()
    return Made(row, secret)


@transaction.atomic
def webhook_test(*, acting_user: User, webhook: Webhook) -> WebhookDelivery:
    """Send a webhook an event of the type `webhook.test`. Raises NotFound and Conflict."""
    row = _locked(acting_user, webhook)
    if not row.is_enabled:
        raise Conflict(_("The webhook is switched off."), code="webhook_disabled")
    now = timezone.now()
    made = WebhookDelivery.objects.create(
        webhook=row,
        type=TEST,
        payload={"webhook": str(row.pk), "name": row.name},
        trace_id=current_trace_id(),
        give_up_at=now + OLDEST,
    )
    _wake(row)
    return made


@transaction.atomic
def delivery_replay(*, acting_user: User, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a delivery once more, with the id that it had. Raises NotFound and Conflict.

    One that waits for its next try is tried at once.
    """
    row = _locked(acting_user, delivery.webhook)
    if not row.is_enabled:
        raise Conflict(_("The webhook is switched off."), code="webhook_disabled")
    _replay(row.deliveries.filter(pk=delivery.pk))
    _wake(row)
    return row.deliveries.get(pk=delivery.pk)


@transaction.atomic
def deliveries_replay(
    *,
    acting_user: User,
    webhook: Webhook,
    since: datetime.datetime | None = None,
    status: DeliveryStatus = DeliveryStatus.FAILED,
) -> int:
    """Send what ended with a status once more, the oldest first; return how many, at most 1000.

    Raises NotFound, Conflict, and Invalid for a status that is no end.
    """
    row = _locked(acting_user, webhook)
    if not row.is_enabled:
        raise Conflict(_("The webhook is switched off."), code="webhook_disabled")
    if status not in ENDED:
        message = _("Only what has ended can be sent again.")
        raise Invalid(message, code="invalid_choice", field="status")
    rows = row.deliveries.filter(status=status)
    if since is not None:
        rows = rows.filter(happened_at__gte=since)
    wanted = rows.order_by("happened_at", "pk").values("pk")[:MOST_REPLAYED]
    count = _replay(row.deliveries.filter(pk__in=list(wanted.values_list("pk", flat=True))))
    _wake(row)
    return count


def _replay(rows: Any) -> int:
    """Let deliveries wait anew. Their order is kept: they are due in the order of their events."""
    count: int = rows.update(
        status=DeliveryStatus.WAITING,
        attempts=0,
        next_attempt_at=Now(),
        give_up_at=Now() + OLDEST,
        finished_at=None,
        last_error="",
    )
    return count


def _wake(row: Webhook) -> None:
    """A person asks: the pause after failures is over."""
    Webhook.objects.filter(pk=row.pk).update(pause_until=None)
    transaction.on_commit(send_soon, robust=True)


def _locked(user: User, webhook: Webhook) -> Webhook:
    rows = Webhook.objects.visible_to(user).select_for_update(of=("self",), no_key=True)
    row = rows.filter(pk=webhook.pk).first()
    if row is None:
        raise missing()
    return row


def _fields_set(row: Webhook, fields: WebhookFields, scopes: Collection[str] | None) -> None:
    if "name" in fields:
        row.name = _name(fields["name"])
    if "url" in fields:
        row.url = _url(fields["url"])
    if "types" in fields:
        row.types = _types(fields["types"])
    if "spaces" in fields:
        row.spaces = list(dict.fromkeys(uuid.UUID(str(each)) for each in fields["spaces"]))
        if len(row.spaces) > MOST_SPACES:
            message = _("At most %(count)s spaces.") % {"count": MOST_SPACES}
            raise Invalid(message, field="spaces")
        if set(row.spaces) - {pk for pk, _name in spaces_of(row.owner)}:
            message = _("There is no such space, or it is not the owner's to see.")
            raise Invalid(message, code="unknown_space", field="spaces")
    _scopes_require(row.types, scopes)
    if "is_enabled" in fields:
        _switch(row, on=fields["is_enabled"])


def _switch(row: Webhook, *, on: bool) -> None:
    if on == row.is_enabled:
        return
    row.is_enabled = on
    row.disabled_reason = DisabledReason.NONE if on else DisabledReason.OWNER
    row.disabled_at = None if on else timezone.now()
    row.failures, row.failing_since, row.pause_until = 0, None, None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > 100 or "\0" in name:
        raise Invalid(_("A name has 1 to 100 characters."), field="name")
    return name


def _types(given: Sequence[str]) -> list[str]:
    wanted = sorted(set(given))
    if not wanted:
        raise Invalid(_("Choose at least one type of events."), field="types")
    unknown = [each for each in wanted if offer_of(each) is None]
    if unknown:
        message = _("There are no events of the type “%(type)s” for webhooks.")
        raise Invalid(message % {"type": unknown[0][:80]}, code="unknown_type", field="types")
    return wanted


def _scopes_require(types: Sequence[str], scopes: Collection[str] | None) -> None:
    """A key cannot have itself told what it may not read."""
    if scopes is None:
        return
    for each in types:
        offered = offer_of(each)
        if offered is not None and offered.scope not in scopes:
            message = _("This API key lacks the scope “%(scope)s”.") % {"scope": offered.scope}
            raise Forbidden(message, code="missing_scope")


def _url(text: str) -> str:
    """Return an address that may be called. Names are resolved, and looked at, at each call."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid(_("This is not a valid address."), field="url") from None
    odd = any(ord(char) < 33 for char in url) or "@" in parts.netloc or bool(parts.fragment)
    if parts.scheme not in {"https", "http"} or not host or odd or len(url) > 2000:
        message = _("Enter an address with https://, without user, password and fragment.")
        raise Invalid(message, field="url")
    port = port or (443 if parts.scheme == "https" else 80)
    guard = Guard()
    if parts.scheme == "http" and not guard.is_listed(host, port):
        message = _("Events are sent encrypted: enter an address with https://.")
        raise Invalid(message, code="not_encrypted", field="url")
    try:
        guard.check_written(host, port)
    except Blocked as error:
        raise Invalid(error.message, code="blocked", field="url") from None
    return url
