"""Files of one conversation: read, cut, and found for the answers of that conversation alone."""

import uuid
from urllib.parse import urlencode

from django.urls import reverse

CITED_VERSION = 0
"""What a citation of an attachment has for a version: those of nodes begin with 1."""


def attached_url(conversation_id: uuid.UUID, attachment_id: uuid.UUID, start: int, end: int) -> str:
    """Return the address of the page of an attachment, at a passage of it."""
    address = reverse("attachment-page", args=[conversation_id, attachment_id])
    return f"{address}?{urlencode({'start': start, 'end': end})}"
