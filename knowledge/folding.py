"""Letters without what a keyboard, or a hurried typist, leaves out.

Accents, strokes, ligatures and vowel points go; what makes another letter stays: the breve of
the Cyrillic й, the vowel signs of the scripts of India, the voicing marks of kana.
"""

import re
import unicodedata

__all__ = ["PART", "UNSPACED", "WORD", "fold"]

# Signs that belong to the letter before them in scripts of South and Southeast Asia, where \w has
# no idea of them. The dandas, which end sentences, are left out.
_SIGNS = (
    "\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0980-\u0dff"
    "\u0e31\u0e34-\u0e4e\u0eb1-\u0ecd"
)
_LETTER = rf"(?:[^\W_]|[{_SIGNS}])"

# A word, with the joints that identifiers and numbers have inside them: PRO-104, 3,5, v1.2, a_b.
WORD = re.compile(rf"{_LETTER}+(?:[-._,/:'’+&]{_LETTER}+)*")
PART = re.compile(rf"{_LETTER}+")
# Han, kana, Hangul, Thai, Lao, Khmer and Burmese: pairs of characters stand for words.
UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)

_MARKS = re.compile(
    "(?<![ИиУу])\u0306|[\u0300-\u0305\u0307-\u036f]"  # accents, but й and ў
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"  # Hebrew points
    "|[\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06ed]"  # Arabic vowels, and tatweel
    "|[\u00ad\u200d]"  # soft hyphen, joiner
)
_PLAIN = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ı": "i",
        "ŋ": "n",
        "ŧ": "t",
        "ĸ": "k",
        "ʼ": "’",
    }
)
_STROKED = re.compile("[æœøłđðþħıŋŧĸʼ]")


def fold(text: str) -> str:
    """Return the text in small letters without accents."""
    if text.isascii():
        return text.lower()
    bare = _MARKS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    if bare.isascii():
        return bare
    if _STROKED.search(bare):
        bare = bare.translate(_PLAIN)
    return unicodedata.normalize("NFC", bare)
