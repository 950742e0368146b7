"""A conversation as a file: the path that is read, with its sources, as Markdown or JSON."""

import datetime
import json
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _

from chat.choices import MessageRole
from chat.cold import warmed
from chat.history.rows import folded
from chat.models import Conversation, Message, Turn
from chat.rendering import NOWHERE, citation_url
from chat.representation import conversation_body, message_body
from chat.threads import path_of
from project.http.errors import Invalid

FORMATS = {"markdown": ("md", "text/markdown"), "json": ("json", "application/json")}


def exported(
    request: HttpRequest, conversation: Conversation, form: str, *, leaf: uuid.UUID | None = None
) -> HttpResponse:
    """Return a conversation as a file to save; raises Invalid for an unknown `form`."""
    if form not in FORMATS:
        raise Invalid(_("The format must be one of: %s.") % ", ".join(FORMATS), field="as")
    extension, content_type = FORMATS[form]
    if form == "json":
        text = json.dumps(as_json(conversation), ensure_ascii=False, indent=2)
    else:
        site = request.build_absolute_uri("/").rstrip("/")
        text = as_markdown(conversation, site=site, leaf=leaf)
    name = file_name(conversation, extension)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text, content_type=f"{content_type}; charset=utf-8", headers=headers)


def file_name(conversation: Conversation, extension: str) -> str:
    """Return what to call the file."""
    return f"{slugify(conversation.title)[:60] or 'conversation'}.{extension}"


def as_json(conversation: Conversation) -> dict[str, Any]:
    """Return the conversation with every message of every branch, oldest first.

    `path` names the messages of the branch that is read, in their order.
    """
    warmed(conversation)
    messages = folded(conversation.messages.order_by("created_at", "id"))
    return {
        "conversation": conversation_body(conversation),
        "path": [str(pk) for pk in path_of(conversation)],
        "messages": [message_body(each) for each in messages],
        "exported_at": timezone.now().isoformat(),
    }


def as_markdown(conversation: Conversation, *, site: str, leaf: uuid.UUID | None = None) -> str:
    """Return the branch that is read, or that of `leaf`, with the sources of each answer.

    `site`: where addresses begin, without a slash at its end.
    """
    warmed(conversation)
    path = path_of(conversation, leaf=leaf)
    rows = folded(conversation.messages.all()).in_bulk(path)
    parts = [f"# {conversation.title or _('Conversation')}\n"]
    for message in [rows[pk] for pk in path]:
        parts.append(_heading(message))
        parts.append(message.content.strip() + "\n")
        turn = getattr(message, "answered_by", None)
        if message.role == MessageRole.ASSISTANT and turn is not None:
            parts.append(_sources(turn, site))
    return "\n".join(part for part in parts if part)


def _heading(message: Message) -> str:
    at = _time(message.created_at)
    if message.role == MessageRole.USER:
        return f"## {_('You asked')} · {at}\n"
    who = message.author_name
    words = _("%(name)s answered") % {"name": who} if who else _("Acervo answered")
    return f"## {words} · {at}\n"


def _sources(turn: Turn, site: str) -> str:
    citations = list(turn.citations.all())
    if not citations:
        return ""
    lines = [f"**{_('Sources')}**\n"]
    for each in citations:
        words = _("version %(number)s") % {"number": each.version}
        title, url = each.title or "–", citation_url(each)
        address = "" if url == NOWHERE else f" <{site}{url}>"
        lines.append(f"- [{each.index}] {title}, {words}{address}")
    return "\n".join(lines) + "\n"


def _time(moment: datetime.datetime) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")
