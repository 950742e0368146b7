"""Every kind of finding: how bad it is, what it costs of the score, and what people are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Severity(models.TextChoices):
    """How bad a finding is."""

    ERROR = "error", _("Error")
    WARNING = "warning", _("Warning")
    INFO = "info", _("Hint")


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of finding. `points` go off the score for each, `most` for all of it together."""

    severity: Severity
    field: str
    points: int
    most: int
    label: StrOrPromise
    message: StrOrPromise


E, W, I = Severity.ERROR, Severity.WARNING, Severity.INFO  # noqa: E741 - columns

CATALOGUE: dict[str, Entry] = {
    # -- the text ------------------------------------------------------------------------------
    "missing_title": Entry(
        E, "title", 30, 30, _("No title"),
        _("Give the node a title: search, links and citations show it."),
    ),
    "empty": Entry(
        E, "content", 60, 60, _("No text"),
        _("Write the text, or archive the node: it answers nothing."),
    ),
    "very_short": Entry(
        W, "content", 15, 15, _("Very short"),
        _("Say more, or move it into another node: %(words)s words are hardly an answer."),
    ),
    "heading_skip": Entry(
        I, "content", 2, 6, _("Heading level skipped"),
        _("Make “%(heading)s” a heading of level %(wanted)s: level %(level)s follows %(before)s, "
          "and screen readers announce a gap."),
    ),
    "long_without_headings": Entry(
        I, "content", 3, 9, _("Long stretch without a heading"),
        _("Put a heading into the %(words)s words that begin “%(begins)s”: readers and citations "
          "find their place by headings."),
    ),
    "hard_to_read": Entry(
        I, "content", 5, 5, _("Hard to read"),
        _("Use shorter sentences and plainer words: the reading ease is %(score)s of 100, with "
          "%(sentence)s words a sentence."),
    ),
    "language_mismatch": Entry(
        W, "language", 12, 12, _("Another language than declared"),
        _("Set the language to “%(detected)s”, which the text seems to be written in; it says "
          "“%(declared)s”. Words are indexed by it."),
    ),
    "gives_orders": Entry(
        W, "content", 15, 15, _("Gives orders to the model"),
        _("Look at “%(words)s”: it speaks to a language model, not to readers. Answers fence the "
          "passage off; remove the words if nobody should read them."),
    ),
    # -- links ---------------------------------------------------------------------------------
    "broken_link": Entry(
        E, "content", 8, 24, _("Link to nothing"),
        _("Correct or remove the link “%(target)s”: no node of this space has that name."),
    ),
    "link_unpublished": Entry(
        W, "content", 5, 15, _("Link to what readers cannot open"),
        _("Publish “%(title)s” or link elsewhere: it is not published, so readers cannot follow "
          "the link."),
    ),
    "broken_heading_link": Entry(
        W, "content", 4, 12, _("Link to a missing heading"),
        _("Correct the link “%(target)s”: the text that it leads to has no such heading."),
    ),
    "broken_relative_link": Entry(
        E, "content", 8, 24, _("Link to an address that does not exist"),
        _("Correct or remove the link to “%(target)s”: nothing is at that address here. Link to "
          "nodes by [[their title]]."),
    ),
    "bad_url": Entry(
        W, "content", 5, 15, _("Malformed address"),
        _("Correct the address “%(target)s”: it cannot be opened as it is written."),
    ),
    "orphan": Entry(
        I, "content", 5, 5, _("Stands alone"),
        _("Link this node with others: nothing leads to it and it leads nowhere."),
    ),
    # -- other nodes ---------------------------------------------------------------------------
    "duplicate": Entry(
        E, "content", 30, 30, _("Duplicate"),
        _("Keep one of the two and archive the other: “%(title)s” has the same text."),
    ),
    "near_duplicate": Entry(
        W, "content", 12, 24, _("Near duplicate"),
        _("Merge it with “%(title)s”, or say how they differ: they are alike to %(percent)s%%."),
    ),
    "contradiction": Entry(
        W, "content", 15, 30, _("Contradiction"),
        _("Find out which is right. Here: “%(here)s” In “%(title)s”: “%(there)s”"),
    ),
    # -- care ----------------------------------------------------------------------------------
    "missing_owner": Entry(
        W, "owner", 10, 10, _("No owner"),
        _("Name an owner: nobody is asked when the text grows old."),
    ),
    "inactive_owner": Entry(
        W, "owner", 10, 10, _("Owner is gone"),
        _("Name another owner: the account of this one is switched off."),
    ),
    "review_overdue": Entry(
        W, "review_due", 15, 15, _("Review overdue"),
        _("Read it again and mark it as reviewed: that was due on %(due)s."),
    ),
    "review_soon": Entry(
        I, "review_due", 0, 0, _("Review due soon"),
        _("Plan to read it again: a review is due on %(due)s."),
    ),
    "expired": Entry(
        E, "valid_until", 25, 25, _("No longer valid"),
        _("Renew the validity or archive the node: it ended on %(until)s, and search leaves it "
          "out."),
    ),
    "expires_soon": Entry(
        W, "valid_until", 5, 5, _("Validity ends soon"),
        _("Renew the validity or prepare what replaces it: it ends on %(until)s."),
    ),
    "not_indexed": Entry(
        E, "content", 20, 20, _("Not in the index"),
        _("Look at the jobs and the workers: search has waited for this version since %(since)s."),
    ),
}  # fmt: skip

ORDER = {code: place for place, code in enumerate(CATALOGUE)}
SEVERITY_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def rank_of(code: str) -> tuple[int, int]:
    """Return the place of a kind among others: worst first, then in the order of the catalogue."""
    return SEVERITY_ORDER[CATALOGUE[code].severity], ORDER[code]
