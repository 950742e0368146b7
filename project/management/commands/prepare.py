"""Bring the database up to date and give a new one its first contents."""

import gc
import io
import os
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from knowledge.models import Node
from project import heartbeat
from project.env import env_bool
from project.locks import session_lock


class Command(BaseCommand):
    """Safe to run from several processes at once: they take turns."""

    help = "Migrate the database; create the first admin and load the demo where there is nothing."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--message-fd",
            type=int,
            help="a file descriptor for what a person must be told, such as a first password",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        # Migrations make classes by the thousand: garbage was a quarter of a first start.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        with session_lock("prepare"):
            heartbeat.forget_the_dead()
            call_command("migrate", interactive=False, verbosity=0)
            told = io.StringIO()
            call_command("bootstrap", stdout=told)
            self._tell(told.getvalue(), options["message_fd"])  # now: it is told only once
            if env_bool("ACERVO_DEMO", default=True) and not Node.history.exists():
                self.stdout.write("loading the demo (ACERVO_DEMO=0 leaves it out)")
                call_command("load_demo", stdout=self.stdout, stderr=self.stderr)

    def _tell(self, message: str, descriptor: int | None) -> None:
        if descriptor is None:
            self.stdout.write(message)
        else:
            with os.fdopen(descriptor, "w") as file:
                file.write(message)
