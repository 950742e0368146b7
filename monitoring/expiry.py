"""Rows that have served."""

import datetime

from django.contrib.sessions.models import Session
from django.utils import timezone

from chat.answer_cache.keeping import answers_ended
from chat.gaps import gaps_recount
from chat.services.guests import guests_expire
from knowledge.models import EvaluationResult
from project.events.models import Event, WebhookDelivery
from project.http.models import IdempotencyRecord

IDEMPOTENCY = datetime.timedelta(hours=48)
EVENTS = datetime.timedelta(days=30)
DELIVERIES = datetime.timedelta(days=30)
EVALUATION_RESULTS = datetime.timedelta(days=180)  # the means of a run stay
BATCH = 5000


def rows_expire() -> dict[str, int]:
    """Delete what is past its keeping, a batch at a time; return how many rows of each."""
    now = timezone.now()
    old = {
        "sessions": Session.objects.filter(expire_date__lt=now),
        "idempotency": IdempotencyRecord.objects.filter(created_at__lt=now - IDEMPOTENCY),
        "evaluation_results": EvaluationResult.objects.filter(
            run__finished_at__lt=now - EVALUATION_RESULTS
        ),
        "deliveries": WebhookDelivery.objects.filter(created_at__lt=now - DELIVERIES),
        "cached_answers": answers_ended(),
        "events": Event.objects.filter(settled_at__lt=now - EVENTS),
    }
    counts = {}
    for name, rows in old.items():
        batch = rows.values("pk")[:BATCH]
        counts[name] = rows.model._default_manager.filter(pk__in=batch).delete()[0]
    counts["guests"] = guests_expire()
    counts["gaps"] = gaps_recount()  # whose questions went with their conversations
    return counts
