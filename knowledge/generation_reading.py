"""What is said of an index generation: how far it is, what it waits for, how it compares."""

from __future__ import annotations

from dataclasses import dataclass

from knowledge.choices import GenerationStatus
from knowledge.generations import passages_missing
from knowledge.models import Chunk, Embedding, IndexGeneration


@dataclass(frozen=True, slots=True)
class Fill:
    """How many passages a space has, and how many of them have a vector in a generation."""

    passages: int
    vectors: int

    @property
    def share(self) -> float:
        """How much of the space has its vector, 0 to 1."""
        return self.vectors / self.passages if self.passages else 1.0

    @property
    def missing(self) -> int:
        """How many passages have no vector."""
        return self.passages - self.vectors


def fill_of(generation: IndexGeneration) -> Fill:
    """Count what a generation holds of its space now."""
    passages = Chunk.objects.filter(space=generation.space_id).count()
    return Fill(passages, passages - passages_missing(generation).count())


def vectors_held(generation: IndexGeneration) -> int:
    """Count the vectors of a generation, also while it is being deleted."""
    return Embedding.objects.filter(generation=generation).count()


def generation_before(generation: IndexGeneration) -> IndexGeneration | None:
    """Return what served a space last before the generation that serves; None when it is gone."""
    rows = IndexGeneration.objects.filter(
        space=generation.space_id, status=GenerationStatus.RETIRED
    )
    return rows.exclude(retired_at=None).order_by("-retired_at").first()
