"""Something to ask about: the knowledge of an invented organisation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from project.accounts.models import User
from project.demo.loader import demo_index, demo_load
from project.http.errors import ApiError


class Command(BaseCommand):
    """Idempotent: it adds what is missing and changes nothing that is there."""

    help = "Load the demo: pages and files of an invented cooperative, in two languages."

    def handle(self, *_args: Any, **_options: Any) -> None:
        admins = User.objects.filter(is_superuser=True, is_active=True)
        admin = admins.order_by("date_joined", "pk").first()
        if admin is None:
            raise CommandError("There is no administrator yet: run `manage.py bootstrap` first.")
        try:
            loaded = demo_load(acting_user=admin)
        except ApiError as error:
            raise CommandError(f"The demo could not be loaded: {error.message}") from error
        if not (loaded.nodes or loaded.relations or loaded.files or loaded.questions):
            self.stdout.write("The demo is complete already; nothing was changed.")
            return
        self.stdout.write(
            f"Loaded {loaded.nodes} pages, {loaded.relations} relations, {loaded.files} files and"
            f" {loaded.questions} golden questions into the space “{loaded.space.name}”;"
            " indexing them."
        )
        if demo_index(loaded.space):
            self.stdout.write("The demo can be asked about.")
        else:
            self.stdout.write("The worker indexes the rest of the demo.")
