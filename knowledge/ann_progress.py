"""How far the HNSW index of a generation is while it is built, as PostgreSQL reports it.

PostgreSQL builds beside what writes, in steps: it waits for older transactions, reads the vectors,
then checks the index against what was written meanwhile. Reading is nearly all of the time.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.utils.translation import gettext as _

from knowledge.ann import ann_index_builds


@dataclass(frozen=True, slots=True)
class AnnProgress:
    """What a build does now (`phase`, as PostgreSQL names it), and how far that is, 0 to 1."""

    phase: str
    share: float

    @property
    def percent(self) -> int:
        """How far the step is, 0 to 100."""
        return int(100 * self.share)

    @property
    def words(self) -> str:
        """What it does now, for people."""
        if self.phase.startswith("building index"):
            return _("Building the index: %(percent)s %%") % {"percent": self.percent}
        if self.phase.startswith("index validation"):
            return _("Checking the index: %(percent)s %%") % {"percent": self.percent}
        return _("Building the index: waiting for older transactions")


def ann_progress(generation_id: uuid.UUID) -> AnnProgress | None:
    """Return how far a generation's index is that is being built now; None without one."""
    for build in ann_index_builds():
        if build.generation == generation_id:
            return AnnProgress(build.phase, build.share)
    return None
