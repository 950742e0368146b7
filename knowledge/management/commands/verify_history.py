"""Whether the history is what was written."""

import argparse
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from knowledge.chains import Counts, history_problems
from knowledge.models import Space

MOST_SHOWN = 100


class Command(BaseCommand):
    """Exits with 1 when something was changed. Safe beside a running installation: only reads."""

    help = (
        "Check the numbers, checksums and chains of all versions of nodes and relations: "
        "shows any change of the past that was made behind Acervo's back."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take a space and the form of the answer."""
        parser.add_argument("--space", help="Only this space: its slug.")
        parser.add_argument("--json", action="store_true", help="One JSON object, for programs.")
        parser.add_argument(
            "--heads",
            action="store_true",
            help="Also print the last chain of each node and relation, to be kept elsewhere.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        space = None
        if options["space"]:
            space = Space.objects.filter(slug=options["space"]).first()
            if space is None:
                slugs = Space.objects.order_by("slug").values_list("slug", flat=True)[:20]
                known = ", ".join(slugs)
                raise CommandError(f"There is no space “{options['space']}”. There are: {known}.")
        counts = Counts()
        is_outermost = not connection.in_atomic_block
        with transaction.atomic():
            if is_outermost:
                with connection.cursor() as cursor:  # one picture, while others write
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            problems = list(history_problems(counts, space))
        self._report(counts, problems, options)
        if problems:
            raise CommandError(f"The history was changed: {len(problems)} problems.", returncode=1)

    def _report(self, counts: Counts, problems: list[Any], options: dict[str, Any]) -> None:
        heads = {str(pk): chain for pk, chain in sorted(counts.heads.items())}
        if options["json"]:
            answer = {
                "nodes": counts.nodes,
                "relations": counts.relations,
                "versions": counts.versions,
                "erased": counts.erased,
                "problems": [
                    {
                        "kind": each.kind,
                        "id": str(each.id),
                        "version": each.version,
                        "code": each.code,
                        "message": each.message,
                    }
                    for each in problems
                ],
            }
            if options["heads"]:
                answer["heads"] = heads
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        for each in problems[:MOST_SHOWN]:
            self.stdout.write(self.style.ERROR(f"✗ {each.message}"))
        if len(problems) > MOST_SHOWN:
            self.stdout.write(f"… and {len(problems) - MOST_SHOWN} more.")
        if options["heads"]:
            for pk, chain in heads.items():
                self.stdout.write(f"{chain}  {pk}")
        what = (
            f"{counts.versions} versions of {counts.nodes} nodes and {counts.relations} relations"
        )
        erased = f", {counts.erased} of them erased" if counts.erased else ""
        if not problems:
            self.stdout.write(self.style.SUCCESS(f"✓ {what}{erased}: all as they were written."))
        else:
            self.stdout.write(f"Checked {what}{erased}.")
