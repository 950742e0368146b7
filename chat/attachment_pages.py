"""Pages of attachments: the chips above the box, and the text at a passage."""

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chat.models import Attachment, AttachmentPassage, Conversation
from knowledge.reading import heading_path, rendered
from project.accounts.models import User

CONTEXT = 4
"""Passages that the side panel shows around the cited one, before and after."""


@login_required
@require_safe
@never_cache
def attachment_list(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Return what is attached to a conversation as a piece of HTML."""
    conversation = get_object_or_404(Conversation.objects.visible_to(_person(request)), pk=pk)
    rows = conversation.attachments.without_content()
    return render(request, "chat/_attachments.html", {"attachments": rows})


@login_required
@require_safe
@never_cache
def attachment_page(request: HttpRequest, pk: uuid.UUID, attachment: uuid.UUID) -> HttpResponse:
    """Show the text of an attachment with the passage `start` to `end` marked.

    With `piece` only what stands around the passage, for the side panel.
    """
    rows = Attachment.objects.visible_to(_person(request)).filter(conversation=pk)
    row = get_object_or_404(rows.defer("data"), pk=attachment)
    span = _span(request, row)
    first, last = (0, len(row.content))
    if request.GET.get("piece") and span is not None:
        first, last = _around(row, span)
    shown = (span[0] - first, span[1] - first) if span is not None else None
    context = {
        "attachment": row,
        "conversation_id": pk,
        "span": span,
        "headings": heading_path(row.content, span[0]) if span is not None else (),
        "is_cut_before": bool(row.content[:first].strip()),
        "is_cut_after": bool(row.content[last:].strip()),
        "html": mark_safe(  # noqa: S308 - it sanitises
            rendered(row.content[first:last], shown, lambda _title, _heading: None)
        ),
    }
    template = "_attachment" if request.GET.get("piece") else "attachment"
    return render(request, f"chat/{template}.html", context)


def _around(row: Attachment, span: tuple[int, int]) -> tuple[int, int]:
    passages = AttachmentPassage.objects.filter(attachment=row)
    before = passages.filter(start__lte=span[0]).order_by("-start")[:CONTEXT]
    after = passages.filter(start__gte=span[0]).order_by("start")[:CONTEXT]
    starts = [each.start for each in before]
    ends = [each.end for each in after]
    return min([span[0], *starts]), max([span[1], *ends])


def _span(request: HttpRequest, row: Attachment) -> tuple[int, int] | None:
    """Return the passage that the address names, when it lies inside the text."""
    try:
        start, end = int(request.GET.get("start", "")), int(request.GET.get("end", ""))
    except ValueError:
        return None
    return (start, end) if 0 <= start < end <= len(row.content) else None


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
