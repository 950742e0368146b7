"""Which passages of a conversation's attachments bear on a question.

Few enough to look at all of them: similarity by one statement, the words here. The score is on the
scale of those of nodes (`knowledge.ranking`), so that both can be put in one order. Whoever names
the file means it, whatever other words they use: then, of equal words, its beginning comes first.
"""

import math
import re
import uuid
from collections import Counter
from collections.abc import Sequence

import structlog
from pgvector.django import MaxInnerProduct

from chat.attaching import CITED_VERSION, attached_url
from chat.choices import AttachmentStatus
from chat.models import AttachmentPassage
from chat.types import Passage
from knowledge.analysis import fold, terms_of
from project.database.prepared import prepared_rows
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts

MOST = 8
VECTOR_WEIGHT = 0.5
NAMED_SCORE = 0.8
_NAMES_FILE = re.compile(
    r"\b(?:attach\w*|files?|documents?|uploaded|pdf|spreadsheet|slides?"
    r"|anex\w*|arquivos?|documentos?|enviei|planilha)\b",
    re.IGNORECASE,
)
log = structlog.get_logger(__name__)


def has_attachments(session: str) -> bool:
    """Whether anything is attached: then no answer is like one to anybody else."""
    return _has_any(session)


def _has_any(session: str, status: str | None = None) -> bool:
    """Whether a conversation has an attachment, of that status if one is given.

    Asked with every question, of conversations of which hardly any has one.
    """
    [(has,)] = prepared_rows(
        "SELECT EXISTS (SELECT FROM chat_attachment WHERE conversation_id = %s"
        " AND (%s::text IS NULL OR status = %s))",
        [_conversation(session), status, status],
    )
    return bool(has)


def _conversation(session: str) -> uuid.UUID | None:
    """Return the conversation of a turn's session; what is asked outside of one has another."""
    try:
        return uuid.UUID(session)
    except ValueError:
        return None


def passages_attached(session: str, query: str) -> list[Passage]:
    """Return the best passages of what is attached to a conversation, best first."""
    if not _has_any(session, str(AttachmentStatus.READY)):
        return []
    rows = list(
        AttachmentPassage.objects.filter(
            attachment__conversation=_conversation(session),
            attachment__status=AttachmentStatus.READY,
        )
        .select_related("attachment")
        .defer("vector", "attachment__content", "attachment__data")
    )
    if not rows:
        return []
    similar = _similarities(rows, query)
    matches = _matches(rows, query)
    named = bool(_NAMES_FILE.search(query))
    asked = fold(query)
    found = []
    for row, match in zip(rows, matches, strict=True):
        similarity = similar.get(row.pk)
        weight = VECTOR_WEIGHT if similarity is not None else 0.0
        score = weight * (similarity or 0.0) + (1 - weight) * match
        if named or fold(row.attachment.filename) in asked:
            score = max(score, NAMED_SCORE + match / 5 - row.position / 10_000)
        found.append(_passage(row, score, similarity or 0.0, match))
    return sorted(found, key=lambda each: -each.score)[:MOST]


def _similarities(rows: Sequence[AttachmentPassage], query: str) -> dict[uuid.UUID, float]:
    """Return similarities by passage, 0 to 1; of those that have a vector of today's model."""
    model = default_model()
    ids = [row.pk for row in rows if row.model_key == model.key]
    if not ids:
        return {}
    try:
        vector = embed_texts(model, [query], purpose="query")[0]
    except EmbeddingUnavailable as error:
        log.warning("attachments_not_compared", reason=error.reason)
        return {}
    pairs = AttachmentPassage.objects.filter(pk__in=ids).annotate(
        similarity=-MaxInnerProduct("vector", vector)
    )
    return {pk: min(1.0, max(0.0, each)) for pk, each in pairs.values_list("pk", "similarity")}


def _matches(rows: Sequence[AttachmentPassage], query: str) -> list[float]:
    """Return which share of the question's words each passage holds; rare ones count more."""
    held = []
    for row in rows:
        text = " ".join((*row.heading_path, row.text))
        held.append(frozenset(terms_of(text, row.attachment.language or "en")))
    asked = [frozenset(terms_of(query, row.attachment.language or "en")) for row in rows]
    counts = Counter(term for each in held for term in each)
    weights = {
        term: math.log(1 + len(rows) / (0.5 + counts[term])) for each in asked for term in each
    }
    return [
        sum(weights[term] for term in terms & words) / total
        if (total := sum(weights[term] for term in terms))
        else 0.0
        for terms, words in zip(asked, held, strict=True)
    ]


def _passage(row: AttachmentPassage, score: float, similarity: float, match: float) -> Passage:
    attachment = row.attachment
    return Passage(
        node=attachment.pk,
        version=CITED_VERSION,
        chunk=row.pk,
        title=attachment.filename,
        heading_path=tuple(row.heading_path),
        text=row.text,
        start=row.start,
        end=row.end,
        page=row.page,
        url=attached_url(attachment.conversation_id, attachment.pk, row.start, row.end),
        language=attachment.language,
        score=score,
        signals={
            "fused": score,
            "vector": {"similarity": similarity},
            "keyword": {"match": match},
        },
    )
