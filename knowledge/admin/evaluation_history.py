"""How a space's golden questions did over time: one row a run, by all legs and by each alone."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from django.utils.translation import gettext as _

from knowledge.admin.evaluation_views import measure, move
from knowledge.choices import EvaluationStatus, SearchMode
from knowledge.models import EvaluationRun, Space

SHOWN = 60  # runs
WIDTH, HEIGHT = 600, 160
MEASURES = (("ndcg", "nDCG"), ("recall", "Recall"), ("mrr", "MRR"))
LINES = ("all", SearchMode.KEYWORD, SearchMode.VECTOR)


def history_context(admin: ModelAdmin, request: HttpRequest, spaces: list[Space]) -> dict[str, Any]:
    """Return the runs of the chosen space about its state at their time, oldest first."""
    wanted, name = request.GET.get("space", ""), request.GET.get("measure", "ndcg")
    chosen = next(
        (each for each in spaces if str(each.pk) == wanted), spaces[0] if spaces else None
    )
    name = name if name in dict(MEASURES) else "ndcg"
    rows = admin.get_queryset(request).filter(
        space=chosen,
        status=EvaluationStatus.COMPLETED,
        mode=SearchMode.HYBRID,
        proposal_id=None,
        other_generation_id=None,
        release="",
        as_of=None,
        questions__gt=0,
    )
    runs = list(rows.order_by("-created_at")[:SHOWN])[::-1]
    values = [_values(run, name) for run in runs]
    names: dict[str, Any] = {"all": _("All together"), **{leg: leg.label for leg in LINES[1:]}}
    return {
        "spaces": spaces,
        "chosen": chosen,
        "measures": [(key, title, key == name) for key, title in MEASURES],
        "measure": dict(MEASURES)[name],
        "width": WIDTH,
        "height": HEIGHT,
        "lines": [
            {"key": str(key), "name": names[key], "points": _points([each[key] for each in values])}
            for key in LINES
        ],
        "rows": [
            _row(run, found, values[number - 1] if number else None)
            for number, (run, found) in enumerate(zip(runs, values, strict=True))
        ][::-1],
    }


def legs_shown(run: EvaluationRun) -> list[dict[str, Any]]:
    """Return the means of each leg of a run beside those of all together, for its page."""
    legs = run.metrics.get("legs") or {}
    if not legs or not run.metrics.get("before"):
        return []
    named = [(SearchMode(leg).label, values) for leg, values in legs.items()]
    rows = [*named, (_("All together"), run.metrics["before"])]
    return [
        {"name": name, "values": [measure(values[key]) for key, _title in MEASURES]}
        for name, values in rows
    ]


def _values(run: EvaluationRun, name: str) -> dict[str, float | None]:
    legs = run.metrics.get("legs") or {}
    return {
        "all": (run.metrics.get("before") or {}).get(name),
        **{leg: (legs.get(leg) or {}).get(name) for leg in LINES[1:]},
    }


def _row(
    run: EvaluationRun, found: dict[str, float | None], before: dict[str, float | None] | None
) -> dict[str, Any]:
    return {
        "run": run,
        "values": [measure(found[key]) for key in LINES],
        "move": move(before["all"], found["all"]) if before else None,
    }


def _points(values: list[float | None]) -> str:
    """Return the corners of a line over the runs, 0 at the bottom and 1 at the top."""
    step = WIDTH / max(len(values) - 1, 1)
    return " ".join(
        f"{number * step:.1f},{HEIGHT - value * HEIGHT:.1f}"
        for number, value in enumerate(values)
        if value is not None
    )
