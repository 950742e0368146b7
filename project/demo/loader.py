"""Bringing the demo into the database, through the services that everybody uses."""

import hashlib
from dataclasses import dataclass

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F, Q

from knowledge.choices import GoldenOrigin, JobStatus, NodeStatus
from knowledge.indexing import prepare_nodes, swap
from knowledge.ingestion import job_work
from knowledge.models import IngestJob, Node, Relation, Source, Space
from knowledge.services import (
    golden_create,
    nodes_upsert,
    relation_create,
    source_upload,
    space_create,
)
from knowledge.services.golden import GRADE, question_key
from project.accounts.models import User
from project.demo import content
from project.inference.types import EmbeddingUnavailable
from project.locks import transaction_lock

REASON = "Demo"


@dataclass(frozen=True, slots=True)
class DemoLoaded:
    """The demo's space, and how much of it was missing until now."""

    space: Space
    nodes: int
    relations: int
    files: int
    questions: int


@transaction.atomic
def demo_load(*, acting_user: User) -> DemoLoaded:
    """Add what is missing of the demo; leave what is there as it is, edited or not.

    All of it or nothing: a start that was interrupted finds an empty database again. Raises what
    the services raise.
    """
    transaction_lock("demo")
    space = _space(acting_user)
    return DemoLoaded(
        space=space,
        nodes=_add_pages(acting_user, space),
        relations=_add_relations(acting_user, space),
        files=_add_files(acting_user, space),
        questions=_add_questions(acting_user, space),
    )


def demo_index(space: Space) -> bool:
    """Make the demo findable now, in one batch, and return whether all of it is.

    Worker tasks for the same nodes and files find nothing left to do; without an embedding model
    the rest is left to them.
    """
    behind = Node.objects.filter(space=space, status=NodeStatus.PUBLISHED).filter(
        Q(indexed_version=None) | ~Q(indexed_version=F("version"))
    )
    try:
        swap(prepare_nodes(list(behind)))
    except EmbeddingUnavailable:
        return False
    jobs = IngestJob.objects.filter(space=space, status=JobStatus.QUEUED)
    waits = [job_work(pk) for pk in jobs.order_by("created_at").values_list("pk", flat=True)]
    return all(wait is None for wait in waits)


def _space(user: User) -> Space:
    fields = content.space_fields()
    known = Space.objects.filter(slug=fields["slug"]).first()
    return known or space_create(acting_user=user, **fields)


def _nodes(space: Space) -> dict[str, Node]:
    nodes = Node.objects.filter(space=space, external_id__isnull=False)
    return {str(node.external_id): node for node in nodes}


def _add_pages(user: User, space: Space) -> int:
    known = _nodes(space)
    missing = [page for page in content.pages() if page["external_id"] not in known]
    if missing:
        nodes_upsert(acting_user=user, space=space, rows=missing, reason=REASON)
    return len(missing)


def _add_relations(user: User, space: Space) -> int:
    nodes = _nodes(space)
    related = set(
        Relation.objects.filter(source__space=space).values_list("source_id", "target_id", "kind")
    )
    missing = [
        (source, target, each.kind)
        for each in content.relations()
        if (source := nodes[each.source])
        and (target := nodes[each.target])
        and (source.pk, target.pk, each.kind) not in related
    ]
    for source, target, kind in missing:
        relation_create(acting_user=user, source=source, target=target, kind=kind)
    return len(missing)


def _add_questions(user: User, space: Space) -> int:
    nodes = _nodes(space)
    known = set(space.golden_questions.values_list("question_key", flat=True))
    missing = [
        each for each in content.golden_questions() if question_key(each.question) not in known
    ]
    for each in missing:
        golden_create(
            acting_user=user,
            space=space,
            origin=GoldenOrigin.IMPORT,
            question=each.question,
            nodes={nodes[name].pk: GRADE for name in each.answered_by},
            language=each.language,
            tags=["demo"],
        )
    return len(missing)


def _add_files(user: User, space: Space) -> int:
    known = set(Source.objects.filter(space=space).values_list("sha256", flat=True))
    added = 0
    for each in content.files():
        data = each.path.read_bytes()
        if hashlib.sha256(data).hexdigest() in known:
            continue
        source_upload(
            acting_user=user,
            space=space,
            file=ContentFile(data, name=each.path.name),
            filename=each.path.name,
            title=each.title,
            tags=each.tags,
            language=each.language,
        )
        added += 1
    return added
