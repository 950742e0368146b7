"""Reading mailboxes: each message once, whatever numbers it has, and nothing is changed there."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from knowledge.connectors import ConnectorFault
from tests.support.connecting import Memory, looked, made
from tests.support.mail_server import PASSWORD, USER, MailServer


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    settings.ACERVO_FETCH_ALLOW = ["127.0.0.1"]
    with MailServer() as running:
        running.put("INBOX", 3, "The tides", "They turn twice a day.", "tides")
        running.put("INBOX", 7, "The moon", "It pulls the sea.", "moon")
        yield running


def mailbox(server: MailServer, secret: str = PASSWORD, **values: Any) -> Any:
    wanted = {
        "host": "127.0.0.1", "port": server.port, "user": USER, "is_encrypted": False, **values,
    }  # fmt: skip
    return made("imap", secret=secret, **wanted)


def test_each_message_is_fetched_once(server: MailServer) -> None:
    reader, memory = mailbox(server), Memory()
    assert "2" in reader.probe()
    names = {"<tides@example.org>", "<moon@example.org>"}
    assert looked(reader, memory) == dict.fromkeys(names, "new")
    item = memory.items["<tides@example.org>"]
    assert b"They turn twice a day." in bytes.fromhex(item.sha256)
    assert item.modified is not None
    server.box.commands.clear()
    assert looked(reader, memory) == dict.fromkeys(names, "same")
    assert not [each for each in server.box.commands if "BODY.PEEK[])" in each]


def test_new_numbers_make_no_new_messages(server: MailServer) -> None:
    reader, memory = mailbox(server), Memory()
    looked(reader, memory)
    inbox = server.box.folders["INBOX"]
    server.box.folders["INBOX"] = {number + 100: each for number, each in inbox.items()}
    server.put("INBOX", 200, "The tides", "They turn twice a day.", "tides")  # a copy
    server.put("INBOX", 201, "Without a name", "Text.")
    assert sorted(looked(reader, memory).values()) == ["new", "same", "same"]
    del server.box.folders["INBOX"][107]
    assert len(looked(reader, memory)) == 2


def test_only_the_newest_are_read_and_older_ones_are_not_gone(server: MailServer) -> None:
    memory = Memory()
    looked(mailbox(server), memory)
    server.put("INBOX", 9, "The wind", "It blows.", "wind")
    found = looked(mailbox(server, newest=1), memory)
    assert found["<wind@example.org>"] == "new"
    assert list(found.values()).count("same") == 2


def test_folders_have_any_name(server: MailServer) -> None:
    server.put('Mar&AOkA6Q- "alta"', 1, "Tide", "High.", "high")
    assert len(looked(mailbox(server, folder='Maréé "alta"'), Memory())) == 1
    with pytest.raises(ConnectorFault) as refused:
        mailbox(server, folder="None").probe()
    assert refused.value.field == "folder"


def test_a_wrong_password_is_told_and_not_shown(server: MailServer) -> None:
    with pytest.raises(ConnectorFault) as refused:
        mailbox(server, secret="wrong-word").probe()
    assert refused.value.is_lasting
    assert "wrong-word" not in refused.value.message


def test_a_password_is_not_sent_in_the_clear(server: MailServer, settings: Settings) -> None:
    settings.ACERVO_FETCH_ALLOW = []
    with pytest.raises(ConnectorFault):
        mailbox(server).probe()
    assert not [each for each in server.box.commands if "LOGIN" in each.upper()]


def test_servers_inside_are_refused() -> None:
    for host in ("10.0.0.1", "169.254.169.254", "[::1]", "::ffff:10.0.0.1"):
        with pytest.raises(ConnectorFault) as refused:
            made("imap", host=host, user=USER, secret="x").probe()
        assert refused.value.is_lasting
