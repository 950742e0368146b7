"""What a search says of the words that stood in for misspelled ones."""

from __future__ import annotations

from collections.abc import Iterable

from knowledge.analysis import fold, term_of
from knowledge.folding import PART
from knowledge.retrieval._found import Found
from knowledge.retrieval._showing import Shown
from knowledge.spelling import LONGEST, distance
from knowledge.types import Correction


def corrections(found: Found, rows: Iterable[Shown]) -> tuple[Correction, ...]:
    """Return the typed words with what results were found by in their place.

    A word is told as a result has it, in the form there that is nearest to what was typed: what no
    result has is not told, so that nothing shows of a text that the reader may not see.
    """
    if not found.nears or not found.question.candidates:
        return ()
    wanted = {near.term for nears in found.nears.values() for near in nears}
    spelled: dict[str, dict[str, str]] = {}
    for row in rows:
        for part in PART.findall(" ".join([row.title, *row.heading_path, row.text])):
            word = fold(part)
            if (term := term_of(word, row.language)) in wanted:
                spelled.setdefault(term, {}).setdefault(word, part)
    told = []
    for typed, nears in found.nears.items():
        used = {
            near.term: held[min(held, key=lambda word: distance(typed, word, LONGEST))]
            for near in nears
            if (held := spelled.get(near.term))
        }
        if used:
            told.append(Correction(typed, tuple(dict.fromkeys(used.values()))))
    return tuple(told)
