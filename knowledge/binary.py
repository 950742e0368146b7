"""Rows of the index in PostgreSQL's binary form, for COPY: several times faster than as text.

Layouts after `vector_recv`, `sparsevec_recv` (pgvector) and `tsvectorrecv` (PostgreSQL).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from knowledge.types import TERM_SPACE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


_EIGHT_DIGITS = "%.8g,"


def vector_pack(vector: npt.NDArray[np.float32]) -> bytes:
    """Return a `vector`."""
    return struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes()


def vector_unpack(packed: bytes) -> npt.NDArray[np.float32]:
    """Return the numbers of a `vector` as `vector_send` gives it."""
    import numpy as np

    return np.frombuffer(packed, dtype=">f4", offset=4).astype(np.float32)


def vectors_unpack(packed: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """Return the numbers of some `vector` of equal length, a row each; at least one."""
    import numpy as np

    rows = np.frombuffer(b"".join(packed), dtype=">f4").reshape(len(packed), -1)
    return rows[:, 1:].astype(np.float32)


def vector_text(vector: npt.NDArray[np.float32]) -> str:
    """Return a `vector` as text, for a query."""
    return f"[{_EIGHT_DIGITS * (len(vector) - 1)}%.8g]" % tuple(vector.tolist())


def sparse_pack(weights: Mapping[int, float]) -> bytes:
    """Return a `sparsevec` of TERM_SPACE dimensions; dimensions are numbered from 0."""
    import numpy as np

    keys = sorted(weights)
    values = np.fromiter((weights[key] for key in keys), dtype=">f4", count=len(keys))
    head = struct.pack(">iii", TERM_SPACE, len(keys), 0)
    return head + np.asarray(keys, dtype=">i4").tobytes() + values.tobytes()


def sparse_text(weights: Mapping[int, float]) -> str:
    """Return a `sparsevec` as text, for a query; the text form numbers dimensions from 1."""
    inside = ",".join(f"{key + 1}:{weights[key]:.8g}" for key in sorted(weights))
    return f"{{{inside}}}/{TERM_SPACE}"


def lexemes_pack(lexemes: Iterable[str]) -> bytes:
    """Return a `tsvector` of different lexemes without positions."""
    encoded = sorted(lexeme.encode() for lexeme in lexemes)
    body = b"".join(lexeme + b"\0\0\0" for lexeme in encoded)
    return struct.pack(">i", len(encoded)) + body


def sequence_pack(*parts: Iterable[int]) -> bytes:
    """Return the numbers of words in order, parts divided by a 0, as 4-byte numbers."""
    import numpy as np

    numbers: list[int] = []
    for part in parts:
        numbers.extend(part)
        numbers.append(0)
    return np.asarray(numbers[:-1], dtype="<u4").tobytes()


def sequence_unpack(packed: bytes) -> npt.NDArray[np.uint32]:
    """Return the numbers of `sequence_pack`."""
    import numpy as np

    return np.frombuffer(packed, dtype="<u4")
