"""The tables of knowledge.

Modules import in one direction: spaces, versioning, sources, nodes, index.
"""

from knowledge.models.changes import SpaceChange
from knowledge.models.evaluation import (
    EvaluationResult,
    EvaluationRun,
    GoldenQuestion,
    GoldenTarget,
)
from knowledge.models.feeds import Feed, FeedChange, FeedItem, FeedRun
from knowledge.models.index import (
    Chunk,
    Embedding,
    GenerationSwitch,
    IndexGeneration,
    TermStatistic,
)
from knowledge.models.job_log import JobLogLine
from knowledge.models.kinds import Kind, KindMigration, MigratedNode
from knowledge.models.nodes import Node, NodeVersion, Relation, RelationVersion
from knowledge.models.past import IndexedVersion, PastChunk, PastVector
from knowledge.models.previews import PreviewChunk, PreviewNode
from knowledge.models.profiles import ProfileActivation, RetrievalProfile, RetrievalTuning
from knowledge.models.proposals import (
    Proposal,
    ProposalChange,
    ProposalComment,
    ProposalReview,
    ProposalReviewer,
)
from knowledge.models.quality import FindingSnooze, NodeQuality, ReviewInterval, ReviewReminder
from knowledge.models.releases import Release, ReleaseEntry, ReleaseRelation
from knowledge.models.sources import IngestJob, Source
from knowledge.models.spaces import Space, SpaceRole
from knowledge.models.spelling import Spelling
from knowledge.models.suggestions import DistinctPair, RelatingState, RelationSuggestion
from knowledge.models.versioning import Erasure, Publication, VersionFacts, VersionTag

__all__ = [
    "Chunk",
    "DistinctPair",
    "Embedding",
    "Erasure",
    "EvaluationResult",
    "EvaluationRun",
    "Feed",
    "FeedChange",
    "FeedItem",
    "FeedRun",
    "FindingSnooze",
    "GenerationSwitch",
    "GoldenQuestion",
    "GoldenTarget",
    "IndexGeneration",
    "IndexedVersion",
    "IngestJob",
    "JobLogLine",
    "Kind",
    "KindMigration",
    "MigratedNode",
    "Node",
    "NodeQuality",
    "NodeVersion",
    "PastChunk",
    "PastVector",
    "PreviewChunk",
    "PreviewNode",
    "ProfileActivation",
    "Proposal",
    "ProposalChange",
    "ProposalComment",
    "ProposalReview",
    "ProposalReviewer",
    "Publication",
    "RelatingState",
    "Relation",
    "RelationSuggestion",
    "RelationVersion",
    "Release",
    "ReleaseEntry",
    "ReleaseRelation",
    "RetrievalProfile",
    "RetrievalTuning",
    "ReviewInterval",
    "ReviewReminder",
    "Source",
    "Space",
    "SpaceChange",
    "SpaceRole",
    "Spelling",
    "TermStatistic",
    "VersionFacts",
    "VersionTag",
]
