"""Numbers that grow whenever searches of a space may find something else.

Triggers note every change of a node's status, validity, title, tags and the like, of a confirmed
relation, of what serves an index, of a profile and of a model endpoint (migration
`search_revisions`); whoever replaces passages or vectors raises `Space.index_revision` himself. The
number and the change become visible in the same commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db import connection, transaction

FOLDED_AT_ONCE = 10_000


def revisions_of(space_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return the revision of each space that there is."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, index_revision + (SELECT count(*) FROM knowledge_spacechange AS change"
            " WHERE change.space_id = space.id) FROM knowledge_space AS space WHERE id = ANY(%s)",
            [list(space_ids)],
        )
        return dict(cursor.fetchall())


def spaces_note(space_ids: Collection[uuid.UUID]) -> None:
    """Note in the caller's transaction that searches of some spaces may find something else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT knowledge_spaces_note(%s::uuid[])", [list(space_ids)])


def changes_fold() -> int:
    """Move noted changes into the counters; the sums stay as they are. Return how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT space_id FROM knowledge_spacechange")
        spaces = [row[0] for row in cursor.fetchall()]
    folded = 0
    for space_id in spaces:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM knowledge_spacechange WHERE space_id = %s AND transaction = ANY(ARRAY("
                "SELECT transaction FROM knowledge_spacechange WHERE space_id = %s LIMIT %s"
                " FOR UPDATE SKIP LOCKED))",
                [space_id, space_id, FOLDED_AT_ONCE],
            )
            gone = cursor.rowcount
            cursor.execute(
                "UPDATE knowledge_space SET index_revision = index_revision + %s WHERE id = %s",
                [gone, space_id],
            )
        folded += gone
    return folded
