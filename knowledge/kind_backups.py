"""The metadata of before a migration as a file below the data folder, for whoever needs it outside.

The rows of the migration hold the same; the file is what an operator can copy and read anywhere.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings

from knowledge.models import KindMigration, MigratedNode

FOLDER = Path("backups") / "kinds"


def backup_write(migration: KindMigration, rows: Iterable[MigratedNode]) -> str:
    """Write the file and return its path below the data folder. Raises OSError.

    All of it is on the disk when this returns.
    """
    relative = FOLDER / f"{migration.pk}.json"
    path = Path(settings.ACERVO_DATA) / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", errors="surrogatepass") as file:
        file.writelines(backup_lines(migration, rows))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return str(relative)


def backup_remove(migration: KindMigration) -> None:
    """Remove the file of a migration that came to nothing."""
    (Path(settings.ACERVO_DATA) / FOLDER / f"{migration.pk}.json").unlink(missing_ok=True)


def backup_lines(migration: KindMigration, rows: Iterable[MigratedNode]) -> Iterable[str]:
    """Yield the text of the file: one JSON object, a line for each node."""
    head: dict[str, Any] = {
        "migration": str(migration.pk),
        "kind": migration.kind.name,
        "space": str(migration.kind.space_id) if migration.kind.space_id else None,
        "from_version": migration.from_version,
        "to_version": migration.to_version,
        "schema": migration.old_schema,
        "steps": migration.steps,
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ',\n"nodes": [\n'
    before = ""
    for row in rows:
        entry = {
            "node": str(row.node_id),
            "version": row.version_before,
            "title": row.title,
            "metadata": row.before,
        }
        yield before + json.dumps(entry, ensure_ascii=False)
        before = ",\n"
    yield "\n]}\n"
