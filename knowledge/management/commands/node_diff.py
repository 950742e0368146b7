"""How two versions of a node differ, as text."""

import argparse
import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from knowledge.merging.rows import Part, Row, TextDiff, compare_texts
from knowledge.models import Node, NodeVersion
from knowledge.relation_history import RelationChange, relation_changes
from knowledge.versions import compare

PLAIN = {"-": ("[-", "-]"), "+": ("{+", "+}")}
BOLD, DIM, RED, GREEN, CYAN, RESET = (
    "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[36m", "\x1b[0m",
)  # fmt: skip
CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}
"""A text must not steer the terminal that shows it."""
REVERSE, UPRIGHT = "\x1b[7m", "\x1b[27m"


class Command(BaseCommand):
    """Unified, with the changed words marked: `[-old-]` and `{+new+}`, or by colour on a terminal.

    A deleted node is found by its id; its versions stay.
    """

    help = "Show how two versions of a node differ: fields, tags, relations, the text word by word."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the node and the two versions; without them, the last change."""
        parser.add_argument("node", help="Id, or external id.")
        parser.add_argument(
            "old", type=int, nargs="?", help="A version; by default the one before."
        )
        parser.add_argument("new", type=int, nargs="?", help="A version; by default the newest.")
        parser.add_argument("--space", help="The space's slug, where spaces share an external id.")

    def handle(self, *_args: Any, **options: Any) -> None:
        node = node_id(options["node"], options["space"])
        rows = NodeVersion.objects.filter(id=node).exclude(history_type="-")
        new = options["new"] or rows.order_by("-version").values_list("version", flat=True).first()
        before = options["old"] or max(1, (new or 1) - 1)
        found = {row.version: row for row in rows.filter(version__in=[before, new])}
        for number in (before, new):
            if number not in found:
                raise CommandError(f"This node has no version {number}.")
        is_coloured = self.stdout.isatty() and not options["no_color"]
        if options["force_color"]:
            is_coloured = True
        for line in report(found[before], found[new], is_coloured=is_coloured):
            # Styled by hand: a style of Django's would paint whole lines.
            self.stdout.write(line)


def node_id(name: str, space: str | None) -> uuid.UUID:
    """Return the id of a node by its id or external id; CommandError when there is not just one."""
    try:
        key = uuid.UUID(name)
    except ValueError:
        wanted = Q(external_id=name)
    else:
        wanted = Q(external_id=name) | Q(pk=key)
        if NodeVersion.objects.filter(id=key).exists():
            return key
    if space is not None:
        wanted &= Q(space__slug=space)
    found = list(Node.objects.filter(wanted).values_list("pk", "space__slug")[:20])
    if not found:
        raise CommandError(f"There is no node with the id or external id “{name}”.")
    if len(found) > 1:
        slugs = ", ".join(sorted(slug for _pk, slug in found))
        raise CommandError(f"Several spaces have “{name}”: say --space with one of {slugs}.")
    return found[0][0]


def report(old: Any, new: Any, *, is_coloured: bool) -> Iterator[str]:
    """Yield the lines of the difference between two versions."""
    paint = _painted if is_coloured else _unpainted
    yield paint(BOLD, f"--- {_heading(old)}")
    yield paint(BOLD, f"+++ {_heading(new)}")
    text = compare_texts(old.content.translate(CONTROLS), new.content.translate(CONTROLS))
    changes = [each for each in compare(old, new)["fields"] if each["field"] != "content"]
    for change in changes:
        yield from _field(change["field"], change["old"], change["new"], paint)
    yield from _text(text, is_coloured=is_coloured)
    relations = relation_changes(old, new)
    yield from _relations(relations, paint)
    if not changes and not text.rows and not relations:
        is_same = old.content == new.content
        yield "They are equal." if is_same else "They differ in line ends only."


def _heading(row: Any) -> str:
    facts = [
        f"version {row.version}",
        row.history_date.strftime("%Y-%m-%d %H:%M"),
        str(row.history_user or row.author_name or "–"),
    ]
    if len(row.parents) > 1:
        facts.append("merge of " + " and ".join(map(str, row.parents)))
    reason = f": {row.history_change_reason}" if row.history_change_reason else ""
    return f"{row.title} ({', '.join(facts)}){reason}".translate(CONTROLS)


def _field(name: str, old: Any, new: Any, paint: Any) -> Iterator[str]:
    if name == "tags":
        gone = [paint(RED, f"-{_value(tag)}") for tag in old if tag not in new]
        come = [paint(GREEN, f"+{_value(tag)}") for tag in new if tag not in old]
        yield f"tags: {' '.join([*gone, *come]) or 'in another order'}"
    elif name == "metadata":
        for key in sorted({*old, *new}):
            if key not in new or key not in old or old[key] != new[key]:
                yield from _field(
                    f"metadata.{_value(key)}",
                    old.get(key, _Absent()),
                    new.get(key, _Absent()),
                    paint,
                )
    else:
        yield f"{name}: {paint(RED, _value(old))} → {paint(GREEN, _value(new))}"


def _relations(changes: Sequence[RelationChange], paint: Any) -> Iterator[str]:
    """Yield a line for each relation to another node that came, went or changed."""
    targets = [each.version.target_id for each in changes]
    titles = dict(Node.objects.filter(pk__in=targets).values_list("pk", "title"))
    for change in changes:
        target = change.version.target_id
        name = _value(titles.get(target, str(target)))
        for row, sign, colour in ((change.old, "-", RED), (change.new, "+", GREEN)):
            if row is not None:
                line = f"{sign}{_value(row.kind)} → {name} (weight {row.weight:g}, {row.status})"
                yield f"relation: {paint(colour, line)}"


class _Absent:
    """A key that is not there."""


def _value(value: Any) -> str:
    if value is None or isinstance(value, _Absent):
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.translate(CONTROLS)


def _text(text: TextDiff, *, is_coloured: bool) -> Iterator[str]:
    hunks: list[list[Row]] = [[]]
    for row in text.rows:
        if row.kind == "gap":
            hunks.append([])
        else:
            hunks[-1].append(row)
    for rows in filter(None, hunks):
        old, new = [row.old for row in rows if row.old], [row.new for row in rows if row.new]
        span = f"@@ -{_span(old)} +{_span(new)} @@"
        yield _painted(CYAN, span) if is_coloured else span
        yield from _hunk(rows, is_coloured=is_coloured)
    if text.is_cut:
        yield "… the texts are too long to show every difference."


def _span(numbers: Sequence[int]) -> str:
    return f"{numbers[0]},{len(numbers)}" if numbers else "0,0"


def _hunk(rows: Sequence[Row], *, is_coloured: bool) -> Iterator[str]:
    """Yield the lines of a hunk; those that went stand before those that came."""
    come: list[str] = []
    for row in rows:
        if row.kind == "equal":
            yield from come
            come = []
            yield " " + _joined(row.old_parts)
            continue
        if row.old:
            yield _line("-", row.old_parts, is_coloured=is_coloured)
        if row.new:
            come.append(_line("+", row.new_parts, is_coloured=is_coloured))
    yield from come


def _line(sign: str, parts: Sequence[Part], *, is_coloured: bool) -> str:
    before, after = (REVERSE, UPRIGHT) if is_coloured else PLAIN[sign]
    is_whole = all(is_own for _text, is_own in parts) or not any(is_own for _text, is_own in parts)
    if is_whole:
        before = after = ""
    words = "".join(f"{before}{text}{after}" if is_own else text for text, is_own in parts)
    if not is_coloured:
        return sign + words
    return _painted(RED if sign == "-" else GREEN, sign + words)


def _joined(parts: Sequence[Part]) -> str:
    return "".join(text for text, _is_own in parts)


def _painted(colour: str, text: str) -> str:
    return f"{colour}{text}{RESET}"


def _unpainted(_colour: str, text: str) -> str:
    return text
