"""What the pages show of a proposal's changes: how each differs, and what was said about it."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from knowledge.admin.merge_parts import Changes, label_of, readable
from knowledge.choices import ChangeAction, RelationStatus
from knowledge.merging.rows import CONTEXT, Row, TextDiff, compare_texts
from knowledge.merging.tree import MISSING, is_same
from knowledge.models import Node, Proposal, ProposalChange, ProposalComment, Relation
from knowledge.proposal_reading import ChangeDiff, changes_compare, changes_titles

ACTIONS = {
    ChangeAction.EDIT: ("edit", "info"),
    ChangeAction.CREATE: ("add_circle", "success"),
    ChangeAction.ARCHIVE: ("archive", "warning"),
    ChangeAction.PUBLISH: ("publish", "success"),
    ChangeAction.RELATE: ("add_link", "success"),
    ChangeAction.UNRELATE: ("link_off", "warning"),
    ChangeAction.RELATION_EDIT: ("link", "info"),
}
"""The symbol and the tone of each action; its word stands beside them."""


@dataclass(frozen=True, slots=True)
class CommentedRow(Row):
    """A row of a diff with the threads about its new line; `is_asked` shows the form below it."""

    threads: Sequence[Any] = ()
    address: str = ""
    anchor: str = ""
    is_asked: bool = False


@dataclass(frozen=True, slots=True)
class ShownChange:
    """A change with its difference, where that is shown at once, and its threads.

    `loose` are threads about the whole change, about lines that are not shown, or about an earlier
    version of the change.
    """

    change: ProposalChange
    title: str
    names: list[str]
    node: Node | None = None
    comparison: Changes | None = None
    loose: list[Any] = field(default_factory=list)
    open_threads: int = 0
    others: Sequence[Proposal] = ()

    @property
    def icon(self) -> str:
        """The symbol of what it does."""
        return ACTIONS[ChangeAction(self.change.action)][0]

    @property
    def tone(self) -> str:
        """The tone of what it does."""
        return ACTIONS[ChangeAction(self.change.action)][1]

    @property
    def is_behind(self) -> bool:
        """Whether the node was changed since the branch left it."""
        return self.node is not None and self.node.version != self.change.base_version


@dataclass(frozen=True, slots=True)
class Wanted:
    """How changes are to be shown: which open (None: all), how much around, where to comment."""

    opened: frozenset[uuid.UUID] | None = None
    context: int | None = CONTEXT
    line: tuple[uuid.UUID, int] | None = None


def shown_changes(
    proposal: Proposal, changes: Sequence[ProposalChange], wanted: Wanted
) -> list[ShownChange]:
    """Return some changes of a proposal as its pages show them, in order."""
    is_open = [wanted.opened is None or each.pk in wanted.opened for each in changes]
    diffs = {
        diff.change.pk: diff
        for diff in changes_compare(
            proposal, [each for each, now in zip(changes, is_open, strict=True) if now]
        )
    }
    titles = changes_titles(proposal, changes)
    nodes = Node.objects.in_bulk([each.node_id for each in changes if each.node_id])
    threads = threads_by_change(proposal, changes)
    found = []
    for each in changes:
        node = nodes.get(each.node_id) if each.node_id else None
        about = threads[each.pk]
        shown = ShownChange(
            each,
            titles.get(each.pk, "?"),
            [name_of(name) for name in each.fields if name != "status" or len(each.fields) == 1],
            node=node if each.action != ChangeAction.CREATE else None,
            open_threads=sum(thread.resolved_at is None for thread in about),
            loose=about,
        )
        diff = diffs.get(each.pk)
        found.append(shown if diff is None else _opened(shown, diff, wanted))
    return found


def threads_by_change(
    proposal: Proposal, changes: Sequence[ProposalChange]
) -> dict[uuid.UUID, list[ProposalComment]]:
    """Return the first comments of threads with their replies, by change."""
    rows = ProposalComment.objects.filter(proposal=proposal, parent=None, change__in=changes)
    rows = rows.select_related("author", "resolved_by").prefetch_related("replies__author")
    found: dict[uuid.UUID, list[ProposalComment]] = defaultdict(list)
    for row in rows.order_by("created_at", "pk"):
        if row.change_id is not None:
            found[row.change_id].append(row)
    return found


def _opened(shown: ShownChange, diff: ChangeDiff, wanted: Wanted) -> ShownChange:
    facts = facts_of_change(diff)
    if diff.change.is_of_relation:
        return replace(shown, comparison=Changes(facts, TextDiff()))
    old = "" if diff.change.action == ChangeAction.CREATE else diff.base["content"]
    text = compare_texts(old, diff.ours["content"], context=wanted.context)
    at_line: dict[int, list[ProposalComment]] = defaultdict(list)
    loose = []
    lines = {row.new for row in text.rows if row.new is not None}
    for thread in shown.loose:
        if thread.line in lines and thread.change_version == shown.change.version:
            at_line[thread.line].append(thread)
        else:
            loose.append(thread)
    text.rows = [_commented(row, shown.change, at_line, wanted) for row in text.rows]
    return replace(shown, comparison=Changes(facts, text), loose=loose)


def _commented(
    row: Row,
    change: ProposalChange,
    at_line: dict[int, list[ProposalComment]],
    wanted: Wanted,
) -> Row:
    if row.new is None:
        return row
    anchor = f"line-{change.pk}-{row.new}"
    return CommentedRow(
        row.kind,
        row.old,
        row.new,
        row.old_parts,
        row.new_parts,
        threads=at_line.get(row.new, ()),
        address=f"?open={change.pk}&line={row.new}#{anchor}",
        anchor=anchor,
        is_asked=wanted.line == (change.pk, row.new),
    )


def facts_of_change(diff: ChangeDiff) -> list[dict[str, str]]:
    """Return what changes besides the text, as people read it; metadata path by path."""
    facts = []
    for each in diff.fields:
        name, old, new = each["field"], each["old"], each["new"]
        if name == "content":
            continue
        if name == "metadata":
            facts += metadata_facts(old or {}, new or {})
        elif diff.change.is_of_relation:
            values = [_relation_value(name, value) for value in (old, new)]
            facts.append({"name": name_of(name), "old": values[0], "new": values[1]})
        else:
            facts.append(
                {"name": label_of(name), "old": readable(name, old), "new": readable(name, new)}
            )
    return facts


def metadata_facts(old: Any, new: Any, path: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """Return how two JSON objects differ, one fact for each path at which they do."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key, MISSING), new.get(key, MISSING)
        here = (*path, str(key))
        if isinstance(before, dict) and isinstance(after, dict):
            found += metadata_facts(before, after, here)
        elif before is MISSING or after is MISSING or not is_same(before, after):
            name = f"{name_of('metadata')}: {' → '.join(here)}"
            values = [readable("metadata", value) for value in (before, after)]
            found.append({"name": name, "old": values[0], "new": values[1]})
    return found


def _relation_value(name: str, value: Any) -> str:
    if name == "status" and value in RelationStatus.values:
        return str(RelationStatus(value).label)
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def name_of(name: str) -> str:
    """Return the name of a field of a node or a relation as people know it."""
    if name == "content":
        return _("Text")
    if name == "weight":
        label = str(getattr(Relation._meta.get_field(name), "verbose_name", name))
        return label[:1].upper() + label[1:]
    return label_of(name)
