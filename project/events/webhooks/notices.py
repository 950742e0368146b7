"""Telling the owner of a webhook that it was switched off."""

import uuid

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.utils import translation
from django.utils.translation import gettext as _

from project.events.models import Webhook

log = structlog.get_logger(__name__)


def disabled_tell(webhook_id: uuid.UUID) -> None:
    """Mail the owner where a mail server is set up; the dashboard of the admin tells it as well."""
    webhook = Webhook.objects.select_related("owner").filter(pk=webhook_id).first()
    if webhook is None or not settings.EMAIL_HOST or not webhook.owner.email:
        return
    with translation.override(webhook.owner.language or settings.LANGUAGE_CODE):
        facts = {"name": webhook.name, "url": webhook.url, "count": webhook.failures}
        subject = _("The webhook “%(name)s” was switched off") % facts
        text = _(
            "Acervo has stopped to send events to %(url)s.\n"
            "Reason: %(why)s (%(count)s tries in a row).\n"
            "Mend the receiver, switch the webhook on again, and replay what failed."
        )
        why = webhook.get_disabled_reason_display()
        try:
            send_mail(subject, text % {**facts, "why": why}, None, [webhook.owner.email])
        except OSError as error:
            log.warning("notice_not_mailed", webhook=str(webhook_id), error=type(error).__name__)
