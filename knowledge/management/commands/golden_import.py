"""Golden questions from a file."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import golden_rows, services
from knowledge.models import Space
from project.accounts.models import User
from project.http.errors import ApiError


class Command(BaseCommand):
    """All of the file or nothing; questions that the space has already stay as they are."""

    help = f"Take in golden questions from a file. {(golden_rows.__doc__ or '').partition('.')[2]}"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the file, the space and the user they are made by."""
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.add_argument("file", type=Path, help="CSV or JSON lines, UTF-8.")
        parser.add_argument("--space", required=True, help="The slug of the space.")
        parser.add_argument("--user", help="Who makes them; by default the first administrator.")

    def handle(self, *_args: Any, **options: Any) -> None:
        space = Space.objects.filter(slug=options["space"]).first()
        if space is None:
            raise CommandError(f"There is no space with the slug “{options['space']}”.")
        try:
            data = options["file"].read_bytes()
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from None
        try:
            taken = services.golden_import(
                acting_user=_user(options["user"]), space=space, data=data
            )
        except ApiError as error:
            raise CommandError("\n".join([error.message, *_lines(error)])) from None
        self.stdout.write(f"{taken.made} made, {taken.known} known already.")


def _user(name: str | None) -> User:
    users = User.objects.filter(is_active=True)
    found = users.filter(username=name) if name else users.filter(is_superuser=True)
    user = found.order_by("date_joined", "pk").first()
    if user is None:
        raise CommandError(f"There is no user “{name}”." if name else "There is no administrator.")
    return user


def _lines(error: ApiError) -> list[str]:
    details = error.details if isinstance(error.details, dict) else {}
    rows = [(line, each) for line, each in details.items() if line.isdigit()]
    return [
        f"line {line}: {' '.join(each)}" for line, each in sorted(rows, key=lambda row: int(row[0]))
    ]
