"""The events of knowledge that webhooks may ask for, and who may know of each.

An event tells ids and little else; who wants more asks REST, which looks again.
"""

import uuid

from django.utils.translation import gettext_lazy as _

from knowledge.models import Feed, IngestJob, Node, Proposal, Source, Space
from project.accounts.choices import Scope
from project.accounts.models import User
from project.events.webhooks.registry import Gate, Offer, Told, offer, spaces_from

_NODE = ("node", "version", "status")
_FEED = ("feed", "run", "added", "changed", "unchanged", "gone", "faults")
_PROPOSAL = ("proposal", "revision", "status")


def may_read_space(user: User, told: Told) -> bool:
    """Those who may read the space: what is told of was, or is, public there."""
    return Space.objects.visible_to(user).filter(pk__in=[told.space_id]).exists()


def may_edit_space(user: User, told: Told) -> bool:
    """Those who may edit the space, for what is gone or seen by editors only."""
    return Space.objects.editable_by(user).filter(pk__in=[told.space_id]).exists()


def may_open_node(user: User, told: Told) -> bool:
    """Those who may open the node as it is now; of one that is gone, editors."""
    if Node.objects.visible_to(user).filter(pk__in=[told.subject_id]).exists():
        return True
    is_gone = not Node.objects.filter(pk__in=[told.subject_id]).exists()
    return is_gone and may_edit_space(user, told)


def may_know_end(user: User, told: Told) -> bool:
    """A node left the public: readers had it if it was published; drafts are editors' matter."""
    was_public = told.payload.get("status") in {"published", "archived"}
    return may_read_space(user, told) if was_public else may_edit_space(user, told)


def _visible(model: type[IngestJob | Source | Feed | Proposal]) -> Gate:
    def gate(user: User, told: Told) -> bool:
        return model.objects.visible_to(user).filter(pk__in=[told.subject_id]).exists()

    return gate


def _spaces(user: User) -> list[tuple[uuid.UUID, str]]:
    rows = Space.objects.visible_to(user).order_by("name")
    return list(rows.values_list("pk", "name"))


spaces_from(_spaces)
_may_see_proposal = _visible(Proposal)


def _offer(name: str, description: object, gate: Gate, *fields: str) -> Offer:
    text: str = description  # type: ignore[assignment]  # a lazy string
    return Offer(f"knowledge.{name}", text, Scope.KNOWLEDGE_READ, gate, fields)


offer(
    [
        _offer("node.created", _("A node was made."), may_open_node, *_NODE),
        _offer("node.updated", _("A node has a new version."), may_open_node, *_NODE),
        _offer("node.published", _("A node was published."), may_read_space, *_NODE),
        _offer("node.archived", _("A node was archived."), may_read_space, *_NODE),
        _offer("node.deleted", _("A node was deleted."), may_know_end, *_NODE),
        _offer("node.erased", _("Versions of a node were erased."), may_edit_space, "node"),
        _offer("node.indexed", _("Search knows versions of nodes."), may_read_space, "nodes"),
        _offer(
            "node.review_due",
            _("The review of a node is due."),
            may_edit_space,
            "node",
            "review_due",
        ),
        _offer(
            "node.reviewed",
            _("A node was reviewed."),
            may_edit_space,
            "node",
            "version",
            "review_due",
        ),
        _offer("source.stored", _("A file was stored."), _visible(Source), "source", "size"),
        _offer(
            "job.updated",
            _("A job was queued, begun, completed, cancelled, or failed."),
            _visible(IngestJob),
            "job",
            "status",
            "error",
        ),
        _offer("feed.synced", _("A feed was looked at."), _visible(Feed), *_FEED),
        _offer("feed.suspicious", _("A run of a feed waits for a person."), _visible(Feed), *_FEED),
        _offer("release.created", _("A release was made."), may_read_space, "release", "name"),
        _offer("release.deleted", _("A release was deleted."), may_read_space, "release", "name"),
        *(
            _offer(f"proposal.{what}", text, _may_see_proposal, *_PROPOSAL)
            for what, text in (
                ("submitted", _("A proposal was submitted for review.")),
                ("approved", _("A proposal was approved.")),
                ("changes_requested", _("A reviewer asked for changes of a proposal.")),
                ("rejected", _("A proposal was rejected.")),
                ("merged", _("A proposal was merged.")),
            )
        ),
    ]
)
