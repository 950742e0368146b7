"""A release as a file."""

import argparse
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge.management.commands._releases import Meter, release_named
from knowledge.release_export import ENDINGS, export_archive
from knowledge.release_git import export_git


class Command(BaseCommand):
    """Writes beside the target first: a file of that name is whole, or as it was."""

    help = (
        "Write a release into a file: a zip archive that release_import reads back, or a bundle "
        "that git clones."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the release, the file and its format."""
        parser.add_argument("release", help="Its id, or its name with --space.")
        parser.add_argument("path", help="The file to write.")
        parser.add_argument("--space", help="The space's slug, where the release is named.")
        parser.add_argument("--format", choices=sorted(ENDINGS), default="zip")
        parser.add_argument("--overwrite", action="store_true", help="Replace a file.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Export. Raises CommandError."""
        release = release_named(options["release"], options["space"])
        path = Path(options["path"])
        if path.exists() and not options["overwrite"]:
            message = f"{path} is there already. Choose another name, or say --overwrite."
            raise CommandError(message)
        draft = path.with_name(f".{path.name}.part")
        export = export_git if options["format"] == "git" else export_archive
        try:
            with draft.open("w+b") as target:
                export(release, target, Meter(self.stdout, "Writing"))
                target.flush()
                os.fsync(target.fileno())
            draft.replace(path)
        except OSError as error:
            message = f"{path} cannot be written: {error.strerror or error}."
            raise CommandError(message) from error
        finally:
            draft.unlink(missing_ok=True)
        size = path.stat().st_size
        text = f"✓ “{release.name}”: {release.node_count} nodes, {size:,} bytes in {path}."
        self.stdout.write(self.style.SUCCESS(text))
        self.stdout.write(f"Its checksum is {release.checksum}: keep it where the file is not.")
