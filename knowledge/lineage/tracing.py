"""Finding the lineage of a version of a node, as far as a person may know it.

1. The version, its parents a few steps back, the first one, and those that followed at once; the
   versions between are one thing, counted.
2. What each comes from: its proposal, migration or import; for a file the source with its pages.
3. What became of each: releases here, and whatever apps above add (`lineage_asked`).

What a person may not see has no name and no address: another's answers are counted, a proposal is
“a proposal”, and a source or job is left out.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from knowledge.access import node_versions_visible_to
from knowledge.choices import JobKind, VersionOrigin
from knowledge.lineage.graph import Follower, Lineage, Link, Thing, ThingType, version_id
from knowledge.models import (
    IngestJob,
    KindMigration,
    Node,
    NodeVersion,
    Proposal,
    Release,
    ReleaseEntry,
    Source,
)
from knowledge.querysets import Reader
from knowledge.signals import lineage_asked

STEPS_BACK = 3
MOST_SHOWN = 12
MOST_AFTER = 3
MOST_RELEASES = 6

FIELDS = (
    "version", "parents", "title", "history_date", "author_name", "history_change_reason",
    "change_origin", "change_origin_id", "source_id", "anchors", "erased_at",
)  # fmt: skip


@dataclass(slots=True)
class _Trace:
    """A lineage in the making: all versions by number with their parents, those shown with rows."""

    node: Node
    user: Reader
    focus: int
    parents: dict[int, list[int]]
    rows: dict[int, Any] = field(default_factory=dict)
    made: Lineage = field(default_factory=Lineage)


def lineage_of(node: Node, version: int, user: Reader) -> Lineage:
    """Return the lineage of a version that `user` may open of a node they see."""
    history = NodeVersion.objects.filter(id=node.pk).exclude(history_type="-")
    parents = dict(history.values_list("version", "parents"))
    trace = _Trace(node, user, version, parents)
    visible = node_versions_visible_to(user, node).order_by()
    wanted = _wanted(version, parents)
    trace.rows = {row.version: row for row in visible.filter(version__in=wanted).only(*FIELDS)}
    for number in sorted(trace.rows):
        trace.made.add(_version_thing(trace, trace.rows[number]))
    for number in sorted(trace.rows):
        _join_parents(trace, number)
    _add_origins(trace)
    _add_sources(trace)
    _add_releases(trace)
    answers: Any = lineage_asked.send(
        sender=Node, node_id=node.pk, versions=frozenset(trace.rows), user=user
    )
    for _receiver, followers in answers:
        _add_followers(trace, followers)
    return trace.made


def _wanted(focus: int, parents: Mapping[int, Sequence[int]]) -> set[int]:
    """Return the versions to show one by one: around the asked one, and the first."""
    wanted, edge = {focus}, [focus]
    for _step in range(STEPS_BACK):
        edge = [number for each in edge for number in parents.get(each, ())]
        wanted.update(edge)
        if len(wanted) >= MOST_SHOWN:
            break
    wanted.update(number for number, above in parents.items() if not above)
    after = sorted(number for number, above in parents.items() if focus in above)
    return wanted | set(after[:MOST_AFTER])


def _version_thing(trace: _Trace, row: Any) -> Thing:
    reason = row.history_change_reason or row.title
    if row.erased_at is not None:
        reason = _("Erased for legal reasons")
    return Thing(
        version_id(row.version),
        ThingType.VERSION,
        _("Version %(number)s") % {"number": row.version},
        title=reason,
        detail=row.author_name,
        url=f"{reverse('node-page', args=[trace.node.pk])}?version={row.version}",
        at=row.history_date,
        is_focus=row.version == trace.focus,
    )


def _join_parents(trace: _Trace, number: int) -> None:
    """Link a shown version to its parents, or over what is not shown to the nearest before it."""
    hidden: set[int] = set()
    nearest: set[int] = set()
    edge = list(trace.parents[number])
    is_merge = len(edge) > 1
    while edge:
        each = edge.pop()
        if each in trace.rows:
            if each in trace.parents[number]:
                label = _("merge") if is_merge else ""
                trace.made.links.append(Link(version_id(each), version_id(number), label))
            else:
                nearest.add(each)
        elif each not in hidden and each in trace.parents:
            hidden.add(each)
            edge += trace.parents[each]
    if not hidden:
        return
    count = len(hidden)
    label = ngettext("%(count)s version", "%(count)s versions", count) % {"count": count}
    span = f"{min(hidden)}–{max(hidden)}" if count > 1 else f"{min(hidden)}"
    gap = Thing(
        f"versions:{number}",
        ThingType.VERSIONS,
        label,
        title=_("Number %(span)s") % {"span": span},
        count=count,
    )
    before = [Link(version_id(each), gap.id) for each in sorted(nearest)]
    trace.made.add(gap, *before, Link(gap.id, version_id(number)))


def _add_origins(trace: _Trace) -> None:
    """Add the proposals, migrations, jobs and releases that shown versions come from."""
    ids: dict[str, set[uuid.UUID]] = {}
    for row in trace.rows.values():
        if row.change_origin_id is not None:
            ids.setdefault(row.change_origin, set()).add(row.change_origin_id)
    known = {
        VersionOrigin.PROPOSAL: _visible(Proposal, trace.user, ids.get(VersionOrigin.PROPOSAL)),
        VersionOrigin.MIGRATION: _visible(
            KindMigration, trace.user, ids.get(VersionOrigin.MIGRATION), "kind"
        ),
        VersionOrigin.IMPORT: _visible(IngestJob, trace.user, ids.get(VersionOrigin.IMPORT)),
        VersionOrigin.RESTORE: _visible(Release, trace.user, ids.get(VersionOrigin.RESTORE)),
    }
    for number, row in sorted(trace.rows.items()):
        if row.source_id is not None and row.change_origin == VersionOrigin.IMPORT:
            continue  # the source brings its job along
        thing = _origin_thing(trace.user, row, known.get(row.change_origin, {}))
        if thing is not None:
            trace.made.add(thing, Link(thing.id, version_id(number), _("origin")))


def _origin_thing(user: Reader, row: Any, known: Mapping[uuid.UUID, Any]) -> Thing | None:
    """Return what a version comes from; without a name where the person may not see it."""
    if row.change_origin_id is None:
        return None
    found = known.get(row.change_origin_id)
    if row.change_origin == VersionOrigin.PROPOSAL:
        title = found.title if found else ""
        url = _admin_url(user, "proposal", found)
        return Thing(
            f"proposal:{row.change_origin_id}" if found else f"proposal-of:{row.version}",
            ThingType.PROPOSAL,
            _("Proposal"),
            title=title,
            url=url,
            at=found.merged_at if found else None,
        )
    if row.change_origin == VersionOrigin.MIGRATION:
        return Thing(
            f"migration:{row.change_origin_id}" if found else f"migration-of:{row.version}",
            ThingType.MIGRATION,
            _("Migration of its kind"),
            title=str(found) if found else "",
            url=_admin_url(user, "kindmigration", found),
            at=found.finished_at if found else None,
        )
    if row.change_origin == VersionOrigin.IMPORT and found is not None:
        return _job_thing(user, found)
    if row.change_origin == VersionOrigin.RESTORE and found is not None:
        return _release_thing(user, found)
    return None


def _add_sources(trace: _Trace) -> None:
    """Add the files that shown versions were made from, each to the first of them."""
    first: dict[uuid.UUID, Any] = {}
    for _number, row in sorted(trace.rows.items()):
        if row.source_id is not None:
            first.setdefault(row.source_id, row)
    if not first or not trace.user.is_authenticated:
        return
    jobs: dict[uuid.UUID | None, IngestJob] = {}
    rows = IngestJob.objects.visible_to(trace.user).filter(source__in=first, kind=JobKind.SOURCE)
    for job in rows.order_by("created_at"):
        if job.source_id not in jobs or trace.node.pk in job.nodes:
            jobs[job.source_id] = job
    for source in Source.objects.visible_to(trace.user).filter(pk__in=first):
        row = first[source.pk]
        thing = Thing(
            f"source:{source.pk}",
            ThingType.SOURCE,
            _("Source"),
            title=source.title or source.filename or source.origin,
            detail=pages_of(row.anchors),
            url=reverse("source-file", args=[source.pk]),
            at=source.created_at,
        )
        trace.made.add(thing, Link(thing.id, version_id(row.version), _("its text")))
        if source.pk in jobs:
            job_thing = _job_thing(trace.user, jobs[source.pk])
            trace.made.add(job_thing, Link(job_thing.id, thing.id, _("import")))


def pages_of(anchors: Sequence[Mapping[str, Any]]) -> str:
    """Return the pages or sheets of a source that a text has, in words."""
    pages = sorted({anchor["page"] for anchor in anchors if anchor.get("page")})
    labels = [str(anchor["label"]) for anchor in anchors if anchor.get("label")]
    if labels:
        return labels[0] if len(labels) == 1 else f"{labels[0]} – {labels[-1]}"
    if not pages:
        return ""
    if len(pages) == 1:
        return _("page %(page)s") % {"page": pages[0]}
    return _("pages %(first)s–%(last)s") % {"first": pages[0], "last": pages[-1]}


def _add_releases(trace: _Trace) -> None:
    entries = ReleaseEntry.objects.filter(node_id=trace.node.pk, version__in=trace.rows)
    rows = (
        entries.filter(release__in=Release.objects.visible_to(trace.user))
        .select_related("release")
        .order_by("-release__created_at")[:MOST_RELEASES]
    )
    for entry in rows:
        thing = _release_thing(trace.user, entry.release)
        trace.made.add(thing, Link(version_id(entry.version), thing.id, _("release")))


def _add_followers(trace: _Trace, followers: Iterable[Follower]) -> None:
    for each in followers:
        if each.version in trace.rows:
            link = Link(version_id(each.version), each.thing.id, each.label)
            trace.made.add(each.thing, link)


def _job_thing(user: Reader, job: IngestJob) -> Thing:
    return Thing(
        f"job:{job.pk}",
        ThingType.JOB,
        _("Import"),
        title=job.get_kind_display(),
        detail=job.get_status_display(),
        url=_admin_url(user, "ingestjob", job),
        at=job.created_at,
    )


def _release_thing(user: Reader, release: Release) -> Thing:
    return Thing(
        f"release:{release.pk}",
        ThingType.RELEASE,
        _("Release"),
        title=release.name,
        detail=release.author_name,
        url=_admin_url(user, "release", release),
        at=release.created_at,
    )


def _visible(
    model: Any, user: Reader, ids: Iterable[uuid.UUID] | None, *related: str
) -> dict[uuid.UUID, Any]:
    if not ids or not user.is_authenticated:
        return {}
    rows = model.objects.visible_to(user).filter(pk__in=ids)
    return {row.pk: row for row in (rows.select_related(*related) if related else rows)}


def _admin_url(user: Reader, model: str, row: Any) -> str:
    """Return the address of a row in the admin, for staff, where it has a page there."""
    if row is None or not getattr(user, "is_staff", False):
        return ""
    try:
        return reverse(f"admin:knowledge_{model}_change", args=[row.pk])
    except NoReverseMatch:
        return ""
