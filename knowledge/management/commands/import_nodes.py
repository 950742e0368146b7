"""Nodes from a file or the standard input."""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from knowledge import import_lines, services
from knowledge.management.commands._releases import space_named
from knowledge.node_import import Imported
from project.accounts.models import User
from project.http.errors import ApiError

MOST_SHOWN = 100
_FORMS = (import_lines.__doc__ or "").partition("\n")[2]  # what a line looks like
_ENDINGS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}


class Command(BaseCommand):
    """Ends with 0 when every line is stored, 1 when some were refused, 2 when it could not begin,
    130 when it was interrupted. Run it again after that: what is stored is passed over.
    """

    help = f"Store and index nodes from a file of any size.\n{_FORMS}"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the file, where it goes and how to go about it."""
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("file", help="The file; - is the standard input.")
        parser.add_argument("--space", required=True, help="The slug of the space.")
        parser.add_argument("--user", help="Who writes; by default the first administrator.")
        parser.add_argument(
            "--format", choices=import_lines.FORMATS, help="By default what the file's name says."
        )
        parser.add_argument("--dry-run", action="store_true", help="Try every line and store none.")
        parser.add_argument(
            "--stop-on-error", action="store_true", help="Store nothing after a line at fault."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        space, user = space_named(options["space"]), _user(options["user"])
        kind = options["format"] or _format_of(options["file"])
        faults = 0

        def refused(number: int, problem: str) -> None:
            nonlocal faults
            faults += 1
            if faults <= MOST_SHOWN:
                self.stderr.write(f"line {number}: {problem}")
            elif faults == MOST_SHOWN + 1:
                self.stderr.write("… more lines are refused, and not shown.")

        with _opened(options["file"]) as stream:
            meter = _Meter(self.stderr, stream)
            try:
                counts = services.nodes_import(
                    acting_user=user,
                    space=space,
                    lines=import_lines.lines_read(stream, kind),
                    refused=refused,
                    stored=meter,
                    is_trial=options["dry_run"],
                    stops_on_error=options["stop_on_error"],
                )
            except ApiError as error:
                raise CommandError(error.message, returncode=2) from None
            except KeyboardInterrupt:
                self.stderr.write("Interrupted. Run it again to go on: what is stored is kept.")
                sys.exit(130)
        self._summary(counts, meter.seconds, is_trial=options["dry_run"])
        if counts.refused:
            sys.exit(1)

    def _summary(self, counts: Imported, seconds: float, *, is_trial: bool) -> None:
        rate = counts.lines / max(seconds, 0.001)
        pace = f"{counts.lines} lines in {seconds:.1f} s ({rate:.0f}/s)"
        if is_trial:
            self.stdout.write(f"{pace}: {counts.unchanged} could be stored, {counts.refused} not.")
            return
        self.stdout.write(
            f"{pace}: {counts.created} created, {counts.updated} updated, "
            f"{counts.unchanged} unchanged, {counts.refused} refused; "
            f"{counts.passages} passages indexed. Import {counts.id}."
        )
        if not counts.lines:
            self.stderr.write("The file has no line with a node.")
        if counts.lacks_vectors:
            self.stderr.write("No model gave vectors: a sweep will index the rest later.")
        if counts.is_stopped:
            self.stderr.write("Stopped at the first line at fault.")


class _Meter:
    """Says how far it is: every second to a person, every ten into a log."""

    def __init__(self, out: Any, stream: BinaryIO) -> None:
        self._out, self._stream = out, stream
        self._every = 1.0 if getattr(out, "isatty", lambda: False)() else 10.0
        self._began = self._said = time.monotonic()
        try:
            self._size = os.fstat(stream.fileno()).st_size
        except OSError:
            self._size = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def __call__(self, counts: Imported) -> None:
        now = time.monotonic()
        if now - self._said < self._every:
            return
        self._said = now
        text = f"{counts.stored} stored, {counts.refused} refused, "
        text += f"{counts.lines / self.seconds:.0f} lines/s"
        if self._size and (share := min(1.0, self._stream.tell() / self._size)):
            left = self.seconds * (1 - share) / share
            text += f", {share:.0%}, {left // 60:.0f}:{left % 60:02.0f} left"
        self._out.write(text)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(name).open("rb"))
        except OSError as error:
            message = f"The file cannot be read: {error.strerror}."
            raise CommandError(message, returncode=2) from None
        yield file


def _format_of(name: str) -> str:
    kind = "jsonl" if name == "-" else _ENDINGS.get(Path(name).suffix.lower())
    if kind is None:
        message = "The file's name does not tell its format: say --format jsonl or --format csv."
        raise CommandError(message, returncode=2)
    return kind


def _user(name: str | None) -> User:
    users = User.objects.filter(is_active=True)
    found = users.filter(username=name) if name else users.filter(is_superuser=True)
    user = found.order_by("date_joined", "pk").first()
    if user is None:
        message = f"There is no user “{name}”." if name else "There is no administrator."
        raise CommandError(message, returncode=2)
    return user
