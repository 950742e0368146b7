"""Which language a text is written in: one that has a stemmer, or another.

Short texts (questions, titles) are decided by their function words: a statistical model guesses
badly on a dozen letters. Longer ones, and those without known words, go to py3langid.
The same text always gives the same answer. Portuguese of any country is called ``pt-br``.
"""

import itertools
import re
from collections.abc import Iterable, Sequence

from knowledge.analysis import analysed_as, function_words, words
from knowledge.stemming import OTHER
from knowledge.stop_words import STOP_WORDS

Language = str
"""``en``, ``pt-br``, another key of `knowledge.stemming.STEMMERS`, or ``other``."""

_SAMPLE = 4_000  # characters read of a long text, from three places
_WORDS = 4_000  # words looked at of a node
_SHORT = 12  # words: below this only function words are trusted
_FEWEST_LETTERS = 3
_EVIDENCE = 8  # function words of another language, before a declared one is doubted
_DIFFERENT = 3  # different ones that are enough where the declared language has none
_SENTENCE = 8  # words: two are enough from here on, as longer than a name,
_DENSE = 3  # where every third word or more is one of the other language's
_NAMES = {"pt": "pt-br"}

_CODE = re.compile(r"([a-z]{2,3})(-[a-z0-9]{2,8})*")
_ISO_639_1 = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy "
    "da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu "
    "hy hz ia id ie ig ii ik in io is it iu iw ja ji jv ka kg ki kj kk kl km kn ko kr ks ku kv kw "
    "ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mo mr ms mt my na nb nd ne ng nl nn no nr nv "
    "ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr "
    "ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo "
    "za zh zu"
)
_TWO_LETTERS = frozenset(_ISO_639_1.split())
"""The codes of ISO 639-1, and those that it had."""


def is_language(code: str) -> bool:
    """Return whether something may be the code of a language: ``en``, ``pt-br``, ``gsw``.

    Three letters are taken on trust: there are thousands of such codes.
    """
    found = _CODE.fullmatch(code.lower())
    return code == OTHER or (found is not None and (len(found[1]) == 3 or found[1] in _TWO_LETTERS))


def detect_language(text: str, *, default: Language = OTHER) -> Language:
    """The language of ``text``; ``default`` where it has too few letters to tell."""
    found = [word for word in words(_sample(text)) if not word.isdigit()]
    if sum(map(len, found)) < _FEWEST_LETTERS:
        return default
    best, second = _best_two(found)
    is_short = len(found) < _SHORT
    if best[1] > second[1] if is_short else best[1] >= 2 * second[1] + 2:
        return _NAMES.get(best[0], best[0])
    guess = analysed_as(_classify(text))
    if is_short and guess not in {"en", "pt", best[0], second[0]}:
        return OTHER
    return _NAMES.get(guess, guess)


def language_of(declared: str, *texts: Sequence[str]) -> str:
    """Return the language to analyse folded words in: the declared one, unless they belie it.

    What nobody named has the language of its space, which may be wrong; a hundred words of English
    are never taken for Portuguese. Languages that share function words, such as Spanish and
    Portuguese, are told apart by those that they do not share.
    """
    folded = list(itertools.islice(itertools.chain.from_iterable(texts), _WORDS))
    likely, hits = _best_two(folded)[0]
    was = analysed_as(declared)
    if not hits or likely == was:
        return declared
    theirs, own = STOP_WORDS[likely], STOP_WORDS.get(was, frozenset())
    against = [word for word in folded if word in theirs and word not in own]
    pro = sum(word in own and word not in theirs for word in folded)
    if hits * 8 <= len(folded) or len(against) <= 3 * pro:
        return declared
    is_dense = hits * _DENSE >= len(folded) >= _SENTENCE
    enough = _DIFFERENT - 1 if is_dense else _DIFFERENT
    if len(against) >= _EVIDENCE or (not pro and len(set(against)) >= enough):
        return _NAMES.get(likely, likely)
    return declared


def _best_two(folded: Iterable[str]) -> list[tuple[str, int]]:
    """Return the two languages with most function words among the words, and how many."""
    hits = function_words(folded, STOP_WORDS)
    # Of as many, the one with more speakers: the table's order.
    ranked = sorted(filter(hits.__getitem__, STOP_WORDS), key=lambda code: -hits[code])
    return [*((code, hits[code]) for code in ranked[:2]), (OTHER, 0), (OTHER, 0)][:2]


def _sample(text: str) -> str:
    """The beginning, middle and end of a long text: a title page may be in another language."""
    if len(text) <= _SAMPLE:
        return text
    third, middle = _SAMPLE // 3, len(text) // 2
    return f"{text[:third]} {text[middle : middle + third]} {text[-third:]}"


def _classify(text: str) -> str:
    import py3langid

    code: str = py3langid.classify(_sample(text))[0]
    return code
