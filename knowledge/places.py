"""Where in its source a passage stands, where that has a name: a sheet, a slide, a message, a file
of an archive. Plain page numbers are passages' own.
"""

import uuid
from collections.abc import Sequence

from django.db import connection

Span = tuple[uuid.UUID, int, int]
"""A node, the number of a version, and an offset in its text."""

_NAMED = """
SELECT coalesce((
    SELECT jsonb_path_query_first(
        held.anchors, '$[*] ? (@.start <= $at && @.end > $at).label',
        jsonb_build_object('at', wanted.start)
    ) #>> '{}'
    FROM knowledge_nodeversion AS held
    WHERE held.id = wanted.node AND held.version = wanted.version
        AND held.erased_at IS NULL AND held.history_type <> '-'
    LIMIT 1
), '')
FROM unnest(%s::uuid[], %s::int[], %s::int[]) WITH ORDINALITY
    AS wanted (node, version, start, place)
ORDER BY wanted.place
"""


def place_names(spans: Sequence[Span]) -> list[str]:
    """Return the name of each span's place, empty for none and for a page that has only a number.

    Who asks may read the spans' nodes already. One statement, however many there are.
    """
    if not spans:
        return []
    columns = [list(column) for column in zip(*spans, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, columns)
        names = [str(row[0]) for row in cursor.fetchall()]
    return ["" if name.isdigit() else name for name in names]
