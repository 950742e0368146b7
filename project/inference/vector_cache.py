"""Vectors of texts that were embedded before, in Postgres: the same text costs no model work again.

A row is found by the SHA-256 of its text and what names the vector space (`model_identity`).
Vectors are kept as float32: what comes out is bit for bit what the model gave. Rows name the
subject that their text was embedded for, so that an erase finds them however the text was cut.

Writers never conflict: a row is inserted or was there, in the order of the keys, in a transaction
of its own. A writer holds a shared advisory lock and an erase the exclusive one: what a worker
embedded of a text that was erased meanwhile is not kept.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from psycopg_pool import PoolTimeout

from project.cache import DailyCounts
from project.inference import minilm
from project.inference.choices import Backend
from project.inference.models import ModelEndpoint
from project.inference.types import EmbeddingModel
from project.locks import lock_key, transaction_lock

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

log = structlog.get_logger(__name__)

lookups = DailyCounts("vectors")
"""How many texts were found (`l3`), and how many were not (`miss`)."""
SLICE = 1000  # rows a statement
ROW_BYTES = 200  # of a row and its index entries, beside the vector
ERASURES_KNOWN = datetime.timedelta(days=2)
"""How long what was erased is not kept again: no worker holds a text for longer."""
WAITING_AT_MOST = datetime.timedelta(hours=2)
"""After that, nobody waits for a text on the desk any more."""
_LOCK = "embedded-texts"
_SWEEP_BATCH = 5000


def text_digest(text: str) -> bytes:
    """Return the SHA-256 of a cleaned text."""
    return hashlib.sha256(text.encode()).digest()


def model_identity(model: EmbeddingModel) -> str | None:
    """Return a name for whatever can change a model's vectors of documents; None: keep nothing.

    An endpoint counts with its address, name and prefix: two that call their model the same may
    serve different ones. Hashing is quicker than a look into a table.
    """
    if not settings.ACERVO_EMBEDDING_CACHE_MB or model.backend == Backend.HASHING:
        return None
    if model.backend == Backend.BUILTIN:
        return _identity([model.key, minilm.MODEL_FILE, minilm.MAX_TOKENS])
    if model.endpoint_id is None:
        return None
    endpoint = ModelEndpoint.objects.filter(pk=model.endpoint_id).first()
    if endpoint is None:
        return None
    address = "" if endpoint.backend == Backend.FASTEMBED else f"{endpoint.pk} {endpoint.base_url}"
    return _identity([model.key, endpoint.model_name, address, endpoint.document_prefix])


def vectors_get(identity: str, digests: Iterable[bytes]) -> dict[bytes, Vectors]:
    """Return the kept vectors of some texts, and note that they were used today."""
    import numpy as np

    wanted = sorted(set(digests))
    found: dict[bytes, Vectors] = {}
    stale: list[bytes] = []
    for at in range(0, len(wanted), SLICE):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT text_sha256, vector, used_on < CURRENT_DATE FROM inference_embeddedtext "
                "WHERE model = %s AND text_sha256 = ANY(%s)",
                [identity, wanted[at : at + SLICE]],
            )
            for digest, vector, is_stale in cursor.fetchall():
                found[bytes(digest)] = np.frombuffer(vector, dtype="<f4").astype(np.float32)
                if is_stale:
                    stale.append(bytes(digest))
    if stale:
        _when_possible(lambda: _use(identity, stale))
    return found


def vectors_keep(identity: str, rows: Sequence[tuple[bytes, uuid.UUID, Vectors]]) -> None:
    """Keep vectors: digest of the text, its subject, the vector. Nobody waits for them any more.

    Inside a transaction of the caller's they are kept after its end. A database that cannot take
    them costs nothing but the work of another time.
    """
    _when_possible(lambda: _insert(identity, rows))


def subjects_forget(subjects: Iterable[uuid.UUID]) -> None:
    """Forget all vectors of some subjects' texts, in the caller's transaction.

    What workers have in hand of these texts is not kept either.
    """
    ids = list(subjects)
    with transaction.atomic(), connection.cursor() as cursor:
        transaction_lock(_LOCK)  # whoever is inserting has committed, whoever will sees this
        cursor.execute("DELETE FROM inference_embeddedtext WHERE subject = ANY(%s)", [ids])
        cursor.execute("DELETE FROM inference_waitingtext WHERE subject = ANY(%s)", [ids])
        cursor.execute(
            "INSERT INTO inference_forgottensubject (subject, forgotten_at) "
            "SELECT DISTINCT subject, now() FROM unnest(%s::uuid[]) AS gone (subject) "
            "ON CONFLICT (subject) DO UPDATE SET forgotten_at = EXCLUDED.forgotten_at",
            [ids],
        )


def vectors_sweep() -> int:
    """Delete what was not used for long, then, above the allowed size, the longest unused.

    Returns how many vectors were deleted.
    """
    today = datetime.datetime.now(datetime.UTC).date()
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM inference_forgottensubject WHERE forgotten_at < %s",
            [now - ERASURES_KNOWN],
        )
        cursor.execute(
            "DELETE FROM inference_waitingtext WHERE waits_since < %s", [now - WAITING_AT_MOST]
        )
    oldest = today - datetime.timedelta(days=settings.ACERVO_EMBEDDING_CACHE_DAYS + 1)
    deleted = _delete(oldest)
    most = settings.ACERVO_EMBEDDING_CACHE_MB * 2**20
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('inference_embeddedtext')")
        if cursor.fetchone()[0] <= most:
            return deleted
        cursor.execute(
            "SELECT used_on, count(*), sum(octet_length(vector) + %s) "
            "FROM inference_embeddedtext GROUP BY used_on ORDER BY used_on DESC",
            [ROW_BYTES],
        )
        days = cursor.fetchall()
    held = 0
    for day, count, size in days:
        if held + size > most:
            deleted += _delete(day - datetime.timedelta(days=1))
            deleted += _delete(day, at_most=count - int(count * (most - held) / size))
            break
        held += size
    return deleted


def kept_size() -> tuple[int, int]:
    """Return about how many vectors are kept, as the planner knows it, and the bytes they take."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(reltuples, 0)::bigint, pg_total_relation_size(oid) FROM pg_class"
            " WHERE oid = 'inference_embeddedtext'::regclass"
        )
        count, size = cursor.fetchone()
        return int(count), int(size)


def _identity(parts: Sequence[object]) -> str:
    written = json.dumps([str(part) for part in parts]).encode()
    return hashlib.sha256(written).hexdigest()[:40]


def _use(identity: str, digests: Sequence[bytes]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inference_embeddedtext AS used SET used_on = CURRENT_DATE FROM ("
            " SELECT text_sha256 FROM inference_embeddedtext WHERE model = %s"
            " AND text_sha256 = ANY(%s) AND used_on < CURRENT_DATE"
            " ORDER BY text_sha256 FOR UPDATE SKIP LOCKED"  # another one notes the same
            ") AS stale WHERE used.model = %s AND used.text_sha256 = stale.text_sha256",
            [identity, list(digests), identity],
        )


def _insert(identity: str, rows: Sequence[tuple[bytes, uuid.UUID, Vectors]]) -> None:
    for at in range(0, len(rows), SLICE):
        part = rows[at : at + SLICE]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [lock_key(_LOCK)])
            cursor.execute(
                "WITH served AS (DELETE FROM inference_waitingtext"
                " WHERE model = %s AND text_sha256 = ANY(%s)) "
                "INSERT INTO inference_embeddedtext (text_sha256, model, subject, vector, used_on) "
                "SELECT DISTINCT ON (text_sha256) text_sha256, %s, subject, vector, CURRENT_DATE "
                "FROM unnest(%s::bytea[], %s::uuid[], %s::bytea[])"
                " AS new (text_sha256, subject, vector) WHERE NOT EXISTS ("
                " SELECT 1 FROM inference_forgottensubject AS gone"
                " WHERE gone.subject = new.subject"
                ") ORDER BY text_sha256 ON CONFLICT DO NOTHING",
                [
                    identity,
                    [digest for digest, _subject, _vector in part],
                    identity,
                    [digest for digest, _subject, _vector in part],
                    [subject for _digest, subject, _vector in part],
                    [vector.astype("<f4").tobytes() for _digest, _subject, vector in part],
                ],
            )


def _when_possible(write: Callable[[], None]) -> None:
    """Write outside any transaction: now, or when the caller's has committed."""

    def tolerant() -> None:
        try:
            write()
        except (DatabaseError, PoolTimeout) as error:
            log.warning("vectors_not_kept", error=str(error)[:200])

    if connection.in_atomic_block:
        transaction.on_commit(tolerant)
    else:
        tolerant()


def _delete(day: datetime.date, *, at_most: int | None = None) -> int:
    deleted = 0
    while at_most is None or deleted < at_most:
        batch = _SWEEP_BATCH if at_most is None else min(_SWEEP_BATCH, at_most - deleted)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM inference_embeddedtext WHERE ctid = ANY(ARRAY("
                "SELECT ctid FROM inference_embeddedtext WHERE used_on <= %s LIMIT %s))",
                [day, batch],
            )
            gone = cursor.rowcount
        deleted += gone
        if not gone:
            break
    return deleted
