"""A small real IMAP server: signing in, opening a folder for reading, and fetching from it."""

import email
import re
import socketserver
import threading
from dataclasses import dataclass, field

USER, PASSWORD = "ann@example.org", 'word "quoted"'


@dataclass
class Mailbox:
    """What is in the server's folders: messages by number."""

    folders: dict[str, dict[int, bytes]] = field(default_factory=lambda: {"INBOX": {}})
    commands: list[str] = field(default_factory=list)
    offers_encryption: bool = False


class MailServer:
    """`with MailServer() as server: server.put("INBOX", 1, message)`."""

    def __init__(self) -> None:
        self.box = Mailbox()
        box = self.box

        class Session(_Session):
            mailbox = box

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> "MailServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, folder: str, number: int, subject: str, text: str, name: str = "") -> None:
        identity = f"Message-ID: <{name}@example.org>\r\n" if name else ""
        self.box.folders.setdefault(folder, {})[number] = (
            f"{identity}Subject: {subject}\r\nFrom: ann@example.org\r\n"
            "Date: Tue, 03 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        ).encode()


class _Session(socketserver.StreamRequestHandler):
    """One connection, after RFC 3501."""

    mailbox: Mailbox
    opened: str | None = None
    is_signed_in = False

    def handle(self) -> None:
        self._say(b"* OK ready")
        while line := self.rfile.readline():
            tag, _space, rest = line.decode().rstrip("\r\n").partition(" ")
            command, _space, words = rest.partition(" ")
            self.mailbox.commands.append(rest)
            if command.upper() == "LOGOUT":
                self._say(b"* BYE now", f"{tag} OK done".encode())
                return
            answer = getattr(self, f"_{command.lower()}", lambda _words: "BAD unknown")(words)
            self._say(f"{tag} {answer}".encode())

    def _capability(self, _words: str) -> str:
        more = " STARTTLS" if self.mailbox.offers_encryption else ""
        self._say(f"* CAPABILITY IMAP4rev1{more}".encode())
        return "OK done"

    def _login(self, words: str) -> str:
        user, _space, secret = words.partition(" ")
        if secret.startswith('"'):
            secret = re.sub(r"\\(.)", r"\1", secret[1:-1])
        self.is_signed_in = (user.strip('"'), secret) == (USER, PASSWORD)
        return "OK done" if self.is_signed_in else "NO refused"

    def _examine(self, words: str) -> str:
        self.opened = re.sub(r"\\(.)", r"\1", words[1:-1])
        if not self.is_signed_in or self.opened not in self.mailbox.folders:
            return "NO no such folder"
        self._say(f"* {len(self.mailbox.folders[self.opened])} EXISTS".encode())
        return "OK [READ-ONLY] done"

    def _uid(self, words: str) -> str:
        assert self.opened is not None
        folder = self.mailbox.folders[self.opened]
        command, _space, rest = words.partition(" ")
        if command == "SEARCH":
            self._say(("* SEARCH " + " ".join(map(str, folder))).encode())
            return "OK done"
        numbers, _space, parts = rest.partition(" ")
        for number in map(int, numbers.split(",")):
            if number in folder:
                self._fetch(number, folder[number], parts)
        return "OK done"

    def _fetch(self, number: int, message: bytes, parts: str) -> None:
        assert "PEEK" in parts, "it would be marked as seen"
        data, what = message, "BODY[]"
        if "HEADER.FIELDS" in parts:
            wanted = parts[parts.index("(", parts.index("FIELDS")) + 1 :].split(")")[0]
            head = email.message_from_bytes(message)
            lines = [f"{name}: {head[name]}" for name in wanted.split() if head[name]]
            data, what = "\r\n".join([*lines, "", ""]).encode(), f"BODY[HEADER.FIELDS ({wanted})]"
        facts = f"UID {number} RFC822.SIZE {len(message)} {what} {{{len(data)}}}"
        self.wfile.write(f"* {number} FETCH ({facts}\r\n".encode() + data + b")\r\n")

    def _say(self, *lines: bytes) -> None:
        for line in lines:
            self.wfile.write(line + b"\r\n")
