"""A folder of a mailbox, over IMAP4rev1 (RFC 3501). Nothing in it is changed, no message is marked.

Messages never change, so what is known is not fetched again. Their key is the Message-ID, which
stays when a server numbers its messages anew.
"""

import base64
import hashlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from knowledge.connectors.base import (
    Connector,
    ConnectorFault,
    Fault,
    Found,
    Item,
    Known,
    Setting,
    Unchanged,
    key_of,
)
from knowledge.connectors.calling import time_of
from project.http.addresses import Blocked
from project.http.fetching import Fetcher, FetchFailed

BATCH = 200  # messages whose heads are asked for at once
_FIELDS = "MESSAGE-ID SUBJECT DATE FROM"
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_UID = re.compile(rb"UID (\d+)")
_NOT_NAME = re.compile(r"[^\w -]")


class MailboxConnector(Connector):
    """The messages of one folder."""

    name = "imap"
    label = gettext_lazy("IMAP folder")
    settings = (
        Setting("host", gettext_lazy("Server"), is_required=True, binds_secret=True),
        Setting(
            "port", gettext_lazy("Port"), kind="number", default=993, least=1, most=65_535,
            binds_secret=True,
        ),
        Setting(
            "is_encrypted", gettext_lazy("Encrypted from the start"), kind="flag", default=True,
            help=gettext_lazy("Otherwise by STARTTLS."), binds_secret=True,
        ),
        Setting("user", gettext_lazy("User"), is_required=True, binds_secret=True),
        Setting("folder", gettext_lazy("Folder"), default="INBOX"),
        Setting(
            "newest", gettext_lazy("Newest messages"), kind="number", default=2000, least=1,
            most=100_000, help=gettext_lazy("Older ones beyond this number are left alone."),
        ),
    )  # fmt: skip
    secret_label = gettext_lazy("Password")

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> None:
        """Raise ConnectorFault for what is no host name."""
        if not re.fullmatch(r"[\w.:\[\]-]+", values["host"]):
            message = _("This is not the name of a server.")
            raise ConnectorFault(message, is_lasting=True, field="host")
        if any(ord(char) < 32 for char in values["user"] + values["folder"]):
            message = _("Control characters are not allowed.")
            raise ConnectorFault(message, is_lasting=True, field="folder")

    def probe(self) -> str:
        """Sign in and count."""
        with self._folder() as box:
            count = len(_uids(box))
        return _("The folder is there, with %(count)s messages.") % {"count": count}

    def items(self, known: Known) -> Iterator[Found]:
        """Yield the messages, newest last."""
        with self._folder() as box:
            uids = _uids(box)
            wanted = uids[-self.values["newest"] :]
            seen: set[str] = set()
            for at in range(0, len(wanted), BATCH):
                for uid, size, head in _heads(box, wanted[at : at + BATCH]):
                    key = _key(head)
                    if key in seen:
                        continue  # a copy of a message in the same folder
                    seen.add(key)
                    yield self._found(box, uid, size, head, known)
            if len(wanted) < len(uids):
                for key in known.keys():  # noqa: SIM118 - not a mapping
                    if key not in seen:
                        yield Unchanged(key)  # older than the newest, not gone

    def _found(
        self, box: imaplib.IMAP4, uid: bytes, size: int, head: EmailMessage, known: Known
    ) -> Found:
        key = _key(head)
        if known.get(key) is not None:
            return Unchanged(key)
        if size > settings.ACERVO_MAX_UPLOAD_BYTES:
            return Fault(key, _("The message is too large."))
        status, parts = box.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
        body = next((each[1] for each in parts if isinstance(each, tuple)), None)
        if status != "OK" or not body:
            return Fault(key, _("The server did not send the message."))
        title = " ".join(str(head.get("Subject", "")).split())[:300]
        return Item(
            key,
            body,
            filename=f"{_NOT_NAME.sub('', title)[:80].strip() or 'message'}.eml",
            title=title,
            content_type="message/rfc822",
            etag="message",
            modified=time_of(str(head.get("Date", ""))),
        )

    @contextmanager
    def _folder(self) -> Iterator[imaplib.IMAP4]:
        """Open the folder for reading. Raises ConnectorFault."""
        host, port = self.values["host"], self.values["port"]
        box: imaplib.IMAP4 | None = None
        try:
            box = _Box(self.fetcher, host, port, is_encrypted=self.values["is_encrypted"])
            if not self.values["is_encrypted"]:
                self._encrypt(box)
            self._sign_in(box)
            status, _answer = box.select(_quoted(self.values["folder"]), readonly=True)
            if status != "OK":
                message = _("There is no folder “%(name)s”.") % {"name": self.values["folder"]}
                raise ConnectorFault(message, is_lasting=True, field="folder")
            yield box
        except Blocked as error:
            raise ConnectorFault(error.message, is_lasting=True, field="host") from None
        except FetchFailed as error:
            raise ConnectorFault(error.message) from None
        except ssl.SSLCertVerificationError:
            message = _("The certificate of “%(host)s” is not valid.") % {"host": host}
            raise ConnectorFault(message, is_lasting=True) from None
        except (imaplib.IMAP4.error, OSError) as error:
            message = _("The mail server broke off: %(why)s.") % {"why": type(error).__name__}
            raise ConnectorFault(message) from None
        finally:
            if box is not None:
                with suppress(imaplib.IMAP4.error, OSError):
                    box.logout()

    def _encrypt(self, box: imaplib.IMAP4) -> None:
        """Encrypt the connection; a password goes in the clear to no server but allowed ones."""
        if "STARTTLS" in box.capabilities:
            box.starttls(ssl.create_default_context())
        elif self.values["host"] not in settings.ACERVO_FETCH_ALLOW:
            message = _("The server offers no encryption; the password is not sent.")
            raise ConnectorFault(message, is_lasting=True, field="is_encrypted")

    def _sign_in(self, box: imaplib.IMAP4) -> None:
        try:
            box.login(self.values["user"], self.secret)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            message = _("The server refused the user or the password.")
            raise ConnectorFault(message, is_lasting=True, field="user") from None


class _Box(imaplib.IMAP4):
    """A connection to an address that was looked at."""

    def __init__(self, fetcher: Fetcher, host: str, port: int, *, is_encrypted: bool) -> None:
        self._fetcher = fetcher
        self._is_encrypted = is_encrypted
        super().__init__(host, port, timeout=fetcher.timeout)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        plain = self._fetcher.connect(self.host, self.port, timeout=timeout)
        plain.settimeout(timeout)
        if not self._is_encrypted:
            return plain
        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)


def _uids(box: imaplib.IMAP4) -> list[bytes]:
    status, found = box.uid("SEARCH", "ALL")
    if status != "OK":
        raise ConnectorFault(_("The server does not list its messages."))
    return sorted((found[0] or b"").split(), key=int)


def _heads(box: imaplib.IMAP4, uids: list[bytes]) -> Iterator[tuple[bytes, int, EmailMessage]]:
    """Yield number, size and head of messages. Raises ConnectorFault."""
    asked = b",".join(uids).decode()
    wanted = f"(UID RFC822.SIZE BODY.PEEK[HEADER.FIELDS ({_FIELDS})])"
    status, parts = box.uid("FETCH", asked, wanted)
    if status != "OK":
        raise ConnectorFault(_("The server does not list its messages."))
    for each in parts:
        if not isinstance(each, tuple):
            continue
        uid, size = _UID.search(each[0]), _SIZE.search(each[0])
        if uid is None:
            continue
        head = message_from_bytes(each[1], policy=policy.default)
        yield uid[1], int(size[1]) if size else 0, head


def _key(head: EmailMessage) -> str:
    """Return the Message-ID, or for a message without one a hash of its other marks."""
    name = str(head.get("Message-ID", "")).strip()
    if name:
        return key_of(name)
    marks = "\n".join(str(head.get(each, "")) for each in ("Date", "From", "Subject"))
    return f"<{hashlib.sha256(marks.encode('utf-8', 'replace')).hexdigest()}>"


def _quoted(folder: str) -> str:
    """Return the name of a folder as IMAP wants it (RFC 3501, 5.1.3: modified UTF-7)."""
    coded = re.sub(
        r"[^\x20-\x7e]+",
        lambda found: "&" + _modified_base64(found[0]) + "-",
        folder.replace("&", "&-"),
    )
    return '"' + coded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _modified_base64(text: str) -> str:
    packed = base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=")
    return packed.replace("/", ",")
