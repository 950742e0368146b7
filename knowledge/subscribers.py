"""What knowledge does after something has happened."""

from knowledge.linking import links_settle
from project.events import EventMessage, subscriber


@subscriber("knowledge-links", "knowledge.node.created", "knowledge.node.updated")
def node_links_settle(event: EventMessage) -> None:
    """Relate what two writers at once could not see of each other."""
    if event.subject_id is not None:
        links_settle(event.subject_id)
