"""What the pages of a retrieval profile show, put into words."""

from typing import Any

from django.db import transaction
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from knowledge.knobs import BUILT_IN, GROUPS, KNOBS
from knowledge.models import ProfileActivation, RetrievalProfile, Space
from knowledge.profiles import builtin_store, profile_of
from project.inference.models import ModelEndpoint


def held_now(space: Space | None) -> Any:
    """Return the version that holds for the installation, or a space's own one, None without."""
    row = ProfileActivation.objects.filter(space=space, is_current=True).first()
    if row is not None and row.profile is not None:
        return row.profile
    if space is not None:
        return None
    with transaction.atomic():
        return builtin_store()


def holding(row: RetrievalProfile) -> list[tuple[str, ProfileActivation]]:
    """Return where a version holds now, in words, with the row that says so."""
    current = row.activations.filter(is_current=True).select_related("space")
    return [
        (str(each.space) if each.space else _("Installation"), each)
        for each in current.order_by("space__name")
    ]


def compared(
    row: RetrievalProfile, other: RetrievalProfile | None
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the knobs in their groups, each beside its value in another version."""
    mine, theirs = profile_of(row), profile_of(other) if other else None
    groups = []
    for group, title in GROUPS.items():
        rows = []
        for name, about in KNOBS.items():
            if about.metadata["group"] != group:
                continue
            value = getattr(mine, name)
            was = getattr(theirs, name) if theirs else value
            rows.append(
                {
                    "name": name,
                    "label": about.metadata["label"],
                    "help": about.metadata["help"],
                    "value": shown(value),
                    "other": shown(was),
                    "built_in": shown(getattr(BUILT_IN, name)),
                    "move": _move(was, value),
                }
            )
        groups.append((str(title), rows))
    return groups


def shown(value: Any) -> str:
    """Return the value of a knob for people."""
    if isinstance(value, str):
        if not value:
            return _("none")
        endpoint = ModelEndpoint.objects.filter(pk=value).first()
        return endpoint.name if endpoint else _("deleted")
    if isinstance(value, float):
        return number_format(f"{value:.3f}".rstrip("0").rstrip(".") or "0")
    return number_format(value)


def figures_shown(row: RetrievalProfile) -> dict[str, Any] | None:
    """Return what a learned version was measured to be; None for others."""
    found = row.figures
    if not found:
        return None
    return {
        **found,
        "measures": [
            (name, number_format(found["before"][key], 4), number_format(found["after"][key], 4))
            for name, key in (
                (f"nDCG@{found['k']}", "ndcg"),
                (_("Recall@%(k)s") % {"k": found["k"]}, "recall"),
            )
        ],
        "low": number_format(found["low"], 4),
        "high": number_format(found["high"], 4),
        "certainty": number_format(100 * found["certainty"], 1),
        "folds": [
            {
                "name": fold["group"] or _("Part %(number)s") % {"number": number},
                "questions": fold["questions"],
                "before": number_format(fold["before"], 4),
                "after": number_format(fold["after"], 4),
            }
            for number, fold in enumerate(found["folds"], 1)
        ],
    }


def _move(was: Any, value: Any) -> str:
    if was == value:
        return ""
    if isinstance(value, str):
        return "≠"
    return "▲" if value > was else "▼"
