"""What reads files is a process that can be killed, and may do little."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.parsing import ParsedDocument, ParsingError, _forking, parse_file
from knowledge.parsing.apart import Apart, ParseBounds, ParserGone
from tests.support.files import make_docx, make_eml, make_pdf, make_zip

BOUNDS = ParseBounds()
SLOW = b"<p>" + b"<b><i>word</i> <a href='https://example.org'>link</a></b> " * 150_000
DEEP = b"<html><body>" + b"<div>" * 40_000 + b"x" * 1_000_000


def apart(path: Path, data: bytes, name: str, **more: object) -> Apart:
    path = path / "file"
    path.write_bytes(data)
    return Apart(path, filename=name, **more)  # type: ignore[arg-type]


def documents(reading: Apart, kept: Path) -> list[ParsedDocument]:
    with reading:
        pages = list(reading.pages())
        kept.write_text("".join(json.dumps(page.to_json()) + "\n" for page in pages))
        return reading.documents(kept)


def child_of_server() -> int | None:
    """The process that reads a file now, if there is one."""
    server = _forking._servers[0].pid if _forking._servers else 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == server and fields[0] != "Z":
                    return int(entry.name)
    return None


def reader_wait(*, there: bool) -> int:
    """Wait until a process reads a file, or until none does any more."""
    for _ in range(400):
        pid = child_of_server()
        if (pid is not None) == there:
            return pid or 0
        time.sleep(0.025)
    raise AssertionError("no reader came" if there else "the reader lives on")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (make_pdf([["# Ferry", "It leaves at nine."], ["It comes at ten."]]), "a.pdf"),
        (make_docx(["# Ferry", [["a", "b"], ["1", "2"]]]), "a.docx"),
        (make_zip({"a.md": "# A\n\nThe text.", "b.eml": make_eml("S", "B")}), "a.zip"),
    ],
)
def test_it_gives_what_parsing_here_gives(tmp_path: Path, data: bytes, name: str) -> None:
    found = documents(apart(tmp_path, data, name), tmp_path / "pages")
    here = parse_file(data, filename=name)
    assert [replace(each, language="") for each in found] == [
        replace(each, language="") for each in here
    ]


def test_refusals_come_in_the_language_of_whoever_asked(tmp_path: Path) -> None:
    with pytest.raises(ParsingError) as raised:
        documents(apart(tmp_path, b"MZ\x90\0", "a.exe", language="pt-br"), tmp_path / "pages")
    assert raised.value.code == "unsupported_type"
    assert "podem ser lidos" in raised.value.message or "não" in raised.value.message


def test_a_full_memory_is_a_readable_failure_and_the_next_file_is_read(tmp_path: Path) -> None:
    small = replace(BOUNDS, memory=140 * 2**20)
    with pytest.raises(ParsingError) as raised:
        documents(apart(tmp_path, SLOW, "a.html", bounds=small), tmp_path / "pages")
    assert raised.value.code == "memory"
    assert "140 MB" in raised.value.message
    (next_one,) = documents(apart(tmp_path, b"Fine.", "a.txt"), tmp_path / "pages")
    assert next_one.markdown == "Fine.\n"


def test_a_page_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    hasty = replace(BOUNDS, page_seconds=0.3)
    with pytest.raises(ParsingError) as raised:
        documents(apart(tmp_path, SLOW, "a.html", bounds=hasty), tmp_path / "pages")
    assert raised.value.code == "timeout"
    reader_wait(there=False)


def in_thread(reading: Apart, outcome: list[object]) -> threading.Thread:
    def read() -> None:
        try:
            with reading:
                outcome.extend(reading.pages())
        except Exception as error:  # noqa: BLE001 - the test looks at it
            outcome.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


@pytest.fixture
def slow_reading(tmp_path: Path) -> Iterator[tuple[list[object], int, threading.Thread]]:
    """A file that is being read, by a process that is known."""
    documents(apart(tmp_path, b"Start the server.", "a.txt"), tmp_path / "pages")
    reader_wait(there=False)
    outcome: list[object] = []
    thread = in_thread(apart(tmp_path, SLOW, "a.html"), outcome)
    pid = reader_wait(there=True)
    yield outcome, pid, thread
    thread.join(10)


def test_a_crash_is_a_readable_failure(
    slow_reading: tuple[list[object], int, threading.Thread],
) -> None:
    outcome, pid, thread = slow_reading
    os.kill(pid, signal.SIGSEGV)
    thread.join(10)
    (error,) = outcome
    assert isinstance(error, ParsingError)
    assert (error.code, "SIGSEGV" in error.message) == ("crashed", True)


def test_it_holds_no_secret_and_reaches_no_network(
    slow_reading: tuple[list[object], int, threading.Thread],
) -> None:
    _outcome, pid, thread = slow_reading
    server = _forking._servers[0].pid
    for each in (pid, server):
        environment = Path(f"/proc/{each}/environ").read_bytes()
        names = {pair.partition(b"=")[0].decode() for pair in environment.split(b"\0") if pair}
        assert names <= set(_forking.KEPT)
    status = Path(f"/proc/{pid}/status").read_text()
    assert "\nNoNewPrivs:\t1\n" in status
    assert "\nSeccomp:\t2\n" in status  # a filter
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert f" {BOUNDS.memory} " in limits
    os.kill(pid, signal.SIGKILL)
    thread.join(10)


def test_a_worker_that_dies_takes_the_process_along(
    slow_reading: tuple[list[object], int, threading.Thread],
) -> None:
    outcome, _pid, thread = slow_reading
    _forking._servers[0]._control.shutdown(2)  # as the kernel does for a dead worker
    thread.join(10)
    assert isinstance(outcome[0], ParserGone)
    reader_wait(there=False)


def test_letting_go_kills_it_within_a_second(tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    began = []

    def check() -> None:
        if not began:
            began.append(time.monotonic())
        raise Cancelled

    with pytest.raises(Cancelled), apart(tmp_path, SLOW, "a.html") as reading:
        list(reading.pages(waiting=check))
    reader_wait(there=False)
    assert time.monotonic() - began[0] < 10  # a second, on a machine that is not this busy


def test_one_poisoned_document_leaves_the_others_of_an_archive(tmp_path: Path) -> None:
    small = replace(BOUNDS, memory=140 * 2**20)
    data = make_zip({"a.md": "The first.", "b.html": SLOW, "c.md": "The last."})
    whole, *found = documents(apart(tmp_path, data, "a.zip", bounds=small), tmp_path / "pages")
    assert [each.entry for each in found] == ["a.md", "c.md"]
    assert whole.warnings[0].startswith("b.html: Reading the file takes more than 140 MB")
