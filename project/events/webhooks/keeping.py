"""The secrets of webhooks: sealed at rest, opened to sign a call, shown once when they are made."""

from django.utils import timezone

from project.events.models import Webhook
from project.inference.sealing import SealBroken, seal, unseal


def secret_set(webhook: Webhook, secret: str) -> None:
    """Seal a secret into the fields of a webhook; not saved yet."""
    webhook.secret_sealed = seal(secret)


def secrets_of(webhook: Webhook) -> list[str]:
    """Return the secrets that calls are signed with now, the newest first. Raises SealBroken."""
    known = [unseal(webhook.secret_sealed)]
    until = webhook.former_secret_until
    if webhook.former_secret_sealed and until is not None and until > timezone.now():
        try:
            known.append(unseal(webhook.former_secret_sealed))
        except SealBroken:
            return known
    return known
