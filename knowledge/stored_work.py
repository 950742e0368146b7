"""Working off a bulk call or an import of a release: many nodes, stored first and indexed after.

1. store: all nodes in one transaction. What is new in a bulk call is embedded meanwhile.
2. embed: a batch after the other; while one is embedded, the passages of the last are put in place
   by a second thread.

A worker that dies leaves what it had put in place, and the next goes on from there.
"""

import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field

import structlog
from django.db import transaction
from django.db.models import F, QuerySet

from knowledge.access import job_author
from knowledge.bulk import rows_check, rows_write
from knowledge.choices import JobStage, LogLevel, NodeStatus, VersionOrigin
from knowledge.database_lane import Lane
from knowledge.documents import node_id
from knowledge.indexing import PreparedIndex, PreparedNode, prepare_nodes, swap
from knowledge.job_files import JobFolder
from knowledge.leases import Hold, JobPaused
from knowledge.models import Node
from knowledge.release_import import ReleaseArchive, release_restore
from knowledge.types import Origin
from project.accounts.choices import Role
from project.inference.types import EmbeddingUnavailable, UsageContext

BATCH = 128  # nodes indexed in one swap
RELEASE_FILE = "release.zip"  # in the folder of a job that imports one
STORED, EMBEDDED = 0.2, 0.95  # progress at the end of those stages
log = structlog.get_logger(__name__)


def bulk_work(hold: Hold, _folder: JobFolder) -> None:
    """Store the rows of a bulk call and index their nodes."""
    work = _StoredWork(hold)
    job_author(hold.job)
    with Lane() as lane:
        if not hold.job.nodes:
            work.rows_store(lane)
        work.index(lane)
    with hold.finishing():
        pass  # the nodes are stored and indexed: all that is left is to say so


def release_work(hold: Hold, folder: JobFolder) -> None:
    """Restore a release from its file and index its nodes."""
    job = hold.job
    job_author(job, Role.MANAGER)
    if not job.nodes:  # a repetition finds all of it here already, and writes nothing
        with folder.file_open(RELEASE_FILE) as file:
            with hold.stage(JobStage.EXTRACT, 0.0):
                archive = ReleaseArchive(file, progress=lambda share: hold.progress(0.1 * share))
            with hold.stage(JobStage.STORE, 0.1), transaction.atomic():
                # No progress is written here: that would lock the job's row to the end.
                ground = release_restore(archive, job.space, lambda _share: hold.check())
                release = {"id": str(archive.release.id), "name": archive.release.name}
                done = {"release": release, **ground.restored.as_json()}
                hold.keep(nodes=ground.to_index, checkpoint=job.checkpoint | {"restored": done})
    with Lane() as lane:
        _StoredWork(hold).index(lane)
    with hold.finishing():
        pass  # the release is stored and indexed: all that is left is to say so


@dataclass
class _StoredWork:
    """The nodes of a job on their way; `early` are those that were embedded before their turn."""

    hold: Hold
    early: dict[uuid.UUID, PreparedNode] = field(default_factory=dict)

    def rows_store(self, lane: Lane) -> None:
        """Store the rows in one transaction; embed meanwhile what is new among them."""
        hold, job = self.hold, self.hold.job
        rows, user = job.payload["rows"], job_author(job)
        ids = [node_id(job, number) for number in range(len(rows))]
        with hold.stage(JobStage.EXTRACT, 0.0):
            planned = rows_check(user, job.space, rows)
        new = []
        for pk, node in zip(ids, planned, strict=True):
            if node._state.adding and node.status == NodeStatus.PUBLISHED:
                node.pk, node.version = pk, 1  # as it will be stored: no other text can be that
                new.append(node)

        def store() -> None:
            reason = job.payload.get("reason", "")
            origin = Origin(VersionOrigin.IMPORT, job.pk)
            with transaction.atomic():
                nodes = rows_write(
                    user, job.space, rows, ids=ids, tried=planned, reason=reason, origin=origin
                )
                hold.keep(nodes=[node.pk for node in nodes])

        with hold.stage(JobStage.STORE, 0.05):
            storing = lane.start(store)
            self._embed_early(new, storing)
            storing.result()

    def _embed_early(self, nodes: list[Node], storing: Future[None]) -> None:
        try:
            for at in range(0, len(nodes), BATCH):
                if storing.done():
                    return
                prepared = prepare_nodes(nodes[at : at + BATCH], usage=self._usage)
                self.early |= {node.node_id: node for node in prepared.nodes}
        except EmbeddingUnavailable:
            return  # tried again when their turn comes

    def index(self, lane: Lane) -> None:
        """Index the stored nodes. Where no model gives vectors, the sweep indexes them."""
        hold, ids = self.hold, self.hold.job.nodes
        with hold.stage(JobStage.EMBED, STORED):
            try:
                self._index_batches(lane, ids)
                # The generation that serves may have changed while a model worked.
                while left := list(_behind(ids).values_list("pk", flat=True)[:BATCH]):
                    prepared = self._prepared(left)
                    if not swap(prepared):
                        break  # they changed once more: another job or the sweep has them
                    hold.add("passages", prepared.passages)
                    hold.check()
            except EmbeddingUnavailable:
                if not hold.is_last_try:
                    raise
                log.warning("nodes_left_to_the_sweep", job=str(hold.job.pk))
                hold.note("without_vectors", level=LogLevel.WARNING)

    def _index_batches(self, lane: Lane, ids: list[uuid.UUID]) -> None:
        putting: Future[int] | None = None
        for at in range(0, len(ids), BATCH):
            prepared = self._prepared(ids[at : at + BATCH])
            if putting is not None:
                self._note(putting, at / len(ids))
            putting = lane.start(_put, prepared)
            if at + BATCH < len(ids):
                try:
                    self.hold.turn()
                except JobPaused:
                    self._note(putting, (at + BATCH) / len(ids))
                    raise
        if putting is not None:
            self._note(putting, 1.0)

    def _note(self, putting: Future[int], done: float) -> None:
        """Wait for passages to be in place, and tell that they are."""
        self.hold.add("passages", putting.result())
        self.hold.advance()
        self.hold.progress(STORED + (EMBEDDED - STORED) * done)

    def _prepared(self, ids: list[uuid.UUID]) -> PreparedIndex:
        """Return nodes that are behind, cut and embedded: by now, or before."""
        ready = [self.early.pop(pk) for pk in ids if pk in self.early]
        known = {node.node_id for node in ready}
        nodes = list(_behind([pk for pk in ids if pk not in known]))
        if nodes:
            ready += prepare_nodes(nodes, usage=self._usage).nodes
        return PreparedIndex(ready)

    @property
    def _usage(self) -> UsageContext:
        return UsageContext("ingest", self.hold.job.created_by_id, self.hold.job.space_id)


def _put(prepared: PreparedIndex) -> int:
    swap(prepared)
    return prepared.passages


def _behind(ids: list[uuid.UUID]) -> QuerySet[Node]:
    rows = Node.objects.filter(pk__in=ids, status=NodeStatus.PUBLISHED)
    return rows.exclude(indexed_version=F("version"))
