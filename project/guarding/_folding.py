"""Text as rules compare it: without case, accents, tricks of letters, and unseen characters."""

import re
import unicodedata

from project.guarding._characters import cleaned

# Letters of other alphabets that look like Latin ones, in words that are Latin otherwise.
_TWINS = str.maketrans(
    "авеікмнорсстухѕјԁαερονιτυκɡıɑ",
    "abeikmhopcctyxsjdaepovitukgia",
)
_WORD = re.compile(r"[^\W_]+")
_LATIN = re.compile("[a-z]")
_TWIN = re.compile("[аеіорсухѕјԁвкмнтαερονιτυκɡıɑ]")
_SPELLED = re.compile(r"(?<!\w)\w([ .\-_*])(?:\w\1){3,}\w(?!\w)")
_JOINER = re.compile("[\u200c\u200d\u200e\u200f\u061c]")


def folded(text: str) -> str:
    """Return a text in small letters without accents; each line stays a line.

    Compatibility forms (full width, mathematical letters) become plain ones, letters of other
    alphabets inside Latin words their twins, and s p e l l e d words whole ones.
    """
    plain = _JOINER.sub("", cleaned(text).text)
    apart = unicodedata.normalize("NFKD", plain).casefold()
    bare = "".join(char for char in apart if not unicodedata.combining(char))
    if _TWIN.search(bare):
        bare = _WORD.sub(_latin, bare)
    return _SPELLED.sub(_joined, bare)


def folded_words(text: str) -> str:
    """Return the words of a text, folded, between single spaces, with one at each end."""
    return f" {' '.join(_WORD.findall(folded(text)))} "


def _latin(match: re.Match[str]) -> str:
    word = match[0]
    return word.translate(_TWINS) if _LATIN.search(word) and _TWIN.search(word) else word


def _joined(match: re.Match[str]) -> str:
    return re.sub(r"[ .\-_*]", "", match[0])
