"""The blast radius: what stands on some nodes and is touched when they change or go.

Apps answer through the signal `dependents_asked`; what knowledge itself knows is below.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Q
from django.dispatch import receiver
from django.urls import NoReverseMatch, reverse
from django.utils.translation import ngettext

from knowledge.choices import RelationOrigin
from knowledge.linking import KIND as LINK
from knowledge.models import GoldenQuestion, Node, Proposal, Relation, Release
from knowledge.querysets import Reader
from knowledge.signals import dependents_asked

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something of one kind that stands on the nodes.

    `label` says it in words with the count. `examples` are titles with their addresses (empty where
    there is no page), only of what the asking person may open.
    """

    kind: str
    label: str
    count: int
    examples: tuple[tuple[str, str], ...] = ()


def blast_radius(node_ids: Collection[uuid.UUID], user: Reader) -> list[Dependent]:
    """Return what stands on the nodes, as far as `user` sees the nodes; nothing that counts 0."""
    seen = Node.objects.visible_to(user).filter(pk__in=node_ids)
    ids = frozenset(seen.values_list("pk", flat=True))
    if not ids:
        return []
    answers = dependents_asked.send(sender=Node, node_ids=ids, user=user)
    found: list[Dependent] = [each for _receiver, kinds in answers for each in cast("Any", kinds)]
    return [each for each in found if each.count]


@receiver(dependents_asked, dispatch_uid="knowledge.relations")
def _relations(node_ids: frozenset[uuid.UUID], user: Reader, **_extra: object) -> list[Dependent]:
    """Count links from texts, and relations; those between the nodes themselves are left out."""
    rows = Relation.objects.visible_to(user).select_related("source", "target")
    light = rows.only("source__title", "source__version", "target__title", "target__version")
    coming = light.filter(target__in=node_ids).exclude(source__in=node_ids)
    is_link = Q(origin=RelationOrigin.TEXT, kind=LINK)
    going = light.filter(source__in=node_ids).exclude(target__in=node_ids).exclude(is_link)
    links, related = coming.filter(is_link), coming.exclude(is_link)
    return [
        _of_nodes("link", links, "source", _link_words(links.count())),
        _of_nodes("relation_in", related, "source", _in_words(related.count())),
        _of_nodes("relation_out", going, "target", _out_words(going.count())),
    ]


def _link_words(count: int) -> tuple[int, str]:
    text = ngettext(
        "%(count)s text links here; the link would lead nowhere",
        "%(count)s texts link here; their links would lead nowhere",
        count,
    )
    return count, text


def _in_words(count: int) -> tuple[int, str]:
    text = ngettext("%(count)s relation from a node", "%(count)s relations from nodes", count)
    return count, text


def _out_words(count: int) -> tuple[int, str]:
    return count, ngettext("%(count)s relation to a node", "%(count)s relations to nodes", count)


def _of_nodes(kind: str, rows: Any, end: str, words: tuple[int, str]) -> Dependent:
    count, label = words
    nodes = [getattr(row, end) for row in rows.order_by("-weight", "pk")[:EXAMPLES]]
    examples = tuple((node.title, node.get_absolute_url()) for node in nodes)
    return Dependent(kind, label % {"count": count}, count, examples)


@receiver(dependents_asked, dispatch_uid="knowledge.proposals")
def _proposals(node_ids: frozenset[uuid.UUID], user: Reader, **_extra: object) -> list[Dependent]:
    ends = Q(changes__source_id__in=node_ids) | Q(changes__target_id__in=node_ids)
    rows = Proposal.objects.filter(ends | Q(changes__node_id__in=node_ids)).distinct()
    rows = rows.undecided()
    count = rows.count()
    label = ngettext(
        "%(count)s open proposal changes it", "%(count)s open proposals change it", count
    )
    return [_listed("proposal", rows, user, "proposal", label, count)]


@receiver(dependents_asked, dispatch_uid="knowledge.releases")
def _releases(node_ids: frozenset[uuid.UUID], user: Reader, **_extra: object) -> list[Dependent]:
    rows = Release.objects.filter(entries__node_id__in=node_ids).distinct()
    count = rows.count()
    label = ngettext(
        "%(count)s release holds a version of it, and keeps it",
        "%(count)s releases hold a version of it, and keep it",
        count,
    )
    return [_listed("release", rows, user, "release", label, count)]


@receiver(dependents_asked, dispatch_uid="knowledge.golden")
def _golden(node_ids: frozenset[uuid.UUID], user: Reader, **_extra: object) -> list[Dependent]:
    rows = GoldenQuestion.objects.filter(targets__node__in=node_ids).distinct()
    count = rows.count()
    label = ngettext(
        "%(count)s golden question expects it", "%(count)s golden questions expect it", count
    )
    return [_listed("golden_question", rows, user, "goldenquestion", label, count)]


def _listed(kind: str, rows: Any, user: Reader, model: str, label: str, count: int) -> Dependent:
    shown = rows.visible_to(user).order_by("-created_at", "pk")[:EXAMPLES]
    examples = tuple((str(row), _page(model, row.pk)) for row in shown)
    return Dependent(kind, label % {"count": count}, count, examples)


def _page(model: str, pk: object) -> str:
    """Return the address of a row in the admin; empty for rows that have no page there."""
    try:
        return reverse(f"admin:knowledge_{model}_change", args=[pk])
    except NoReverseMatch:
        return ""
