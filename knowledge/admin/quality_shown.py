"""How the admin shows what the checks found."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from knowledge.attention import PAIRS
from knowledge.quality import Finding, Severity

ICONS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "info"}
TONES = {Severity.ERROR: "danger", Severity.WARNING: "warning", Severity.INFO: "info"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding with the ways that lead to it; empty where there is none."""

    finding: Finding
    icon: str
    tone: str
    place_url: str
    other_url: str
    pair_url: str


def shown(findings: Iterable[Finding], node: Any) -> list[Shown]:
    """Return findings of a node as pages show them."""
    return [_shown(each, node) for each in findings]


def _shown(finding: Finding, node: Any) -> Shown:
    details = finding.details
    place = other = pair = ""
    page = reverse("node-page", args=[node.pk])
    if details.get("end", 0) > details.get("start", 0):
        place = (
            f"{page}?version={node.version}&start={details['start']}&end={details['end']}#passage"
        )
    if details.get("node"):
        other = reverse("node-page", args=[details["node"]])
        if details.get("there_end") and details.get("version"):
            span = f"start={details['there_start']}&end={details['there_end']}"
            other = f"{other}?version={details['version']}&{span}#passage"
        if finding.code in PAIRS:
            pair = reverse("admin:knowledge_nodequality_pair", args=[node.pk, details["node"]])
    severity = Severity(finding.severity)
    return Shown(finding, ICONS[severity], TONES[severity], place, other, pair)
