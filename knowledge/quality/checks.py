"""All checks of one state of a node."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from knowledge.choices import NodeStatus, RelationStatus
from knowledge.models import Node, Relation
from knowledge.outline import outline
from knowledge.quality.catalogue import rank_of
from knowledge.quality.clashes import clash_findings, statements_of, statements_of_state
from knowledge.quality.duplicates import Print, duplicate_findings
from knowledge.quality.links import Links, LinkTargets, link_findings, targets_of
from knowledge.quality.neighbours import neighbours_of
from knowledge.quality.orders import order_findings
from knowledge.quality.sentences import sentences
from knowledge.quality.structure import structure_findings
from knowledge.quality.types import Finding, NodeState, finding

INDEX_PATIENCE = datetime.timedelta(minutes=10)
CARE = frozenset(
    (
        "missing_owner",
        "inactive_owner",
        "review_overdue",
        "review_soon",
        "expired",
        "expires_soon",
        "not_indexed",
    )
)
"""What `care_findings` finds."""


def checks_of(state: NodeState, *, others: Sequence[NodeState] = ()) -> list[Finding]:
    """Check a state of a node in its space, and return what was found, worst first.

    `others` are states that are to be stored together with this one, such as those of a proposal:
    they stand in for the stored nodes of their ids. Archived states have no findings. Asks the
    embedding model of the space where it reads the language; without it the words alone decide.
    """
    if state.status == NodeStatus.ARCHIVED:
        return []
    found = [*care_findings(state)]
    statements = sentences(state.content)
    found += structure_findings(state, outline(state.content).headings, statements)
    found += order_findings(state)
    links = Links.of(state.content)
    known = targets_of(state, links, others)
    found += link_findings(state, links, known)
    found += _orphan(state, links, known, others)
    print_ = Print.of(state.content)
    replaced = {other.node_id for other in others if other.node_id is not None}
    near = neighbours_of(state, without=replaced)
    found += duplicate_findings(state, print_, near.likeness, others)
    same = {each.details["node"] for each in found if each.code == "duplicate"}
    theirs = [passage for passage in near.passages if str(passage.node) not in same]
    live = [other for other in others if other.status != NodeStatus.ARCHIVED]
    live = [other for other in live if other.node_id is None or other.node_id != state.node_id]
    said = [*statements_of(theirs, state.language)]
    said += [each for other in live for each in statements_of_state(other, state.language)]
    found += clash_findings(state, statements, said, near.reader)
    return sorted(found, key=lambda each: rank_of(each.code))


def care_findings(state: NodeState) -> Iterator[Finding]:
    """Yield what is wrong with owner, review, validity and index; asks no other node."""
    if state.owner_id is None:
        yield finding("missing_owner")
    elif not state.owner_is_active:
        yield finding("inactive_owner")
    today, now = timezone.localdate(), timezone.now()
    soon = datetime.timedelta(days=settings.ACERVO_REVIEW_NOTICE_DAYS)
    if state.review_due is not None and state.review_due <= today:
        yield finding("review_overdue", due=state.review_due.isoformat())
    elif state.review_due is not None and state.review_due <= today + soon:
        yield finding("review_soon", due=state.review_due.isoformat())
    if state.valid_until is not None and state.valid_until <= now:
        yield finding("expired", until=_day(state.valid_until))
    elif state.valid_until is not None and state.valid_until <= now + soon:
        yield finding("expires_soon", until=_day(state.valid_until))
    if state.behind_since is not None and state.behind_since < now - INDEX_PATIENCE:
        since = timezone.localtime(state.behind_since)
        yield finding("not_indexed", since=since.strftime("%Y-%m-%d %H:%M"))


def _day(moment: datetime.datetime) -> str:
    return timezone.localtime(moment).date().isoformat()


def _orphan(
    state: NodeState, links: Links, known: LinkTargets, others: Sequence[NodeState]
) -> Iterator[Finding]:
    """Yield that nothing leads to the state and it leads to no node."""
    if not state.content.strip() or known.by_id:
        return
    names = {name.lower() for name in (state.title, state.external_id) if name}
    if any(link.title.lower() in known.by_name for link in links.wiki):
        return
    if any(names & {link.title.lower() for link in Links.of(each.content).wiki} for each in others):
        return
    waiting = Node.objects.filter(space=state.space_id, wiki_links__overlap=list(names))
    waiting = waiting.exclude(status=NodeStatus.ARCHIVED)
    if state.node_id is not None:
        waiting = waiting.exclude(pk=state.node_id)
    if waiting.exists():
        return
    if state.node_id is not None:
        ends = Q(source=state.node_id) | Q(target=state.node_id)
        if Relation.objects.filter(ends, status=RelationStatus.CONFIRMED).exists():
            return
    yield finding("orphan")
