"""What needs the attention of a person: findings of the nodes in their spaces, by kind.

Snoozed findings are left out, hints unless they are asked for.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, Func, OuterRef, Q
from django.utils import timezone

from knowledge.choices import NodeStatus
from knowledge.models import FindingSnooze, NodeQuality
from knowledge.quality.catalogue import CATALOGUE, Severity, rank_of
from project.accounts.models import User

MINE, NOBODY = "me", "none"
PAIRS = frozenset({"duplicate", "near_duplicate", "contradiction"})
"""Findings that are about two nodes."""
REVIEWS = frozenset({"review_overdue", "review_soon"})
OWNERS = frozenset({"missing_owner", "inactive_owner"})
_PROMPT = frozenset({"review_soon"})
"""Hints that are shown all the same."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of it to show. `owner` is "me", "none", the id of a person, or empty for all."""

    space: uuid.UUID | None = None
    severity: str = ""
    owner: str = ""
    code: str = ""

    def codes(self) -> list[str]:
        """Return the wanted kinds of findings, worst first."""
        return sorted(filter(self._is_wanted, CATALOGUE), key=rank_of)

    def _is_wanted(self, code: str) -> bool:
        if self.code:
            return code == self.code
        severity = CATALOGUE[code].severity
        if self.severity:
            return severity == self.severity
        return severity != Severity.INFO or code in _PROMPT


def rows_of(user: User, wanted: Wanted) -> Any:
    """Return what the checks found of the nodes that are wanted, whatever they found."""
    rows = NodeQuality.objects.visible_to(user).exclude(node__status=NodeStatus.ARCHIVED)
    if wanted.space is not None:
        rows = rows.filter(space=wanted.space)
    if wanted.owner == MINE:
        rows = rows.filter(node__owner=user)
    elif wanted.owner == NOBODY:
        rows = rows.filter(node__owner=None)
    elif wanted.owner.isdecimal():
        rows = rows.filter(node__owner=int(wanted.owner))
    return rows


def counts_of(user: User, wanted: Wanted) -> dict[str, int]:
    """Return how many nodes have a finding of each wanted kind, worst kinds first."""
    rows = rows_of(user, wanted)
    codes = wanted.codes()
    named = (
        rows.filter(codes__overlap=codes)
        .order_by()
        .annotate(code=Func(F("codes"), function="unnest"))
    )
    counts = dict(named.values_list("code").annotate(Count("pk")))
    asleep = _asleep().filter(code__in=codes, node__quality__in=rows.values("pk"))
    for code, held in asleep.values_list("code", "node__quality__codes"):
        if code in held:
            counts[code] -= 1
    return {code: counts[code] for code in codes if counts.get(code, 0) > 0}


def rows_with(user: User, wanted: Wanted, code: str) -> Any:
    """Return the rows with a finding of one kind that nobody snoozed, worst scores first."""
    asleep = _asleep().filter(node=OuterRef("pk"), code=code)
    rows = rows_of(user, wanted).filter(~Exists(asleep), codes__contains=[code])
    return (
        rows.select_related("node__space", "node__owner")
        .defer("node__content", "node__metadata", "node__anchors", "node__wiki_links")
        .order_by("score", "node__title", "pk")
    )


def nodes_in_need(user: User, wanted: Wanted, *, most: int) -> int:
    """Count the nodes with a wanted finding that nobody snoozed, no further than `most`."""
    codes = wanted.codes()
    asleep = _asleep().filter(node=OuterRef("pk"), code__in=codes).values("node")
    held = rows_of(user, wanted).filter(codes__overlap=codes)
    is_quiet = Q(pk__in=held.filter(Exists(asleep)).values("pk"))
    count = held.exclude(is_quiet).order_by().values("pk")[:most].count()
    for row in held.filter(is_quiet).prefetch_related("node__snoozes")[:most]:
        quiet = {each.code for each in row.node.snoozes.all() if each.until > timezone.localdate()}
        count += bool(set(row.codes) & set(codes) - quiet)
    return min(int(count), most)


def _asleep() -> Any:
    return FindingSnooze.objects.filter(until__gt=timezone.localdate())


def findings_of(row: NodeQuality, codes: Iterable[str]) -> list[dict[str, Any]]:
    """Return the kept findings of some kinds, as they are stored."""
    wanted = set(codes)
    return [each for each in row.findings if each["code"] in wanted]
