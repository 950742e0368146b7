"""Embeddings without a model: signed feature hashing of words and character n-grams.

Any language, no download, the same vectors on every machine. It sees shared words, word stems and
spelling, not meaning. Algorithm: Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning" (2009), with sublinear term weights.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KEY = "hashing-384"
DIMENSIONS = 384
NGRAM_WEIGHT = 0.7
STOP_WEIGHT = 0.15

_WORD = re.compile(r"\w+")
_STOP_WORDS = """
    a an and are as at be by can do does for from has have how i if in is it its my of on or that
    the their there this to was what when where which who will with you your
    ao aos as com como da das de do dos e em eu isso mais me meu minha na nas no nos num o os ou
    para pela pelo por qual quais quando que quem se sem ser seu sua suas um uma
"""
_STOP = frozenset(_STOP_WORDS.split())


def encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return one unit vector a text: float32 (n, 384)."""
    import numpy as np

    vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for row, text in enumerate(texts):
        for feature, weight in _features(text):
            code = zlib.crc32(feature.encode())
            vectors[row, code % DIMENSIONS] += weight if code & 0x8000_0000 else -weight
        length = float(np.linalg.norm(vectors[row]))
        if length == 0.0:
            # No words at all: a fixed direction, because cosine distance knows no zero vector.
            vectors[row, 0] = length = 1.0
        vectors[row] /= length
    return vectors


def fold(text: str) -> str:
    """Return the text in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word, count in Counter(_WORD.findall(fold(text))).items():
        weight = 1.0 + math.log(count)
        if word in _STOP:
            yield word, weight * STOP_WEIGHT
            continue
        yield word, weight
        marked = f"<{word}>"
        grams = [
            marked[start : start + size]
            for size in (3, 4, 5)
            for start in range(len(marked) - size + 1)
        ]
        for gram in grams:
            yield gram, weight * NGRAM_WEIGHT / math.sqrt(len(grams) / 4)
