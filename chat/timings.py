"""The times and remarks of a turn, and the signals of a rank, as a page shows them."""

from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

TRACE_WORDS = {
    "no_passages": gettext_lazy("nothing was found"),
    "no_citations": gettext_lazy("it cites nothing"),
    "not_confident": gettext_lazy("nothing certain was found"),
    "unsupported": gettext_lazy("its sources do not say so"),
    "memory": gettext_lazy("memories"),
    "vector": gettext_lazy("search by meaning"),
    "keyword": gettext_lazy("texts that were not prepared"),
}


def flat_signals(signals: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the signals of a rank as pairs of name and value; nested ones get dotted names."""
    rows: list[tuple[str, str]] = []
    for name, value in sorted(signals.items()):
        if name == "from":
            continue  # the id of the node that led there
        if isinstance(value, dict):
            rows += flat_signals(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            rows.append((prefix + name, f"{value:.3f}"))
        elif value is not None and not isinstance(value, list):
            rows.append((prefix + name, str(value)))
    return rows


def waterfall(timings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the spans of a turn as bars: name, milliseconds, and begin and length in per cent.

    `queued`, `first_event`, `first_token` and `total` count from the question; `retrieve` is the
    length of the search, which begins when waiting ends.
    """
    times = {name: float(ms) for name, ms in timings.items() if isinstance(ms, (int, float))}
    total = max(times.values(), default=0.0)
    if not total:
        return []
    queued, retrieve = times.get("queued", 0.0), times.get("retrieve", 0.0)
    first = times.get("first_token", total)
    spans = [
        (_("Waiting for an agent"), 0.0, queued),
        (_("Recalling and retrieving"), queued, retrieve),
        (_("Until the first token"), queued + retrieve, max(0.0, first - queued - retrieve)),
        (_("Writing and storing"), first, max(0.0, times.get("total", total) - first)),
    ]
    known = {"queued", "retrieve", "first_event", "first_token", "total"}
    spans += [(name, queued, ms) for name, ms in times.items() if name not in known]
    spans.append((_("In all"), 0.0, times.get("total", total)))
    return [
        {
            "name": name,
            "ms": round(length),
            "left": round(begin / total * 100, 1),
            "width": max(0.4, round(min(length, total - begin) / total * 100, 1)),
        }
        for name, begin, length in spans
        if length > 0
    ]


def milliseconds(value: Any) -> str:
    """Return a time in readable units."""
    if not isinstance(value, (int, float)):
        return "–"
    return f"{number_format(value / 1000, 1)} s" if value >= 1000 else f"{round(value)} ms"


def cost_words(value: Decimal) -> str:
    """Return a small amount of money without needless zeros; a dash for nothing."""
    return number_format(f"{value:.6f}".rstrip("0").rstrip(".")) if value else "–"
