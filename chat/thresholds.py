"""The least confidence of retrieval that answers a question; `chat.confidence` finds it."""

import uuid

from django.conf import settings

from chat.models import ConfidenceThreshold


def threshold_for(space_id: uuid.UUID | None) -> float:
    """Return the threshold of a space; of the installation where it has none, or for all spaces."""
    default: float = settings.ACERVO_CONFIDENCE / 100
    if not default or space_id is None:
        return default
    rows = ConfidenceThreshold.objects.filter(space_id=space_id)
    return rows.values_list("threshold", flat=True).first() or default
