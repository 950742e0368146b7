"""Celery tasks of knowledge: an id in, one call out; outcomes are written on the rows."""

import uuid
from typing import Any

from celery import shared_task, signals

from knowledge import (
    evaluating,
    feed_starting,
    generation_building,
    indexing,
    ingestion,
    kind_work,
    past,
    previews,
    reanalysis,
    recovery,
    recutting,
    retrieval,
    reviews,
    revisions,
    statistics,
    upload_rush,
    vocabulary,
)
from knowledge import tuning_work as tunings
from knowledge.quality import refreshing
from knowledge.relating import refreshing as relating


@shared_task(bind=True)
def ingest(self: Any, job_id: str) -> None:
    """Work off a job; a transient fault sends it again, later each time."""
    upload_rush.rush_let_pass()
    wait = ingestion.job_work(uuid.UUID(job_id))
    if wait is not None:
        self.apply_async((job_id,), countdown=wait)


@shared_task
def node_index(node_id: str) -> None:
    """Bring the index of a published node up to its version."""
    indexing.index_node(uuid.UUID(node_id))


@shared_task(bind=True)
def evaluation_work(self: Any, run_id: str) -> None:
    """Go on with an evaluation; long ones let others have a turn."""
    wait = evaluating.run_work(uuid.UUID(run_id))
    if wait is not None:
        self.apply_async((run_id,), countdown=wait)


@shared_task
def tuning_work(tuning_id: str) -> None:
    """Learn a retrieval profile from golden questions."""
    tunings.tuning_work(uuid.UUID(tuning_id))


@shared_task
def proposal_prepare(proposal_id: str) -> None:
    """Have ready what search would find if a proposal were merged."""
    previews.proposal_prepare(uuid.UUID(proposal_id))


@shared_task
def kind_migration_work(migration_id: str) -> None:
    """Plan, do or undo the migration of a kind's nodes."""
    kind_work.migration_work(uuid.UUID(migration_id))


@shared_task
def jobs_recover() -> None:
    """Send again what a lost message or a dead worker left undone."""
    for job_id in recovery.jobs_to_send():
        ingest.delay(str(job_id))
    for node_id in recovery.nodes_to_index():
        node_index.delay(str(node_id))
    for proposal_id in previews.proposals_to_prepare():
        proposal_prepare.delay(str(proposal_id))
    for run_id in recovery.evaluations_to_send():
        evaluation_work.delay(str(run_id))
    for tuning_id in recovery.tunings_to_send():
        tuning_work.delay(str(tuning_id))
    for migration_id in recovery.migrations_to_send():
        kind_migration_work.delay(str(migration_id))


@shared_task
def files_sweep() -> None:
    """Remove stored files that nothing names."""
    recovery.files_sweep()


@shared_task
def statistics_fold() -> None:
    """Keep the statistics of words small."""
    statistics.statistics_fold()


@shared_task
def searches_warm(space_id: str) -> None:
    """Have the searches ready that are asked most in a space."""
    retrieval.searches_warm(uuid.UUID(space_id))


@shared_task
def space_changes_fold() -> None:
    """Keep the notes of changes few: every search counts them."""
    revisions.changes_fold()


@shared_task
def passages_reanalyse() -> None:
    """Bring the words of passages up to the present analysis, for a bounded time."""
    reanalysis.passages_reanalyse()


@shared_task
def spellings_fold() -> None:
    """Drop words that no passage has any more."""
    vocabulary.spellings_fold()


@shared_task
def nodes_recut() -> None:
    """Cut nodes anew whose kinds say otherwise by now, for a bounded time; go on if any is left."""
    if recutting.nodes_recut() and recutting.nodes_to_recut(1):
        nodes_recut.delay()


@shared_task
def past_versions_fill() -> None:
    """Cut the public versions that were replaced before they were indexed."""
    past.versions_fill()


@shared_task
def past_vectors_drop() -> None:
    """Drop the vectors of past versions that their spaces keep no longer."""
    past.vectors_drop()


@shared_task
def quality_refresh() -> None:
    """Check the nodes that are due, for a bounded time."""
    refreshing.refresh()


@shared_task
def suggestions_refresh() -> None:
    """Look for the suggested relations of the nodes that are due, for a bounded time."""
    relating.refresh()


@shared_task
def reviews_remind() -> None:
    """Tell owners of the reviews that are due, once each."""
    reviews.reminders_make()
    reviews.mails_send()


@shared_task
def feeds_schedule() -> None:
    """Start a run of every feed that is due."""
    feed_starting.feeds_run_due()


@shared_task
def generations_maintain() -> None:
    """Make up for missing vectors, and give large generations their index."""
    generation_building.generations_maintain()


@signals.worker_ready.connect
def _recover_at_once(**_: Any) -> None:
    """Do not let what a dead worker left wait for the schedule."""
    jobs_recover.apply_async(retry=False)
