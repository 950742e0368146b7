"""Writes of knowledge: each permits, changes, records and announces, for every surface alike.

Keyword-only functions that take the acting user, run in one transaction and raise the errors of
`project.http.errors`. Modules import in one direction: spaces, nodes, relations, sources, jobs.
"""

from knowledge.access import node_versions_visible_to
from knowledge.services.duplicates import pair_merge_propose, pair_part
from knowledge.services.evaluations import evaluation_cancel, evaluation_start
from knowledge.services.feeds import (
    address_import,
    feed_create,
    feed_delete,
    feed_probe,
    feed_run_confirm,
    feed_run_discard,
    feed_sync,
    feed_update,
    repository_import,
)
from knowledge.services.generations import (
    generation_begin,
    generation_compare,
    generation_remove,
    generation_switch,
    index_rebuild,
)
from knowledge.services.golden import (
    Asked,
    golden_create,
    golden_delete,
    golden_from_message,
    golden_update,
)
from knowledge.services.golden_files import Imported, golden_import
from knowledge.services.history import (
    nodes_revert,
    revert_permit,
    version_tag,
    version_untag,
    versions_erase,
)
from knowledge.services.imports import nodes_import
from knowledge.services.jobs import job_cancel, job_dismiss, job_restore, job_retry, nodes_bulk
from knowledge.services.kinds import (
    kind_create,
    kind_delete,
    kind_migration_apply,
    kind_migration_plan,
    kind_migration_replan,
    kind_migration_rollback,
    kind_migration_try,
    kind_update,
)
from knowledge.services.nodes import (
    node_archive,
    node_create,
    node_delete,
    node_publish,
    node_revert,
    node_submit,
    node_update,
    nodes_upsert,
)
from knowledge.services.profiles import profile_activate, profile_create, profile_roll_back
from knowledge.services.proposal_changes import (
    change_add,
    change_remove,
    change_update,
    changes_add,
)
from knowledge.services.proposal_merges import (
    conflict_suggest,
    proposal_conflicts,
    proposal_merge,
    proposal_rebase,
)
from knowledge.services.proposal_reviews import (
    comment_add,
    comment_resolve,
    proposal_review,
    reviewers_set,
)
from knowledge.services.proposals import (
    proposal_create,
    proposal_delete,
    proposal_reject,
    proposal_reopen,
    proposal_submit,
    proposal_update,
)
from knowledge.services.relations import relation_create, relation_delete, relation_update
from knowledge.services.releases import (
    release_create,
    release_delete,
    release_describe,
    release_import,
)
from knowledge.services.reviews import (
    finding_snooze,
    finding_wake,
    node_mark_reviewed,
    review_interval_set,
)
from knowledge.services.sources import source_named, source_upload
from knowledge.services.spaces import (
    member_set,
    space_create,
    space_default_for,
    space_delete,
    space_update,
)
from knowledge.services.suggestions import (
    suggestion_confirm,
    suggestion_refuse,
    suggestion_reopen,
)
from knowledge.services.synthesis import synthesis_keep, synthesis_propose
from knowledge.services.tunings import tuning_cancel, tuning_start

__all__ = [
    "Asked",
    "Imported",
    "address_import",
    "change_add",
    "change_remove",
    "change_update",
    "changes_add",
    "comment_add",
    "comment_resolve",
    "conflict_suggest",
    "evaluation_cancel",
    "evaluation_start",
    "feed_create",
    "feed_delete",
    "feed_probe",
    "feed_run_confirm",
    "feed_run_discard",
    "feed_sync",
    "feed_update",
    "finding_snooze",
    "finding_wake",
    "generation_begin",
    "generation_compare",
    "generation_remove",
    "generation_switch",
    "golden_create",
    "golden_delete",
    "golden_from_message",
    "golden_import",
    "golden_update",
    "index_rebuild",
    "job_cancel",
    "job_dismiss",
    "job_restore",
    "job_retry",
    "kind_create",
    "kind_delete",
    "kind_migration_apply",
    "kind_migration_plan",
    "kind_migration_replan",
    "kind_migration_rollback",
    "kind_migration_try",
    "kind_update",
    "member_set",
    "node_archive",
    "node_create",
    "node_delete",
    "node_mark_reviewed",
    "node_publish",
    "node_revert",
    "node_submit",
    "node_update",
    "node_versions_visible_to",
    "nodes_bulk",
    "nodes_import",
    "nodes_revert",
    "nodes_upsert",
    "pair_merge_propose",
    "pair_part",
    "profile_activate",
    "profile_create",
    "profile_roll_back",
    "proposal_conflicts",
    "proposal_create",
    "proposal_delete",
    "proposal_merge",
    "proposal_rebase",
    "proposal_reject",
    "proposal_reopen",
    "proposal_review",
    "proposal_submit",
    "proposal_update",
    "relation_create",
    "relation_delete",
    "relation_update",
    "release_create",
    "release_delete",
    "release_describe",
    "release_import",
    "repository_import",
    "revert_permit",
    "review_interval_set",
    "reviewers_set",
    "source_named",
    "source_upload",
    "space_create",
    "space_default_for",
    "space_delete",
    "space_update",
    "suggestion_confirm",
    "suggestion_refuse",
    "suggestion_reopen",
    "synthesis_keep",
    "synthesis_propose",
    "tuning_cancel",
    "tuning_start",
    "version_tag",
    "version_untag",
    "versions_erase",
]
