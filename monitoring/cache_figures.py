"""How often what is kept was asked for again, for the dashboard."""

from typing import Any

from django.utils.translation import gettext as _

from knowledge.retrieval import tally
from project.inference.vector_cache import kept_size, lookups

DAYS = 7


def cache_figures() -> dict[str, Any]:
    """Return the share of each level in the lookups of the last days, and what is kept."""
    searches, vectors = tally.levels.total(DAYS), lookups.total(DAYS)
    asked = sum(count for level, count in searches.items() if level != "bypass")
    texts = sum(vectors.values())
    count, size = kept_size()
    return {
        "rows": [
            _row(_("Searches: in the process"), searches["l1"], asked),
            _row(_("Searches: in Redis"), searches["l2"] + searches["waited"], asked),
            _row(_("Texts: their vectors in Postgres"), vectors["l3"], texts),
        ],
        "kept": count,
        "megabytes": round(size / 2**20),
    }


def _row(name: str, found: int, asked: int) -> dict[str, Any]:
    share = round(found / asked * 100, 1) if asked else None
    return {"name": name, "found": found, "asked": asked, "share": share}
