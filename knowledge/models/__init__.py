"""The tables of knowledge. Modules import in one direction: spaces, sources, nodes, index."""

from knowledge.models.index import Chunk, Embedding, IndexGeneration, TermStatistic
from knowledge.models.nodes import Node, NodeVersion, Relation, VersionFacts
from knowledge.models.sources import IngestJob, Source
from knowledge.models.spaces import Space, SpaceRole

__all__ = [
    "Chunk",
    "Embedding",
    "IndexGeneration",
    "IngestJob",
    "Node",
    "NodeVersion",
    "Relation",
    "Source",
    "Space",
    "SpaceRole",
    "TermStatistic",
    "VersionFacts",
]
