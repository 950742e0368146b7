"""What the page of a turn says of which model answered, and why."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from project.inference.choices import Tier

REASONS = {
    "small talk": gettext_lazy("small talk"),
    "long": gettext_lazy("long"),
    "rather long": gettext_lazy("rather long"),
    "compares or lists": gettext_lazy("compares or lists"),
    "asks for reasons": gettext_lazy("asks for reasons"),
    "has conditions": gettext_lazy("has conditions"),
    "asks twice": gettext_lazy("asks twice"),
    "short look-up": gettext_lazy("short look-up"),
    "leans on a long talk": gettext_lazy("leans on a long conversation"),
    "leans on the talk": gettext_lazy("leans on the conversation"),
    "found for sure": gettext_lazy("surely found"),
    "hardly found": gettext_lazy("hardly found"),
    "spread over many texts": gettext_lazy("spread over many texts"),
}
CHOOSERS = {
    "conversation": gettext_lazy("asked for in the conversation"),
    "experiment": gettext_lazy("by an experiment"),
    "setup": gettext_lazy("by the answer setup"),
}
FAULTS = {
    "cut": gettext_lazy("cut at its greatest length"),
    "empty": gettext_lazy("empty"),
    "refusal": gettext_lazy("a refusal"),
    "off topic": gettext_lazy("off topic"),
    "no citation": gettext_lazy("cites nothing"),
}
OUTCOMES = {
    "replaced": gettext_lazy("replaced by a more capable model's"),
    "empty": gettext_lazy("the more capable model gave none"),
    "not_configured": gettext_lazy("there is no more capable model"),
    "budget_used_up": gettext_lazy("the budget is used up"),
}


def routing_context(trace: dict[str, Any]) -> dict[str, Any]:
    """Return how the model was chosen, in words; empty for a turn that no model was asked for."""
    found = trace.get("routing")
    if not isinstance(found, dict):
        return {}
    tier = found.get("asked") or found.get("tier", "")
    before = found.get("before") or {}
    fault, escalation = found.get("fault", ""), found.get("escalation", "")
    return {
        "tier": Tier(tier).label if tier in Tier.values else tier,
        "by": CHOOSERS.get(found.get("by", ""), _("by complexity")),
        "points": found.get("points"),
        "complexity": Tier(found["tier"]).label if found.get("tier") in Tier.values else "",
        "reasons": [REASONS.get(each, each) for each in found.get("reasons", ())],
        "fault": FAULTS.get(fault, fault),
        "before": before.get("model", ""),
        "escalation": OUTCOMES.get(escalation, escalation),
        "experiments": trace.get("experiments", []),
    }
