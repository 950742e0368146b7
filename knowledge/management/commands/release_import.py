"""A release from a file, as a whole or not at all."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import tasks
from knowledge.exporting.zip_reader import Limits
from knowledge.management.commands._releases import Meter, space_named
from knowledge.release_import import ReleaseArchive, release_restore
from project.celery import send_after_commit
from project.http.errors import ApiError


class Command(BaseCommand):
    """Whoever may run this may write anything: no role is asked for."""

    help = (
        "Read an archive of release_export back: nodes with their whole history, relations, "
        "attachments and the release. Checks all of it first, and writes all of it or nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the file, the space and what to do."""
        parser.add_argument("path", help="The zip archive.")
        parser.add_argument("--space", required=True, help="The slug of the space to import into.")
        parser.add_argument("--check", action="store_true", help="Only check the archive.")
        parser.add_argument("--checksum", help="Refuse a release with another checksum.")
        parser.add_argument(
            "--max-unpacked-gb",
            type=int,
            default=256,
            help="Refuse an archive that unpacks to more (256).",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import. Raises CommandError."""
        space = space_named(options["space"])
        limits = Limits(
            members=5_000_000, directory=2**30, unpacked=options["max_unpacked_gb"] * 2**30
        )
        try:
            with Path(options["path"]).open("rb") as file:
                archive = ReleaseArchive(
                    file, limits=limits, progress=Meter(self.stdout, "Checking")
                )
                release = archive.release
                if options["checksum"] not in {None, release.checksum}:
                    message = f"The release has another checksum: {release.checksum}."
                    raise CommandError(message)
                checked = (
                    f"“{release.name}”: {release.node_count} nodes, {archive.checked.versions}"
                )
                self.stdout.write(f"{checked} versions: all as they were exported.")
                if options["check"]:
                    return
                ground = release_restore(archive, space, Meter(self.stdout, "Writing"))
        except OSError as error:
            message = f"{options['path']} cannot be read: {error.strerror or error}."
            raise CommandError(message) from error
        except ApiError as error:
            raise CommandError(self._told(error)) from error
        for pk in ground.to_index:
            send_after_commit(tasks.node_index, str(pk))
        self._report(ground.restored.as_json())

    def _told(self, error: ApiError) -> str:
        details = error.details if isinstance(error.details, dict) else {}
        lines = [f"  {each['code']}: {each['message']}" for each in details.get("conflicts", [])]
        return "\n".join([error.message, *lines])

    def _report(self, done: dict[str, Any]) -> None:
        if not (done["is_new"] or done["versions"] or done["relation_versions"]):
            self.stdout.write(self.style.SUCCESS("✓ All of it was here already."))
            return
        self.stdout.write(
            self.style.SUCCESS(
                f"✓ {done['nodes_created']} nodes are new, {done['nodes_continued']} went on, "
                f"{done['nodes_equal'] + done['nodes_ahead']} were here; "
                f"{done['versions']} versions, {done['relations']} relations and "
                f"{done['sources']} sources were written. Search finds them once they are indexed."
            )
        )
