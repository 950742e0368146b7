"""`manage.py archive_conversations`: put the content of untouched conversations away, or back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import filesizeformat

from chat.cold import conversations_cool, warm
from chat.models import Conversation


class Command(BaseCommand):
    """Cold storage of conversations, by hand; a nightly task does it too."""

    help = "Put the content of conversations away that nobody has touched for long."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the months, and the way back."""
        parser.add_argument(
            "--months", type=int, help="Months without a touch (ACERVO_COLD_AFTER_MONTHS)."
        )
        parser.add_argument(
            "--most", type=int, default=1_000_000, help="At most so many conversations."
        )
        parser.add_argument(
            "--back", action="store_true", help="Bring the content of all of them back instead."
        )

    def handle(self, **options: Any) -> None:
        """Do it and say how many, and what it saved."""
        if options["back"]:
            away = Conversation.objects.filter(cold_since__isnull=False).order_by("pk")
            ids = list(away.values_list("pk", flat=True)[: options["most"]])
            self.stdout.write(f"{sum(warm(pk) for pk in ids)} brought back.")
            return
        done = conversations_cool(months=options["months"], most=options["most"])
        self.stdout.write(
            f"{done.conversations} put away: {filesizeformat(done.before)} became"
            f" {filesizeformat(done.after)}. {done.skipped} left, as too long or empty."
        )
