"""What was said of a proposal and what happened to it, in the order of time."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from knowledge.choices import ProposalStatus, Verdict, VersionOrigin
from knowledge.models import (
    NodeVersion,
    Proposal,
    ProposalComment,
    ProposalReview,
    RelationVersion,
)
from knowledge.proposal_reading import changes_titles
from project.accounts.models import User
from project.events.models import Event

MOST_STEPS = 300
MOST_RELATIONS = 100
_BEGIN = "knowledge.proposal."


@dataclass(frozen=True, slots=True)
class Talk:
    """A review, or the first comment of a thread."""

    at: datetime.datetime
    review: ProposalReview | None = None
    comment: ProposalComment | None = None
    title: str = ""
    is_stale: bool = False

    @property
    def is_approval(self) -> bool:
        """Whether it is a review that approves."""
        return self.review is not None and self.review.verdict == Verdict.APPROVED


def talk_of(proposal: Proposal) -> list[Talk]:
    """Return the reviews and threads of a proposal, the oldest first."""
    reviews = proposal.reviews.select_related("user")
    said = [
        Talk(each.created_at, review=each, is_stale=each.revision != proposal.revision)
        for each in reviews
    ]
    threads = list(
        proposal.comments.filter(parent=None)
        .select_related("author", "resolved_by", "change")
        .prefetch_related("replies__author")
    )
    changes = [each.change for each in threads if each.change is not None]
    titles = changes_titles(proposal, changes) if changes else {}
    said += [
        Talk(
            each.created_at,
            comment=each,
            title=titles.get(each.change_id, "") if each.change_id else "",
            is_stale=each.change is not None
            and each.line is not None
            and each.change_version != each.change.version,
        )
        for each in threads
    ]
    return sorted(said, key=lambda each: each.at)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened: when, who, and what in words."""

    at: datetime.datetime
    who: str
    what: str
    icon: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What happened, the newest first, and what the merge made; `versions` is a queryset."""

    steps: list[Step] = field(default_factory=list)
    versions: Any = None
    relations: list[Any] = field(default_factory=list)


def history_of(proposal: Proposal) -> History:
    """Return what happened to a proposal."""
    steps = [*_made(proposal), *_changed(proposal), *_announced(proposal), *_reviewed(proposal)]
    steps.sort(key=lambda each: each.at, reverse=True)
    origin = {"change_origin": VersionOrigin.PROPOSAL, "change_origin_id": proposal.pk}
    versions = NodeVersion.objects.filter(**origin).order_by("title", "id")
    relations = RelationVersion.objects.filter(**origin).order_by("history_date", "id")
    return History(
        steps[:MOST_STEPS],
        versions.only("id", "version", "title", "parents", "history_date"),
        list(relations.select_related("source", "target")[:MOST_RELATIONS]),
    )


def _made(proposal: Proposal) -> list[Step]:
    what = _("began the proposal")
    return [Step(proposal.created_at, str(proposal.author or "–"), what, "flag")]


def _changed(proposal: Proposal) -> list[Step]:
    """Return when changes were last written; what they were before is not kept."""
    changes = list(
        proposal.changes.select_related("author").order_by("-updated_at", "pk")[:MOST_STEPS]
    )
    titles = changes_titles(proposal, changes)
    return [
        Step(
            each.updated_at,
            str(each.author or "–"),
            _("wrote the change “%(what)s” of “%(title)s”")
            % {"what": each.get_action_display(), "title": titles.get(each.pk, "?")},
            "edit",
            _("version %(number)s of the change") % {"number": each.version}
            if each.version > 1
            else "",
        )
        for each in changes
    ]


def _announced(proposal: Proposal) -> list[Step]:
    words = {
        "submitted": (_("submitted it for review"), "rate_review"),
        "rejected": (_("rejected it"), "block"),
        "merged": (_("merged it"), "merge"),
    }
    types = [f"{_BEGIN}{name}" for name in words]
    rows = list(Event.objects.filter(subject_id=proposal.pk, type__in=types)[:MOST_STEPS])
    people = User.objects.in_bulk([row.payload.get("by") for row in rows if row.payload.get("by")])
    found = [
        Step(
            row.created_at,
            str(people.get(row.payload.get("by"), "–")),
            *words[row.type.removeprefix(_BEGIN)],
        )
        for row in rows
    ]
    known = {row.type for row in rows}  # events expire; the proposal's own times stay
    if proposal.merged_at and f"{_BEGIN}merged" not in known:
        found.append(Step(proposal.merged_at, str(proposal.merged_by or "–"), *words["merged"]))
    if proposal.submitted_at and f"{_BEGIN}submitted" not in known:
        found.append(Step(proposal.submitted_at, "–", *words["submitted"]))
    is_rejected = proposal.status == ProposalStatus.REJECTED
    if is_rejected and proposal.decided_at and f"{_BEGIN}rejected" not in known:
        found.append(Step(proposal.decided_at, "–", *words["rejected"]))
    return found


def _reviewed(proposal: Proposal) -> list[Step]:
    found = []
    for each in proposal.reviews.select_related("user"):
        is_yes = each.verdict == Verdict.APPROVED
        what = _("approved revision %(number)s") if is_yes else _("asked for changes")
        found.append(
            Step(
                each.created_at,
                str(each.user or "–"),
                what % {"number": each.revision} if is_yes else what,
                "verified" if is_yes else "feedback",
                each.comment[:200],
            )
        )
    return found
