"""Reckoning an installation: rows, passages, vectors, statistics and files against each other.

    ACERVO_DATA=… python manage.py shell --no-imports \\
        -c "from benchmarks.drills import recount; recount.main()"

It writes nothing, and prints one JSON object: what each check found wrong (nothing, if all is
well) and how much it looked at. Run it when no job is under way.
"""

import json
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

MOST = 5  # examples a check

_SQL = {
    "passages of no published node": """
        SELECT c.id FROM knowledge_chunk c LEFT JOIN knowledge_node n ON n.id = c.node_id
        WHERE n.id IS NULL OR n.status <> 'published' OR n.indexed_version IS NULL
    """,
    "passages of another version or space than the node's": """
        SELECT c.id FROM knowledge_chunk c JOIN knowledge_node n ON n.id = c.node_id
        WHERE c.version <> n.indexed_version OR c.space_id <> n.space_id
    """,
    "vectors of no passage": """
        SELECT e.id FROM knowledge_embedding e LEFT JOIN knowledge_chunk c ON c.id = e.chunk_id
        LEFT JOIN knowledge_indexgeneration g ON g.id = e.generation_id
        WHERE c.id IS NULL OR g.id IS NULL OR c.node_id <> e.node_id OR c.space_id <> g.space_id
    """,
    "passages without their vector": """
        SELECT c.id FROM knowledge_chunk c
        JOIN knowledge_indexgeneration g ON g.space_id = c.space_id AND g.status = 'active'
        WHERE NOT EXISTS (SELECT FROM knowledge_embedding e
                          WHERE e.chunk_id = c.id AND e.generation_id = g.id)
    """,
    "two vectors of one passage": """
        SELECT chunk_id FROM knowledge_embedding GROUP BY chunk_id, generation_id
        HAVING count(*) > 1
    """,
    "published nodes that are not indexed": """
        SELECT id FROM knowledge_node
        WHERE status = 'published' AND indexed_version IS DISTINCT FROM version
    """,
    "nodes that stand twice": """
        SELECT min(n.id::text) FROM knowledge_node n JOIN knowledge_source s ON s.id = n.source_id
        WHERE n.status <> 'archived' GROUP BY n.space_id, s.sha256, n.title HAVING count(*) > 1
    """,
    "nodes without their last version": """
        SELECT n.id FROM knowledge_node n WHERE NOT EXISTS (
            SELECT FROM knowledge_nodeversion h WHERE h.id = n.id AND h.version = n.version)
    """,
    "sources without a job": """
        SELECT s.id FROM knowledge_source s
        WHERE NOT EXISTS (SELECT FROM knowledge_ingestjob j WHERE j.source_id = s.id)
    """,
    "jobs that still hold a lease": """
        SELECT id FROM knowledge_ingestjob
        WHERE status IN ('completed', 'failed', 'cancelled')
          AND (lease_owner <> '' OR lease_until IS NOT NULL OR finished_at IS NULL)
    """,
    "jobs that have not ended": """
        SELECT id FROM knowledge_ingestjob WHERE status IN ('queued', 'processing')
    """,
    "jobs that ended twice": """
        SELECT subject_id FROM events_event
        WHERE type = 'knowledge.job.updated' AND payload->>'status' = 'completed'
        GROUP BY subject_id HAVING count(*) > 1
    """,
    "completed jobs whose nodes are gone unasked": """
        SELECT j.id FROM knowledge_ingestjob j, unnest(j.nodes) AS made (node)
        WHERE j.status = 'completed' AND NOT EXISTS (
            SELECT FROM knowledge_node n WHERE n.id = made.node)
        AND NOT EXISTS (SELECT FROM knowledge_nodeversion h
                        WHERE h.id = made.node AND h.history_type = '-')
    """,
    "relations with an end that is gone": """
        SELECT r.id FROM knowledge_relation r
        LEFT JOIN knowledge_node a ON a.id = r.source_id
        LEFT JOIN knowledge_node b ON b.id = r.target_id WHERE a.id IS NULL OR b.id IS NULL
    """,
}


def main() -> None:
    """Print what is wrong, and how much was looked at."""
    wrong = {name: _rows(sql) for name, sql in _SQL.items()}
    wrong |= {name: check() for name, check in _CHECKS.items()}
    print(json.dumps({"wrong": {k: v for k, v in wrong.items() if v}, "seen": _seen()}))


def _rows(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {MOST}")
        return [str(row[0]) for row in cursor.fetchall()]


def _seen() -> dict[str, int]:
    tables = ("node", "chunk", "embedding", "source", "ingestjob", "joblogline")
    counts = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM knowledge_{table}")
            counts[table] = cursor.fetchone()[0]
    return counts | {"file": len(_files())}


def half_visible() -> list[str]:
    """Cut each published node anew: the index must hold exactly these passages, in order."""
    from knowledge.choices import NodeStatus
    from knowledge.models import Chunk, Node
    from knowledge.passages import passages_of

    wrong = []
    for node in Node.objects.filter(status=NodeStatus.PUBLISHED).iterator(chunk_size=50):
        rows = Chunk.objects.filter(node=node).order_by("position")
        held = list(rows.values_list("position", "start", "end"))
        wanted = [
            (each.passage.position, each.passage.start, each.passage.end)
            for each in passages_of(node)
        ]
        if held != wanted:
            wrong.append(f"{node.pk}: {len(held)} of {len(wanted)} passages")
    return wrong[:MOST]


def statistics_differ() -> list[str]:
    """Count the words of all passages anew and compare."""
    from knowledge.binary import sequence_unpack
    from knowledge.models import Chunk, Space
    from knowledge.statistics import Difference
    from knowledge.weights import word_counts

    wrong = []
    for space in Space.objects.all():
        recount = Difference()
        rows = Chunk.objects.filter(space=space)
        for sequence, language, analysis in rows.values_list("sequence", "language", "analysis"):
            words = word_counts(sequence_unpack(bytes(sequence)))
            recount.count(words, sum(words.values()), language, analysis=analysis)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT term, sum(passages), sum(tokens) FROM knowledge_termstatistic"
                " WHERE space_id = %s GROUP BY term HAVING sum(passages) <> 0",
                [space.pk],
            )
            kept = cursor.fetchall()
        passages = Counter({int(term): int(count) for term, count, _words in kept})
        words_kept = sum(int(words) for _term, _count, words in kept)
        counted = Counter({int(k): v for k, v in recount.passages.items() if v})
        if passages != counted or words_kept != recount.words:
            apart = (passages - counted) + (counted - passages)
            text = f"{len(apart)} words, {words_kept} and {recount.words} in all"
            wrong.append(f"{space.slug}: {text}")
    return wrong[:MOST]


def _files() -> set[str]:
    root = Path(settings.MEDIA_ROOT)
    return {str(path.relative_to(root)) for path in root.glob("sources/*/*") if path.is_file()}


def files_without_row() -> list[str]:
    """Files that no source names, drafts of uploads among them."""
    from knowledge.models import Source

    return sorted(_files() - set(Source.objects.values_list("file", flat=True)))[:MOST]


def rows_without_file() -> list[str]:
    """Sources whose file is not there, or is not what was stored."""
    import hashlib

    from knowledge.models import Source

    wrong = []
    for name, size, digest in Source.objects.values_list("file", "size", "sha256"):
        path = Path(settings.MEDIA_ROOT) / name
        if not path.is_file():
            wrong.append(f"{name} is not there")
        elif path.stat().st_size != size:
            wrong.append(f"{name} has another size")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} has other bytes")
    return wrong[:MOST]


def folders_left() -> list[str]:
    """Folders of jobs that ended well, or are no more."""
    from knowledge.models import IngestJob

    keep = set(IngestJob.objects.exclude(status__in=["completed", "cancelled"]).values_list("pk"))
    known = {str(pk) for (pk,) in keep}
    folders = (Path(settings.MEDIA_ROOT) / "jobs").glob("*")
    return sorted(each.name for each in folders if each.name not in known and _is_id(each.name))[
        :MOST
    ]


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, Callable[[], Any]] = {
    "half-visible documents": half_visible,
    "statistics that differ from a recount": statistics_differ,
    "files without a row": files_without_row,
    "rows without their file": rows_without_file,
    "folders of jobs left behind": folders_left,
}
