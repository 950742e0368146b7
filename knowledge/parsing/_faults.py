"""One way out of the parsers: what a library raises over a bad file is a refusal with a reason.

The list names what parsers of hostile bytes raise. ``Exception`` would not do: a worker's time
limit and a full memory are exceptions too, and say nothing about the file.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from xml.parsers.expat import ExpatError

from knowledge.parsing._speech import gettext as _
from knowledge.parsing.types import UnreadableDocument

_FAULTS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ExpatError,
    LookupError,
    NotImplementedError,
    OSError,
    RecursionError,
    SyntaxError,  # lxml's syntax errors are one
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def readable(*library_faults: type[Exception]) -> Iterator[None]:
    """Turn the faults of a parser, and ``library_faults``, into ``UnreadableDocument``."""
    try:
        yield
    except (*_FAULTS, *library_faults) as fault:
        raise broken() from fault


def broken() -> UnreadableDocument:
    return UnreadableDocument("broken", _("The file is damaged or incomplete: it cannot be read."))


def empty() -> UnreadableDocument:
    return UnreadableDocument("empty", _("The file has no text."))
