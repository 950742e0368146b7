"""What the forked process does: read an order, give up what it does not need, parse, tell.

Orders and answers are JSON (``_frames``). Two kinds of order:

- ``pages``: each page of the file as it is read, ``entry`` before each document of a container,
  ``end`` after the last;
- ``assemble``: the file holds the pages, a JSON value a line; the documents, then ``end``.

A refusal is ``error`` with its code and message, in the order's language.
"""

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

from knowledge.parsing import _frames, parse_pages
from knowledge.parsing._assemble import assemble_file
from knowledge.parsing._faults import empty
from knowledge.parsing._sandbox import Bounds, confine
from knowledge.parsing._speech import speak
from knowledge.parsing._walk import Place, Walk, too_large
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits, Ocr, ParsedDocument, ParsingError, UnsupportedDocument


def work(handle: int, connection: socket.socket) -> int:
    """Work off one order; return the exit status. MemoryError and crashes are for the caller."""
    order = _frames.Frames(connection).take()
    if order is None:
        return 1
    speak(order["language"])
    folders = [os.path.dirname(os.path.dirname(order["ocr"]["program"]))] if order["ocr"] else []  # noqa: PTH120
    confine(Bounds(**order["bounds"]), [folder for folder in folders if folder != "/"])
    try:
        with open(handle, "rb") as file:
            answers = (
                _assembled(order, file) if order["assemble"] else _pages(order, file, connection)
            )
            for answer in answers:
                _frames.send(connection, answer)
    except ParsingError as error:
        kind = "unsupported" if isinstance(error, UnsupportedDocument) else "unreadable"
        fault = {"kind": kind, "code": error.code, "message": error.message}
        _frames.send(connection, {"error": fault})
    except (BrokenPipeError, ConnectionResetError):
        return 1  # nobody listens any more
    return 0


def _pages(order: dict[str, Any], file: BinaryIO, connection: socket.socket) -> Iterator[Any]:
    limits = Limits(**order["limits"])
    after = Place(**order["after"]) if order["after"] else None
    ocr = Ocr(**order["ocr"]) if order["ocr"] else None
    walk = Walk(limits, ocr, after, lambda entry: _frames.send(connection, {"entry": entry}))
    size = os.fstat(file.fileno()).st_size
    if size > limits.input_bytes:
        raise too_large(limits.input_bytes)
    data = file.read()
    if not data:
        raise empty()
    for page in parse_pages(
        data,
        filename=order["filename"],
        content_type=order["content_type"],
        limits=limits,
        walk=walk,
    ):
        yield {"page": page.to_json()}
    yield {"end": True}


def _assembled(order: dict[str, Any], file: BinaryIO) -> Iterator[Any]:
    records = (json.loads(line.decode("utf-8", "surrogatepass")) for line in file)
    pages = (RawPage.from_json(record) for record in records if "index" in record)
    limits = Limits(**order["limits"])
    documents = assemble_file(
        pages, filename=order["filename"], limits=limits, detect=lambda _text: "other"
    )
    for document in documents:
        yield {"document": document_json(document)}
    yield {"end": True}


def document_json(document: ParsedDocument) -> dict[str, Any]:
    """A document as JSON values; its language is told by the process that takes it."""
    return asdict(document)
