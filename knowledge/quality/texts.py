"""A text as the checks for duplicates compare it: normalised, in shingles, as a signature."""

from __future__ import annotations

import hashlib
import re

from knowledge.analysis import fold

SHINGLE = 4  # words
BANDS, ROWS = 26, 3
"""Of the signatures: two texts whose Jaccard index is j share a band with 1 - (1 - j³)²⁶."""

_WORD = re.compile(r"[^\W_]+")
_TARGET = re.compile(r"\]\([^()\n]*\)")


def normalised(text: str) -> str:
    """Return the words of a Markdown text in small letters without accents, one space apart.

    Markup is no word; the targets of links are left out. Without a parser: it costs a second a
    megabyte.
    """
    return " ".join(_WORD.findall(fold(_TARGET.sub("]", text))))


def hash_of(words: str) -> str:
    """Return the SHA-256 of a normalised text in hexadecimal; empty for a text without words."""
    return hashlib.sha256(words.encode()).hexdigest() if words else ""


def shingles(text: str) -> frozenset[int]:
    """Return the 8-byte hashes of every four words in a row of a normalised text."""
    words = text.split()
    if len(words) < SHINGLE:
        return frozenset()
    rows = (" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))
    return frozenset(
        int.from_bytes(hashlib.blake2b(row.encode(), digest_size=8).digest(), "big") for row in rows
    )


def jaccard(left: frozenset[int], right: frozenset[int]) -> float:
    """Return the share of two sets that both hold, 0 for empty ones."""
    return len(left & right) / len(left | right) if left and right else 0.0


def bands(marks: frozenset[int]) -> list[int]:
    """Return the signature of a set of shingles for finding similar sets: one number a band.

    MinHash after A. Z. Broder, "On the resemblance and containment of documents" (1997), in bands
    after Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets" (2014), section 3.4. Numbers
    are signed 64-bit and differ by band, so that overlap of two lists means a shared band.
    """
    if not marks:
        return []
    import numpy as np

    values = np.fromiter(marks, dtype=np.uint64, count=len(marks))
    random = np.random.default_rng(20261120)  # the same for ever: signatures are stored
    factors = random.integers(1, 2**63, size=BANDS * ROWS, dtype=np.uint64) | np.uint64(1)
    offsets = random.integers(0, 2**63, size=BANDS * ROWS, dtype=np.uint64)
    with np.errstate(over="ignore"):
        lowest = [
            int(((values * factor + offset) >> np.uint64(16)).min())
            for factor, offset in zip(factors, offsets, strict=True)
        ]
    signature = []
    for band in range(BANDS):
        part = ",".join(map(str, (band, *lowest[band * ROWS : (band + 1) * ROWS])))
        digest = hashlib.blake2b(part.encode(), digest_size=8).digest()
        signature.append(int.from_bytes(digest, "big", signed=True))
    return signature
