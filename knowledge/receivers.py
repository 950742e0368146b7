"""What knowledge itself does when it asks in the same transaction: `knowledge.signals`."""

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Q
from django.dispatch import receiver

from knowledge.models import EvaluationResult, GoldenTarget, Node
from knowledge.signals import versions_erased
from project.inference.vector_cache import subjects_forget


@receiver(versions_erased, dispatch_uid="knowledge-vectors-erase")
def vectors_erase(*, node_id: uuid.UUID, **_: Any) -> None:
    """Forget the kept vectors of all that the node said; what stays is embedded anew."""
    subjects_forget([node_id])


@receiver(versions_erased, dispatch_uid="knowledge-evaluations-erase")
def titles_erase(*, node_id: uuid.UUID, versions: Sequence[int], **_: Any) -> None:
    """Empty titles that evaluations copied from erased versions; that they were found stays.

    A golden question does not know of which version its copy is: it takes the title that is left.
    """
    node = Node.objects.filter(pk=node_id).exclude(version__in=versions).only("title").first()
    title = node.title if node else ""
    GoldenTarget.objects.filter(node_key=node_id).update(title=title)
    known, erased = str(node_id), set(versions)
    named = [{"node": known}]
    rows = EvaluationResult.objects.filter(
        Q(targets__contains=named) | Q(before__contains=named) | Q(after__contains=named)
    )
    for row in rows.iterator(chunk_size=200):
        for target in row.targets:
            if target["node"] == known:
                target["title"] = title
        for found in (row.before, row.after):
            _empty(found or (), known, erased)
        row.save(update_fields=["targets", "before", "after"])


def _empty(found: Collection[dict[str, Any]], node: str, versions: set[int]) -> None:
    for each in found:
        if each["node"] == node and each["version"] in versions:
            each["title"] = ""
