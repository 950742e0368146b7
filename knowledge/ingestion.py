"""Working off a job: from a stored file, or the rows of a bulk call, to passages that search finds.

1. extract: the file's pages, each kept as it is read, and the document they make.
2. store: the nodes of the document, with ids that follow from the job's, so that a repetition
   makes the same ones.
3. chunk, embed: what the index needs of them; nothing of it can be found yet.
4. swap: one transaction stores the nodes, puts their passages in place and completes the job.

A worker that dies leaves what it had kept, and the next goes on from there. Whatever fails before
the swap leaves what was searchable as it was.
"""

import random
import uuid
from collections.abc import Callable

import redis
import structlog
from django.db import InterfaceError, OperationalError
from django.utils.translation import gettext as _
from psycopg_pool import PoolTimeout

from knowledge.access import job_author, role_of
from knowledge.choices import JobKind, JobStage, JobStatus, LogLevel, NodeStatus, VersionOrigin
from knowledge.connectors.base import ConnectorFault
from knowledge.documents import documents_read, nodes_planned, part_relations
from knowledge.feed_runs import feed_work
from knowledge.generation_work import build_work, removal_work
from knowledge.importing import address_fetch
from knowledge.indexing import PreparedIndex, prepare_nodes, swap
from knowledge.job_files import JobFolder
from knowledge.job_log import reason_of
from knowledge.leases import MAX_TRIES, Hold, JobCancelled, JobPaused, LeaseLost, job_hold
from knowledge.models import IngestJob, Node, Source
from knowledge.parsing import ParsedDocument, ParsingError
from knowledge.relation_writing import relations_insert
from knowledge.replacing import (
    is_superseded,
    nodes_before,
    replacement_plan,
    replacement_store,
    source_linked,
)
from knowledge.source_files import is_disk_full
from knowledge.stored_work import bulk_work, release_work
from knowledge.types import Origin
from knowledge.writing import nodes_insert
from project.accounts.choices import Role
from project.http.errors import ApiError, NotFound
from project.inference.types import EmbeddingUnavailable, InferenceError, UsageContext
from project.locks import transaction_lock

MOST_WARNINGS = 50  # of a file, in the log of its job
_EXTRACTED, _EMBEDDED = 0.4, 0.95  # progress at the end of those stages of a source
_TRANSIENT = (
    OperationalError,
    InterfaceError,
    PoolTimeout,
    redis.RedisError,
    InferenceError,
    OSError,
)
log = structlog.get_logger(__name__)


def job_work(job_id: uuid.UUID) -> float | None:
    """Work off a job if nobody else does; return the seconds after which to try again, or None.

    Its outcome is on its row: completed, cancelled, failed, or queued for another try.
    """
    with job_hold(job_id) as hold:
        if hold is None:
            return None
        folder = JobFolder(job_id)
        try:
            _WORK[JobKind(hold.job.kind)](hold, folder)
        except LeaseLost:
            _say_lost(hold)
            return None
        except JobCancelled:
            hold.settle(JobStatus.CANCELLED)
        except JobPaused as pause:
            hold.pause(pause.wait)
            return pause.wait
        except (ParsingError, ApiError) as error:
            hold.settle(JobStatus.FAILED, error.code, error.message)
            return None
        except ConnectorFault as error:
            if not error.is_lasting:
                return _try_again(hold, error)
            hold.settle(JobStatus.FAILED, "unreachable", error.message)
            return None
        except FileNotFoundError:
            hold.settle(JobStatus.FAILED, "file_missing", _("The source's file is gone."))
            return None
        except _TRANSIENT as error:
            return _try_again(hold, error)
        except Exception as error:  # noqa: BLE001 - a job must end or be tried again, whatever fails
            return _try_again(hold, error)
        except BaseException:
            hold.release()  # the worker is told to stop: another may go on at once
            hold.note("handed_back", level=LogLevel.WARNING)
            raise
        folder.remove()
    return None


def _say_lost(hold: Hold) -> None:
    if not _is_gone(hold.job.pk):
        log.warning("job_lease_lost", job=str(hold.job.pk))
        hold.note("lost", level=LogLevel.WARNING)


def _is_gone(job_id: uuid.UUID) -> bool:
    """Return whether a job was deleted, as with its space; then nobody needs what it kept."""
    if IngestJob.objects.filter(pk=job_id).exists():
        return False
    log.info("job_gone", job=str(job_id))
    JobFolder(job_id).remove()
    return True


def _try_again(hold: Hold, error: Exception) -> float | None:
    """Queue the job for another try, each later than the last; fail it after the fifth."""
    if _is_gone(hold.job.pk):
        return None
    tries = int(hold.job.checkpoint.get("tries", 1))
    is_ours = not isinstance(error, ConnectorFault)  # what another server does needs no traceback
    log.warning(
        "job_failed",
        job=str(hold.job.pk),
        stage=hold.job.stage,
        tries=tries,
        error=str(error),
        exc_info=error if is_ours else None,
    )
    if tries < MAX_TRIES:
        wait = random.uniform(0.5, min(60.0, 2.0**tries))  # noqa: S311 - spreads load, no secret
        hold.note(
            "retry",
            level=LogLevel.WARNING,
            tries=tries,
            most=MAX_TRIES,
            wait=max(1, round(wait)),
            reason=_("The server has no room.") if is_disk_full(error) else reason_of(error),
        )
        hold.release(wait=wait)
        return wait
    if isinstance(error, InferenceError):
        hold.settle(JobStatus.FAILED, error.reason, error.message)
    elif isinstance(error, ConnectorFault):
        hold.settle(JobStatus.FAILED, "unreachable", error.message)
    elif is_disk_full(error):
        message = _("The server has no room: make some, then try again.")
        hold.settle(JobStatus.FAILED, "disk_full", message)
    elif isinstance(error, _TRANSIENT):
        message = _("Something the job needs is away: %(error)s.")
        hold.settle(JobStatus.FAILED, "unavailable", message % {"error": type(error).__name__})
    else:
        message = _("The job failed for a reason that the server's log has under its trace id.")
        hold.settle(JobStatus.FAILED, "internal", message)
    return None


def _work_source(hold: Hold, folder: JobFolder) -> None:
    job = hold.job
    source = job.source
    if source is None:
        raise NotFound(_("The source is gone."))
    user = job_author(job)
    if is_superseded(source):
        hold.note("superseded")
        with hold.finishing() as row:
            row.nodes = []  # a later file has come first: its text stays
        return
    before = nodes_before(source)
    same = [] if before else _nodes_of_same_content(source)
    if same:
        hold.note("duplicate")
        with hold.finishing() as row:
            row.nodes = [node.pk for node in same]
            source_linked(source, row.nodes)
        return
    documents = _extracted(hold, folder, source)
    with hold.stage(JobStage.STORE, _EXTRACTED):
        nodes = nodes_planned(job, source, documents)
        if (role := role_of(user, job.space)) is not None and role >= Role.CURATOR:
            for node in nodes:
                node.status = NodeStatus.PUBLISHED
        plan = replacement_plan(job, source, nodes, before, user) if before else None
        hold.note("planned", count=len(nodes))
    is_public = nodes[0].status == NodeStatus.PUBLISHED
    shown = plan.to_index if plan is not None else nodes if is_public else []
    if not is_public:
        hold.note("in_review")
    with hold.stage(JobStage.EMBED, _EXTRACTED):
        prepared = _prepared(hold, shown) if shown else None
    origin = Origin(VersionOrigin.IMPORT, job.pk)
    with hold.finishing() as row:
        transaction_lock(f"source:{job.space_id}:{source.sha256}")
        if plan is not None:
            replacement_store(plan, source, author=user, origin=origin)
            row.nodes = plan.order
        elif same := _nodes_of_same_content(source):  # another job was quicker with the same file
            row.nodes = [node.pk for node in same]
            hold.note("duplicate")
        else:
            nodes_insert(nodes, author=user, reason=source.filename, origin=origin)
            relations_insert(part_relations(nodes), author=user, origin=origin)
            row.nodes = [node.pk for node in nodes]
        if prepared is not None and not same:
            swap(prepared)
        source_linked(source, row.nodes)


def _extracted(hold: Hold, folder: JobFolder, source: Source) -> list[ParsedDocument]:
    """Return the documents in a source's file, and tell what their parsers have to say of it."""

    def read(pages: int, total: int) -> None:
        hold.advance()
        hold.count("pages", pages, total)
        hold.progress(_EXTRACTED * pages / total)
        if pages < total:
            hold.turn()

    with hold.stage(JobStage.EXTRACT, 0.0):
        documents = documents_read(source, folder, read, hold.check)
        for text in [text for each in documents for text in each.warnings][:MOST_WARNINGS]:
            hold.note("said", level=LogLevel.WARNING, text=text)
    return documents


def _prepared(hold: Hold, nodes: list[Node]) -> PreparedIndex | None:
    """Return the nodes' passages and vectors.

    None where no model gives any after all the tries: then the nodes are published all the same,
    and the sweep makes them known by their words.
    """
    usage = UsageContext("ingest", hold.job.created_by_id, hold.job.space_id)

    def embedded(passages: int, total: int) -> None:
        if passages > hold.job.checkpoint.get("embedded", 0):  # kept: no later try repeats it
            hold.job.checkpoint["embedded"] = passages
            hold.advance()
        hold.count("passages", passages, total)
        hold.progress(_EXTRACTED + (_EMBEDDED - _EXTRACTED) * passages / total)

    try:
        return prepare_nodes(nodes, progress=embedded, usage=usage)
    except EmbeddingUnavailable:
        if not hold.is_last_try:
            raise
        log.warning("source_published_without_vectors", job=str(hold.job.pk))
        hold.note("without_vectors", level=LogLevel.WARNING)
        return None


def _work_import(hold: Hold, folder: JobFolder) -> None:
    if hold.job.source is None:
        user = job_author(hold.job)
        with hold.stage(JobStage.EXTRACT, 0.0):
            source = address_fetch(hold.job, user)
            hold.keep(source=source)
    _work_source(hold, folder)


def _work_feed(hold: Hold, _folder: JobFolder) -> None:
    feed_work(hold, job_author(hold.job))


def _work_generation(hold: Hold, _folder: JobFolder) -> None:
    build_work(hold)


def _work_removal(hold: Hold, _folder: JobFolder) -> None:
    removal_work(hold)


def _nodes_of_same_content(source: Source) -> list[Node]:
    """Return the nodes in use that an earlier source with the same bytes became."""
    return list(
        Node.objects.filter(space=source.space_id, source__sha256=source.sha256)
        .exclude(source=source)
        .exclude(status=NodeStatus.ARCHIVED)
        .order_by("created_at", "pk")
    )


_WORK: dict[JobKind, Callable[[Hold, JobFolder], None]] = {
    JobKind.SOURCE: _work_source,
    JobKind.BULK: bulk_work,
    JobKind.GENERATION: _work_generation,
    JobKind.REMOVAL: _work_removal,
    JobKind.RELEASE: release_work,
    JobKind.IMPORT: _work_import,
    JobKind.FEED: _work_feed,
}
