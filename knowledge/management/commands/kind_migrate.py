"""Changing the metadata schema of a kind, with all its nodes, from files."""

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import services
from knowledge.choices import KindMigrationStatus, MigratedState
from knowledge.kind_work import migration_work
from knowledge.models import Kind, KindMigration, MigratedNode
from project.accounts.models import User
from project.http.errors import ApiError

MOST_SHOWN = 20


class Command(BaseCommand):
    """Plans, prints the plan, and migrates at once, in this process.

    A plan with nodes that would not fit changes nothing and ends with the status 1.
    """

    help = "Change the metadata schema of a kind and migrate all its nodes, or say why not."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take the kind and the files."""
        parser.add_argument("name", help="The name of the kind, as nodes have it.")
        parser.add_argument("--schema", type=Path, required=True, help="A file: JSON Schema.")
        parser.add_argument("--steps", type=Path, help="A file: a JSON list of steps.")
        parser.add_argument("--space", help="The space's slug; without it the kind of all spaces.")
        parser.add_argument("--user", help="Who is said to have done it; a superuser by default.")
        parser.add_argument("--dry-run", action="store_true", help="Only print the plan.")

    def handle(self, *_args: Any, **options: Any) -> None:
        user = _user(options["user"])
        kind = _kind(options["name"], options["space"])
        wanted = {
            "acting_user": user,
            "kind": kind,
            "schema": _json(options["schema"]),
            "steps": _json(options["steps"]) if options["steps"] else [],
        }
        try:
            if options["dry_run"]:
                trial = services.kind_migration_try(limit=MOST_SHOWN, **wanted)
                self._print(trial.migration, trial.rows)
                if trial.migration.status != KindMigrationStatus.VALIDATED:
                    raise CommandError("The nodes named above would not fit.")
                return
            migration = services.kind_migration_plan(**wanted)
            if migration.is_running:
                migration_work(migration.pk)
                migration.refresh_from_db()
            order = (MigratedState.INVALID, MigratedState.CHANGED)
            rows = [
                row for each in order for row in migration.nodes.filter(state=each)[:MOST_SHOWN]
            ]
            self._print(migration, rows[:MOST_SHOWN])
            if migration.status != KindMigrationStatus.VALIDATED:
                raise CommandError("Nothing was changed: the nodes named above would not fit.")
            services.kind_migration_apply(acting_user=user, migration=migration)
        except ApiError as error:
            raise CommandError(_told(error)) from None
        migration_work(migration.pk)
        migration.refresh_from_db()
        if migration.status != KindMigrationStatus.COMPLETED:
            raise CommandError(migration.error_message or "Another process is at work on it.")
        self.stdout.write(f"Done. The old metadata is in {migration.backup}.")

    def _print(self, migration: KindMigration, rows: list[MigratedNode]) -> None:
        counts = migration.counts
        self.stdout.write(
            f"{migration.kind.name}: schema {migration.from_version} -> {migration.to_version}, "
            f"{counts['nodes']} nodes: {counts['changed']} change, {counts['unchanged']} fit "
            f"already, {counts['invalid']} would not fit"
        )
        for number, step in enumerate(migration.steps):
            facts = " ".join(
                f"{key}={json.dumps(value, ensure_ascii=False)}"
                for key, value in step.items()
                if key != "op"
            )
            self.stdout.write(
                f"  {number + 1}. {step['op']} {facts}: {counts['steps'][number]} nodes"
            )
        for row in rows:
            sign = "!" if row.state == MigratedState.INVALID else " "
            self.stdout.write(f"{sign} {row.node_id} {row.title}")
            for problem in row.problems:
                self.stdout.write(f"    {problem['path'] or '(all)'}: {problem['message']}")
            if row.after is not None:
                self.stdout.write(f"    - {json.dumps(row.before, ensure_ascii=False)}")
                self.stdout.write(f"    + {json.dumps(row.after, ensure_ascii=False)}")
        shown = counts["invalid"] + counts["changed"]
        if shown > len(rows):
            self.stdout.write(f"  … and {shown - len(rows)} more")


def _user(name: str | None) -> User:
    users = User.objects.filter(is_active=True)
    if name is None:
        user = users.filter(is_superuser=True).order_by("pk").first()
    else:
        user = users.filter(username=name).first()
    if user is None:
        raise CommandError("There is no such user." if name else "There is no superuser.")
    return user


def _kind(name: str, space: str | None) -> Kind:
    rows = Kind.objects.filter(name=name).select_related("space")
    kind = rows.filter(space=None) if space is None else rows.filter(space__slug=space)
    found = kind.first()
    if found is not None:
        return found
    slugs = [row.space.slug for row in rows if row.space is not None]
    hint = f" There is one in the spaces {', '.join(slugs)}: say --space." if slugs else ""
    raise CommandError(f"There is no kind “{name}” here.{hint}")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from None


def _told(error: ApiError) -> str:
    lines = [error.message]
    if isinstance(error.details, dict):
        for by_path in error.details.values():
            if isinstance(by_path, dict):
                lines += [f"  {path}: {texts[0]}" for path, texts in by_path.items()]
    return "\n".join(lines)
