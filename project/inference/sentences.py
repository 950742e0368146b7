"""Finds sentences in English and Portuguese prose. Pure, no model."""

import re
from collections.abc import Iterator

# A full stop after these ends no sentence, whatever follows.
_NEVER_LAST_WORDS = """
    mr mrs ms dr prof rev hon st mt no nos fig figs vol vols sec ch eq approx dept ext tel vs cf eg
    ie e.g i.e al ed eds pp p incl excl est max min temp gen col capt lt sgt gov sen rep pres
    sr sra srs sras srta dra drs profa exmo exma av pça nº n art arts par pág págs pag pags
    ex obs cap aprox máx mín end ref apto bl proc res des eng
    jan feb mar apr jun jul aug sep sept oct nov dec fev abr mai ago set out dez
"""
_NEVER_LAST = frozenset(_NEVER_LAST_WORDS.split())
# A full stop after these ends a sentence only before a capital letter.
_SOMETIMES_LAST = frozenset(
    [
        "etc",
        "inc",
        "ltd",
        "ltda",
        "co",
        "corp",
        "jr",
        "a.m",
        "p.m",
        "am",
        "pm",
        "s.a",
        "cia",
        "u.s",
        "h",
    ]
)
LONGEST_WORD = 24
_STOP = re.compile(r"([.!?…]+)([\"'”’»)\]*_]*)(\s+|$)")
_BEFORE = re.compile(r"([\w.ºª]+)$")
_OPENERS = "\"'“‘«([*_`¿¡—–-"


def sentence_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each sentence in a paragraph, without the space around it."""
    start = 0
    for match in _STOP.finditer(text):
        if match.end() < len(text) and not _ends_sentence(text, match):
            continue
        yield from _trimmed(text, start, match.end(2))
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    following = text[match.end() :].lstrip(_OPENERS)[:1]
    if match[1] != ".":
        return not following.islower()
    before = _BEFORE.search(text[max(0, match.start() - LONGEST_WORD) : match.start()])
    word = before[1].lower().rstrip(".") if before else ""
    if word in _NEVER_LAST:
        return False
    if before and len(before[1]) == 1 and before[1].isalpha() and before[1].isupper():
        return False  # an initial
    if word in _SOMETIMES_LAST:
        return following.isupper()
    return not following.islower()


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    begin = start + len(piece) - len(piece.lstrip())
    finish = start + len(piece.rstrip())
    if begin < finish:
        yield begin, finish
