"""How nodes are cut: as their kinds say."""

import uuid
from collections.abc import Iterable
from typing import Any, Protocol

import structlog

from knowledge.chunking.cutting import Cutting, CuttingFault, cutting_of
from knowledge.kinds import kinds_of

log = structlog.get_logger(__name__)


class Cuttable(Protocol):
    """A node, or a version of one."""

    @property
    def space_id(self) -> uuid.UUID: ...
    @property
    def kind(self) -> str: ...


class Cuttings:
    """The cuttings of some nodes, told at one moment by one statement."""

    def __init__(self, nodes: Iterable[Cuttable]) -> None:
        kinds = kinds_of((node.space_id, node.kind) for node in nodes)
        self._known = {key: cutting_told(kind.chunking) for key, kind in kinds.items()}

    def of(self, node: Cuttable) -> Cutting:
        """Return the cutting of one of the nodes."""
        return self._known.get((node.space_id, node.kind)) or Cutting()


def cutting_told(stored: Any) -> Cutting:
    """Return a stored cutting; the default for one that this release does not know."""
    try:
        return cutting_of(stored)
    except CuttingFault as fault:
        log.error("cutting_not_known", stored=stored, why=str(fault))
        return Cutting()
