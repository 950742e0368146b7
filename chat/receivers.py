"""What chat does when knowledge asks for it in the same transaction: `knowledge.signals`."""

import uuid
from collections.abc import Sequence
from typing import Any

from django.dispatch import receiver

from chat.answer_cache.keeping import answers_forget
from chat.models import Citation
from knowledge.signals import versions_erased


@receiver(versions_erased, dispatch_uid="chat-citations-erase")
def citations_erase(*, node_id: uuid.UUID, versions: Sequence[int], **_: Any) -> None:
    """Empty what citations quote of erased versions; that they cited them stays."""
    Citation.objects.filter(cited_id=node_id, version__in=versions).update(title="", snippet="")
    answers_forget(node_id, versions)
