"""E-mail: a message as a page, what is attached to it, and the messages of a mailbox."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, cast

from knowledge.parsing._faults import readable
from knowledge.parsing._html import html_to_markdown
from knowledge.parsing._speech import gettext as _
from knowledge.parsing._speech import pgettext
from knowledge.parsing._text import clean, decode
from knowledge.parsing.pages import RawPage

_FROM_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From [^\r\n]*\d{2}:\d{2}[^\r\n]*\r?\n")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.M)
_IDENTIFIER = re.compile(rb"^message-id:\s*<?([^\s<>]{1,200})", re.I | re.M)
_HEAD_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a message."""

    name: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that was read."""

    page: RawPage
    attachments: list[Attachment]


def mailbox_messages(data: bytes) -> list[bytes]:
    """The messages of an mbox file: each begins at a ``From `` line after an empty one."""
    starts = [match.span() for match in _FROM_LINE.finditer(data)]
    ends = [*(start for start, _end in starts[1:]), len(data)][: len(starts)]
    return [
        _QUOTED_FROM.sub(rb"\1", data[begin:end])
        for (_start, begin), end in zip(starts, ends, strict=True)
        if data[begin:end].strip()
    ]


def read_mail(data: bytes) -> Mail:
    """A message: who, when, the text, and what is attached. Raises ``UnreadableDocument``."""
    with readable(MessageError):
        message = BytesParser(policy=policy.default).parsebytes(data)
        if not message.keys():
            raise ValueError("no header")
        metadata = _fields(message)
        body = _body(message)
        attachments = list(_attachments(message))
    title = metadata.pop("subject", "")
    shown = [f"- {name}: {metadata[key]}" for key, name in _names() if key in metadata]
    if attachments:
        names = ", ".join(each.name for each in attachments)
        shown.append(_("- Attachments: %(names)s") % {"names": names})
    heading = f"# {title}" if title else ""
    markdown = "\n\n".join(part for part in (heading, "\n".join(shown), body) if part)
    has_text = bool(body.strip()) or bool(attachments)
    page = RawPage(
        index=0,
        total=1,
        label=_label(metadata),
        markdown=markdown if has_text else "",
        info={"title": title, "metadata": metadata},
    )
    return Mail(page, attachments)


def identifier_of(data: bytes) -> str:
    """What stays the same in every copy of a message: its Message-ID, else its SHA-256."""
    end = _HEAD_END.search(data)
    told = _IDENTIFIER.search(data, 0, end.start() if end else len(data))
    if told is None:
        return hashlib.sha256(data).hexdigest()[:32]
    return clean(told[1].decode("utf-8", "replace"))


def _names() -> tuple[tuple[str, str], ...]:
    return (
        ("from", pgettext("e-mail", "From")),
        ("to", pgettext("e-mail", "To")),
        ("date", pgettext("e-mail", "Date")),
    )


def _label(metadata: dict[str, Any]) -> str:
    """What a citation says of its place: the message of a day."""
    day = str(metadata.get("date", ""))[:10]
    return _("message of %(day)s") % {"day": day} if day else _("message")


def _fields(message: EmailMessage) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in ("subject", "from", "to", "date"):
        value = message.get(name)
        if value is not None:
            fields[name] = clean(" ".join(str(value).split()))
    date = message.get("date")
    if date is not None and getattr(date, "datetime", None) is not None:
        fields["date"] = date.datetime.isoformat()
    return fields


def _body(message: EmailMessage) -> str:
    part = message.get_body(preferencelist=("plain", "html"))
    if part is None:
        return ""
    raw = part.get_payload(decode=True)
    payload = raw if isinstance(raw, bytes) else b""
    charset = part.get_content_charset() or ""
    try:
        text = payload.decode(charset) if charset else decode(payload)
    except (LookupError, UnicodeDecodeError):
        text = decode(payload)
    return html_to_markdown(text)[0] if part.get_content_subtype() == "html" else clean(text)


def _attachments(message: EmailMessage) -> Iterator[Attachment]:
    """The files of a message; pictures that belong to its text (a logo) are none."""
    for part in message.iter_attachments():
        is_inline = part.get_content_disposition() == "inline" or part.get("content-id")
        if is_inline and part.get_content_maintype() == "image":
            continue
        name = clean(" ".join((part.get_filename() or "").split()))
        content_type = part.get_content_type()
        if content_type == "message/rfc822":
            inner = cast("list[EmailMessage]", part.get_payload())[0]
            data = inner.as_bytes()
            subject = clean(" ".join(str(inner.get("subject") or "").split()))
            name = name or f"{subject.replace('/', '-') or _('message')}.eml"
        else:
            raw = part.get_payload(decode=True)
            data = raw if isinstance(raw, bytes) else b""
        yield Attachment(name or _("unnamed"), content_type, data)
