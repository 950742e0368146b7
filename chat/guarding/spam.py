"""Signs that a message is noise. None of them refuses anything: noise is only slowed down."""

import math
import re
from collections import Counter

_RUN = re.compile(r"(\S)\1{14,}|(\S{2,6}?)\2{9,}")
_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{5,}")
_VOWEL = re.compile(r"[aeiouyàáâãäåèéêëìíîïòóôõöùúûü]", re.IGNORECASE)
_LATIN = re.compile(r"[a-zà-ÿ]", re.IGNORECASE)
MOST_LINKS = 4
LEAST_ENTROPY = 2.0  # bits a character; prose has about four


def spam_signs(text: str) -> tuple[str, ...]:
    """Return what about a message looks like noise: its runs, its links, its letters."""
    signs = []
    if _RUN.search(text) or _is_monotonous(text):
        signs.append("repeated_characters")
    links = _LINK.findall(text)
    if len(links) > MOST_LINKS or (len(links) > 1 and len("".join(links)) > 0.8 * len(text)):
        signs.append("links")
    if _is_gibberish(_LINK.sub(" ", text)):
        signs.append("gibberish")
    return tuple(signs)


def _is_monotonous(text: str) -> bool:
    """Whether a longer text is made of hardly any characters (Shannon's entropy)."""
    letters = [char for char in text.casefold() if not char.isspace()]
    if len(letters) < 60:
        return False
    counts = Counter(letters).values()
    return -sum(n / len(letters) * math.log2(n / len(letters)) for n in counts) < LEAST_ENTROPY


def _is_gibberish(text: str) -> bool:
    """Whether most longer words are none of any Latin-written language: hands on a keyboard.

    Such words have hardly a vowel, or many consonants in a row.
    """
    words = [word for word in _WORD.findall(text) if _LATIN.search(word)]
    if len(words) < 3:
        return len(words) == 1 and len(words[0]) > 30 and " " not in text.strip()
    odd = sum(_is_odd(word) for word in words)
    return odd > 0.6 * len(words)


def _is_odd(word: str) -> bool:
    if word.isupper():  # abbreviations
        return False
    share = len(_VOWEL.findall(word)) / len(word)
    run = max(len(part) for part in _VOWEL.split(word))
    return share < 0.15 or run >= 6
