"""Where in its source a passage stands, where that has a name: a sheet, a slide, a message, a file
of an archive. Plain page numbers are passages' own.
"""

import uuid
from collections.abc import Sequence

from django.db import connection

Span = tuple[uuid.UUID, int, int]
"""A node, the number of a version, and an offset in its text."""

_LABEL = """coalesce((
    SELECT jsonb_path_query_first(
        held.anchors, '$[*] ? (@.start <= $at && @.end > $at).label',
        jsonb_build_object('at', {rows}.start)
    ) #>> '{{}}'
    FROM knowledge_nodeversion AS held
    WHERE held.id = {rows}.node_id AND held.version = {rows}.version
        AND held.erased_at IS NULL AND held.history_type <> '-'
    LIMIT 1
), '')"""


def label_sql(rows: str) -> str:
    """Return the SQL of the label that says where each of `rows` stands; read by `place_name`.

    `rows` is a table or its alias, with `node_id`, `version` and `start`.
    """
    return _LABEL.format(rows=rows)


def place_name(label: str) -> str:
    """Return the name of a place; empty for none, and for a page that has only a number."""
    return "" if label.isdigit() else label


_NAMED = f"""
SELECT {label_sql("wanted")}
FROM unnest(%s::uuid[], %s::int[], %s::int[]) WITH ORDINALITY
    AS wanted (node_id, version, start, place)
ORDER BY wanted.place
"""  # noqa: S608 - a fixed text


def labels_read(spans: Sequence[Span]) -> list[str]:
    """Return the label of each span, for passages that are stored nowhere.

    Who asks may read the spans' nodes already. One statement, however many there are.
    """
    if not spans:
        return []
    columns = [list(column) for column in zip(*spans, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, columns)
        return [str(row[0]) for row in cursor.fetchall()]
