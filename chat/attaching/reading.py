"""From an attached file to passages. Work of a worker: the row says how it went."""

import datetime
import json
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from chat.choices import AttachmentStatus
from chat.models import Attachment, AttachmentPassage
from chat.models.attachments import READ_WITHIN
from knowledge.chunking import Passage, chunk
from knowledge.documents import file_reading
from knowledge.parsing import PageSpan, ParsedDocument, ParsingError
from project.inference.embeddings import EmbeddingUnavailable, default_model, embed_texts
from project.inference.types import UsageContext
from project.locks import try_lock

MOST_CHARACTERS = 600_000
"""About 200 pages; more belongs into a space."""
ASKED_AGAIN_AFTER = datetime.timedelta(minutes=2)
log = structlog.get_logger(__name__)


def attachments_waiting() -> list[uuid.UUID]:
    """Return what should have been read by now, and still may be: its task may be lost."""
    now = timezone.now()
    rows = Attachment.objects.filter(
        status=AttachmentStatus.READING,
        created_at__range=(now - READ_WITHIN, now - ASKED_AGAIN_AFTER),
    )
    return list(rows.values_list("pk", flat=True))


def attachment_read(attachment_id: uuid.UUID) -> None:
    """Read an attachment, if that is still to be done; a file that gives no text says why not.

    One worker does at a time: the task may be there more than once. Raises what the machine is to
    blame for (OSError, the database's): then the task comes again.
    """
    with try_lock(f"attachment-{attachment_id}") as is_mine:
        if is_mine:
            _read(attachment_id)


def _read(attachment_id: uuid.UUID) -> None:
    row = (
        Attachment.objects.select_related("conversation__user")
        .filter(pk=attachment_id, status=AttachmentStatus.READING)
        .first()
    )
    if row is None or row.data is None:
        return
    with translation.override(row.conversation.user.language or translation.get_language()):
        try:
            content, pages, language = _text_of(row)
            passages = chunk(content, pages=pages)
            if not passages:
                raise ParsingError("empty", _("There is no text in this file to answer from."))
        except ParsingError as fault:
            _settle(row, AttachmentStatus.FAILED, code=fault.code, message=fault.message)
            return
    row.content, row.language = content, language
    _settle(row, AttachmentStatus.READY, passages=_rows(row, passages))


def _text_of(row: Attachment) -> tuple[str, list[PageSpan], str]:
    """Return the text of all documents in a file, where its pages are, and its language."""
    with tempfile.TemporaryDirectory(prefix="acervo-attached-") as folder:
        file, pages = Path(folder, "file"), Path(folder, "pages")
        file.write_bytes(bytes(row.data or b""))
        language = row.conversation.space.language if row.conversation.space else ""
        with file_reading(file, row.filename, row.content_type, language) as reading:
            with pages.open("w", encoding="utf-8") as kept:
                for page in reading.pages():
                    kept.write(json.dumps(page.to_json()) + "\n")
            documents = reading.documents(pages)
    content, ranges = _joined(documents)
    if len(content) > MOST_CHARACTERS:
        message = _("The text is too long to attach. Put the file into a space instead.")
        raise ParsingError("too_large", message)
    return content, ranges, documents[0].language


def _joined(documents: Sequence[ParsedDocument]) -> tuple[str, list[PageSpan]]:
    """Return the documents of a file as one text; those within it under their names."""
    content, ranges = "", list[PageSpan]()
    for each in documents:
        if not each.markdown.strip():
            continue
        content += "\n\n" if content else ""
        content += f"# {each.entry}\n\n" if each.entry else ""
        at = len(content)
        ranges += [replace(span, start=at + span.start, end=at + span.end) for span in each.pages]
        content += each.markdown
    return content.replace("\x00", " "), ranges


def _rows(row: Attachment, passages: Sequence[Passage]) -> list[AttachmentPassage]:
    model, vectors = default_model(), None
    usage = UsageContext("attach", row.conversation.user_id, row.conversation.space_id)
    texts = [" › ".join((*each.heading_path, each.text)) for each in passages]
    try:
        vectors = embed_texts(model, texts, purpose="document", usage=usage)
    except EmbeddingUnavailable as error:
        log.warning("attachment_by_words_only", attachment=str(row.pk), reason=error.reason)
    return [
        AttachmentPassage(
            attachment=row,
            position=number,
            start=each.start,
            end=each.end,
            heading_path=list(each.heading_path),
            text=each.text,
            page=each.page,
            model_key=model.key if vectors is not None else "",
            vector=vectors[number] if vectors is not None else None,
        )
        for number, each in enumerate(passages)
    ]


@transaction.atomic
def _settle(
    row: Attachment,
    status: AttachmentStatus,
    *,
    code: str = "",
    message: str = "",
    passages: Sequence[AttachmentPassage] = (),
) -> None:
    """Store the outcome, unless the row is gone or another worker was quicker."""
    rows = Attachment.objects.select_for_update().filter(pk=row.pk, status=AttachmentStatus.READING)
    if rows.first() is None:
        return
    AttachmentPassage.objects.bulk_create(passages)
    row.status, row.error_code, row.error_message = status, code, message
    row.data = None
    row.save()
