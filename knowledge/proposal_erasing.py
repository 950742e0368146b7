"""Erasing for legal reasons reaches proposals, too: their changes copy what they began from."""

import uuid
from collections.abc import Collection

from django.db.models import F, Q
from django.dispatch import receiver

from knowledge.models import PreviewChunk, PreviewNode, Proposal, ProposalChange
from knowledge.signals import versions_erased

TEXTS = ("title", "content", "tags", "metadata", "external_id")


@receiver(versions_erased, dispatch_uid="knowledge.proposals")
def changes_erase(node_id: uuid.UUID, versions: Collection[int], **_extra: object) -> None:
    """Take the texts out of changes that began from erased versions, and drop their previews.

    A branch that is still open loses its edit of the node: its revision says so.
    """
    began = Q(base_version__in=versions) | Q(began_from__in=versions) | Q(base_version=None)
    rows = ProposalChange.objects.select_for_update(no_key=True).filter(began, node_id=node_id)
    for change in rows.order_by("pk"):
        change.fields = {name: value for name, value in change.fields.items() if name not in TEXTS}
        change.base_facts = {**change.base_facts, "external_id": None}
        change.resolutions = {}
        change.version += 1
        change.save(update_fields=["fields", "base_facts", "resolutions", "version", "updated_at"])
        Proposal.objects.undecided().filter(pk=change.proposal_id).update(
            revision=F("revision") + 1
        )
    PreviewChunk.objects.filter(node_id=node_id).delete()
    PreviewNode.objects.filter(node_id=node_id).delete()
