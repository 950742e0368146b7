"""Which language a text is written in: English, Brazilian Portuguese, or another.

Short texts (questions, titles) are decided by their function words: a statistical model guesses
badly on a dozen letters. Longer ones, and those without known words, go to py3langid.
The same text always gives the same answer. Portuguese of any country is called ``pt-br``.
"""

import re
from typing import Literal

Language = Literal["en", "pt-br", "other"]

_LETTERS = re.compile(r"[^\W\d_]+")
_SAMPLE = 4_000  # characters read of a long text, from three places
_SHORT = 12  # words: below this the function words are asked first
_FEWEST_LETTERS = 3


def _words(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_ENGLISH = _words(
    "the of and to in is are was were be been for on with at by from this that these those it its",
    "what how when where who which why can could do does did should would will may must have has",
    "had i you he she we they my your our their not if or an there many much long about",
)
_PORTUGUESE = _words(
    "o os um uma de do da dos das e em no na nos nas para por pelo pela com sem que qual quais",
    "quem quando onde como porque é são foi ser está estão tem têm ter há não sim se ou mas",
    "mais eu você ele ela nós eles elas meu minha seu sua nosso nossa isso este esta esse essa ao",
    "aos à às até sobre entre posso pode podem devo deve quanto quantos quantas preciso faço fazer",
    "existe já também",
)
_SPANISH = _words(
    "el los las y en con una del al por qué cuál cuándo dónde cómo es está están no se lo su sus",
    "hay puedo puede yo usted ella nosotros ellos pero muy más también según desde hasta",
)
_FRENCH = _words(
    "le la les des du et est une dans pour avec sur que qui quel quelle comment où je vous nous",
    "il elle ils ne pas au aux ce cette son ses leur être avoir",
)
_GERMAN = _words(
    "der die das und ist ein eine nicht mit von zu im den dem für auf wie was wann wo wer ich sie",
    "wir es auch bei nach aus kann wird sind",
)
_STOP_WORDS: dict[str, frozenset[str]] = {
    "en": _ENGLISH,
    "pt": _PORTUGUESE,
    "es": _SPANISH,
    "fr": _FRENCH,
    "de": _GERMAN,
}
_NAMES: dict[str, Language] = {"en": "en", "pt": "pt-br"}


def detect_language(text: str, *, default: Language = "other") -> Language:
    """The language of ``text``; ``default`` where it has too few letters to tell."""
    words = [word.lower() for word in _LETTERS.findall(_sample(text))]
    if sum(map(len, words)) < _FEWEST_LETTERS:
        return default
    scores = {code: sum(word in stop for word in words) for code, stop in _STOP_WORDS.items()}
    best = max(scores, key=lambda code: scores[code])
    others = max(score for code, score in scores.items() if code != best)
    is_clear = scores[best] > others if len(words) < _SHORT else scores[best] >= 2 * others + 2
    return _NAMES.get(best if is_clear else _classify(text), "other")


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
