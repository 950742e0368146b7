"""Markdown, plain text, HTML pages and e-mail: one page each."""

from collections.abc import Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from knowledge.parsing._faults import readable
from knowledge.parsing._html import html_to_markdown
from knowledge.parsing._text import clean, decode, front_matter
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits


def read_markdown(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """The text as it stands; YAML front matter becomes metadata, its ``title`` the title."""
    metadata, text = front_matter(clean(decode(data)))
    title = metadata.pop("title", "")
    info = {"title": str(title or ""), "metadata": metadata}
    yield RawPage(index=0, total=1, markdown=text, info=info)


def read_text(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """The text as it stands: plain text is Markdown without markup."""
    yield RawPage(index=0, total=1, markdown=clean(decode(data)))


def read_html(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """The main part of the page."""
    markdown, found = html_to_markdown(data)
    info = {"title": found.pop("title", ""), "metadata": found}
    yield RawPage(index=0, total=1, markdown=markdown, info=info)


def _mail_names() -> tuple[tuple[str, str], ...]:
    return (
        ("from", pgettext("e-mail", "From")),
        ("to", pgettext("e-mail", "To")),
        ("date", pgettext("e-mail", "Date")),
    )


def read_eml(data: bytes, _limits: Limits) -> Iterator[RawPage]:
    """A message: who, when, the text. Attachments are named, not read."""
    with readable(MessageError):
        message = BytesParser(policy=policy.default).parsebytes(data)
        metadata = _mail_fields(message)
        body = _mail_body(message)
        attached = [part.get_filename() or _("unnamed") for part in message.iter_attachments()]
    title = metadata.pop("subject", "")
    shown = [f"- {name}: {metadata[key]}" for key, name in _mail_names() if key in metadata]
    warnings: list[str] = []
    if attached:
        names = ", ".join(clean(" ".join(name.split())) for name in attached)
        warnings.append(_("Attachments were not read: %(names)s.") % {"names": names})
        shown.append(_("- Attachments: %(names)s") % {"names": names})
    heading = f"# {title}" if title else ""
    markdown = "\n\n".join(part for part in (heading, "\n".join(shown), body) if part)
    info = {"title": title, "metadata": metadata, "warnings": warnings}
    yield RawPage(index=0, total=1, markdown=markdown if body.strip() else "", info=info)


def _mail_fields(message: EmailMessage) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in ("subject", "from", "to", "date"):
        value = message.get(name)
        if value is not None:
            fields[name] = clean(" ".join(str(value).split()))
    date = message.get("date")
    if date is not None and getattr(date, "datetime", None) is not None:
        fields["date"] = date.datetime.isoformat()
    return fields


def _mail_body(message: EmailMessage) -> str:
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
