"""Writing releases: the published versions of a space at a moment, in two sets and a row.

The database refuses entries for a release that is there, so they come first and the row, which
says how many there are and what their checksum is, closes the release.
"""

import datetime
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection

from knowledge.exporting.manifest import release_checksum
from knowledge.models import Release, ReleaseEntry, ReleaseRelation, Space

_ROWS = 5000  # read at a time

# One statement sees one state of the database, whatever is written meanwhile. %(moment)s is null
# for the state now: what is open, and not what began before the clock's now, since a clock differs
# from that of whoever published.
_INSERT = """
WITH published AS (
    SELECT p.node_id, p.version, v.checksum, p.started_at
    FROM knowledge_publication p
    JOIN knowledge_nodeversion v ON v.id = p.node_id AND v.version = p.version
    WHERE p.space_id = %(space)s
      AND CASE WHEN %(moment)s::timestamptz IS NULL THEN p.ended_at IS NULL
          ELSE p.started_at <= %(moment)s AND (p.ended_at > %(moment)s OR p.ended_at IS NULL) END
      AND (v.valid_from IS NULL OR v.valid_from <= COALESCE(%(moment)s, %(now)s))
      AND (v.valid_until IS NULL OR v.valid_until > COALESCE(%(moment)s, %(now)s))
), related AS (
    SELECT DISTINCT ON (r.id) r.id, r.version, r.checksum, r.history_type, r.history_date,
           r.source_id, r.target_id
    FROM knowledge_relationversion r
    WHERE r.source_id IN (SELECT node_id FROM published)
      AND (%(moment)s::timestamptz IS NULL OR r.history_date <= %(moment)s)
    ORDER BY r.id, r.version DESC
), joined AS (
    SELECT id, version, checksum, history_date FROM related
    WHERE history_type <> '-' AND source_id IN (SELECT node_id FROM published)
      AND target_id IN (SELECT node_id FROM published)
), nodes AS (
    INSERT INTO knowledge_releaseentry (release_id, node_id, version, checksum)
    SELECT %(release)s, node_id, version, checksum FROM published ORDER BY node_id
    RETURNING 1
), relations AS (
    INSERT INTO knowledge_releaserelation (release_id, relation_id, version, checksum)
    SELECT %(release)s, id, version, checksum FROM joined ORDER BY id
    RETURNING 1
)
SELECT (SELECT count(*) FROM nodes), (SELECT count(*) FROM relations),
       greatest((SELECT max(started_at) FROM published), (SELECT max(history_date) FROM joined))
"""


class Held(NamedTuple):
    """A version that a release holds."""

    id: uuid.UUID
    version: int
    checksum: str


def release_write(release: Release, *, at: datetime.datetime | None) -> Release:
    """Store a release of the published state `at` a moment (None: now) of its space.

    Fills in the counts, the checksum and `as_of`. In the caller's transaction. Raises
    IntegrityError for a name that the space has already.
    """
    facts = {
        "space": release.space_id,
        "release": release.pk,
        "moment": at,
        "now": release.created_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, facts)
        release.node_count, release.relation_count, newest = cursor.fetchone()
    release.as_of = at or max(filter(None, [release.created_at, newest]))
    return release_close(release)


def release_close(release: Release) -> Release:
    """Store the row of a release whose entries are stored, with its checksum."""
    release.checksum = release_checksum(
        held_nodes(release.pk),
        held_relations(release.pk),
    )
    release.save(force_insert=True)
    return release


def held_nodes(release_id: uuid.UUID) -> Iterator[Held]:
    """Yield the versions of nodes that a release holds, by ascending ids."""
    rows: Any = ReleaseEntry.objects.filter(release_id=release_id).order_by("node_id")
    values = rows.values_list("node_id", "version", "checksum")
    return map(Held._make, values.iterator(chunk_size=_ROWS))


def held_relations(release_id: uuid.UUID) -> Iterator[Held]:
    """Yield the versions of relations that a release holds, by ascending ids."""
    rows: Any = ReleaseRelation.objects.filter(release_id=release_id).order_by("relation_id")
    values = rows.values_list("relation_id", "version", "checksum")
    return map(Held._make, values.iterator(chunk_size=_ROWS))


@contextmanager
def releases_removable() -> Iterator[None]:
    """Let the database delete whole releases during the block, which is inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('acervo.release_removal', 'on', true)")
        yield
        cursor.execute("SELECT set_config('acervo.release_removal', 'off', true)")


def releases_of_space_remove(space: Space) -> None:
    """Delete the releases of a space that is about to go."""
    with releases_removable():
        Release.objects.filter(space=space).delete()
