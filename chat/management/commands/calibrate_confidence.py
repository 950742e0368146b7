"""From which confidence on questions are answered, found with golden questions."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chat.confidence import LEAST_QUESTIONS, TooFewQuestions, confidence_calibrate
from knowledge.models import Space


class Command(BaseCommand):
    """Ask the golden questions of spaces with and without their nodes, and keep a threshold."""

    help = (
        "Find from which confidence of retrieval on questions to a space are answered, with its "
        f"golden questions ({LEAST_QUESTIONS} at least), and keep it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the spaces."""
        parser.add_argument("spaces", nargs="+", metavar="SLUG", help="Spaces by their slugs.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Calibrate one after the other."""
        for slug in options["spaces"]:
            space = Space.objects.filter(slug=slug).first()
            if space is None:
                raise CommandError(f"There is no space {slug}.")
            try:
                row = confidence_calibrate(space)
            except TooFewQuestions as error:
                raise CommandError(
                    f"{slug} has {error.found} golden questions whose nodes exist; "
                    f"{LEAST_QUESTIONS} are needed."
                ) from None
            self.stdout.write(
                f"{slug}: {row.threshold:.3f} from {row.questions} questions; answers "
                f"{row.answered:.0%} of them, and {1 - row.refused:.0%} once their nodes are "
                "left out."
            )
