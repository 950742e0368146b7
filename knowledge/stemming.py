"""Stems of folded words, in every language that Snowball knows.

Words come without accents, whoever typed them, so that a word and its hurried spelling have the
same stem. Where a stemmer tells an ending by its accents, they are put back first.
"""

import functools
import re
from typing import Any

from knowledge.folding import fold

STEMMERS = {
    "en": "english",
    "pt": "portuguese",
    "es": "spanish",
    "fr": "french",
    "de": "german",
    "it": "italian",
    "nl": "dutch",
    "ca": "catalan",
    "ro": "romanian",
    "sv": "swedish",
    "da": "danish",
    "no": "norwegian",
    "fi": "finnish",
    "hu": "hungarian",
    "tr": "turkish",
    "ru": "russian",
    "sr": "serbian",
    "el": "greek",
    "ar": "arabic",
    "hi": "hindi",
    "ne": "nepali",
    "ta": "tamil",
    "id": "indonesian",
    "hy": "armenian",
    "lt": "lithuanian",
    "et": "estonian",
    "eu": "basque",
    "ga": "irish",
    "yi": "yiddish",
    "pl": "polish",
    "cs": "czech",
    "fa": "persian",
    "eo": "esperanto",
}
"""Languages by the base of their code, and their stemmers."""
CODES = {base: base for base in STEMMERS} | {
    "nb": "no",
    "nn": "no",
    "hr": "sr",
    "bs": "sr",
    "in": "id",
}
"""Bases of codes, and the language whose stemmer they have."""

OTHER = "other"
"""Any language without a stemmer: its words are only folded."""

# Endings without their accents → with the accents that the stemmer looks for; of Portuguese also
# the number in which it looks for them. Plurals of Portuguese after Orengo and Huyck, "A stemming
# algorithm for the Portuguese language" (2001).
_ENDINGS = {
    "pt": (
        (r"(?<=[aiu])c(?:ao|oes)\Z", "ção"),
        (r"(?<=\w\w)(?:oes|aos)\Z", "ão"),
        (r"(?<=\w\w\w)ao\Z", "ão"),
        (r"(?<=\w\w)aveis\Z", "ável"),
        (r"(?<=\w\w)iveis\Z", "ível"),
        (r"(?<=\w\w)avel\Z", "ável"),
        (r"(?<=\w\w)ivel\Z", "ível"),
        (r"(?<=\w\w)ais\Z", "al"),
        (r"(?<=\w\w\w)eis\Z", "el"),
        (r"(?<=\w\w)encias?\Z", "ência"),
        (r"(?<=\w\w)ancias?\Z", "ância"),
        (r"(?<=\w)ns\Z", "m"),
        (r"(?<=\w\w)aria\Z", "ária"),
    ),
    "fr": ((r"(?<=\w\w)ee(s?)\Z", r"ée\1"), (r"(?<=\w\w)iere(s?)\Z", r"ière\1")),
    "ca": ((r"(?<=[cgsx])io\Z", "ió"), (r"(?<=\w\w)ables\Z", "able")),
    "nl": ((r"(?<=\w)([ei])een\Z", r"\1eën"),),
    "ro": (
        (r"(?<=\w\w)ti(e|i|ei|ilor)\Z", r"ți\1"),
        (r"(?<=\w\w)easca\Z", "ească"),
    ),
    "hu": (
        (r"(?<=\w\w)([tbr])ol\Z", r"\1ól"),
        (r"(?<=\w\w)nal\Z", "nál"),
        (r"(?<=\w\w)nel\Z", "nél"),
        (r"(?<=\w\w)kent\Z", "ként"),
    ),
    "lt": ((r"(?<=\w\w)ci(ai|o|u|ams|us)\Z", r"či\1"),),
}
_PATTERNS = {
    base: tuple((re.compile(pattern), becomes) for pattern, becomes in endings)
    for base, endings in _ENDINGS.items()
}


def analysed_as(language: str) -> str:
    """Return the language whose stemmer and function words a code has, or ``other``."""
    return CODES.get(language.partition("-")[0].lower(), OTHER)


def stem(folded: str, base: str) -> str:
    """Return the stem of a folded word; without a stemmer for the language, the word itself."""
    if base not in STEMMERS:
        return folded
    word = folded
    for ending, becomes in _PATTERNS.get(base, ()):
        word, changed = ending.subn(becomes, word)
        if changed:
            break
    return fold(str(_stemmer(base).stemWord(word))) or folded


@functools.cache
def _stemmer(base: str) -> Any:
    import Stemmer

    return Stemmer.Stemmer(STEMMERS[base], 0)
