"""What a sentence claims: its subject as words, its numbers, and whether it demands or denies.

Reads English and Portuguese by rules; other languages have numbers only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge.analysis import base_language, fold, term_of
from knowledge.quality import vocabulary as known
from knowledge.quality.sentences import Sentence

MONEY, PERCENT, TIME, DATE, YEAR = "money", "percent", "time", "date", "year"
CONTEXT = (DATE, YEAR)
"""What says when something holds: where it differs, other numbers may differ, too."""

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_CODE = re.compile(r"(?=[^\d]*\d)(?=[^a-z]*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*")
_YEAR = re.compile(r"(?<![\d.,/-])(?:19|20)\d\d(?![\d,/%-]|\.\d)")
_DIGITS = r"\d{1,3}(?:[.,\u00a0 ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?"
_MONTH = "|".join(sorted(known.MONTHS, key=len, reverse=True))
_LABEL = re.compile(r"([^\W\d_]{3,})[ :]*\Z")
_FREE = re.compile(
    r"\b(?:free of charge|for free|free|at no cost|gratis|gratuit[oa]s?|de graca|sem custo)\b"
)
_FREE_OF = re.compile(r"free(?= (?:from|of(?! charge)|to|hand|time|space|place|week))")
_PLACE = re.compile(
    rf"(?P<iso>\b\d{{4}}-\d\d-\d\d\b)"
    rf"|(?P<slashed>\b\d{{1,2}}/\d{{1,2}}/\d{{2,4}}\b)"
    rf"|(?P<day>\b\d{{1,2}})(?:st|nd|rd|th|º)?(?: of| de)? (?P<month>{_MONTH})\b"
    rf"|\b(?P<month2>{_MONTH}) (?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.]\d)"
    rf"|\b(?P<hour>\d{{1,2}})(?:[:h](?P<minute>[0-5]\d)|(?P<h>h)\b)(?: ?(?P<half>am|pm))?"
    rf"|\b(?P<hour2>\d{{1,2}}) ?(?P<half2>am|pm|a\.m|p\.m)\b"
    rf"|(?P<currency>r\$|us\$|\$|€|£|brl|usd|eur|gbp)\s?(?P<amount>{_DIGITS})"
    rf"|(?<![\w.,/-])(?P<number>{_DIGITS})(?![\d])(?=(?P<rest>\s?%|\s?°c|\s?[^\W\d_]+)?)"
    rf"|\b(?P<word>{'|'.join(known.NUMBER_WORDS)})\b(?=(?P<rest2>\s[^\W\d_]+)?)"
)


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its unit: minutes for times and spans, months, money, percent, a noun."""

    unit: str
    amount: float
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence as the check for contradictions compares it.

    `terms` are the stems of what it is about, `context` those of title, headings and table header,
    `title` those of the title that say its subject. `modality` is one of the vocabulary's, empty
    for none and for more than one. `names` are words with a number, such as "line 2", `sides` the
    words that name one of several kinds, by the row of the vocabulary. `years` stand in the
    context, `title_years` in the title.
    """

    sentence: Sentence
    language: str
    words: frozenset[str]
    terms: frozenset[str]
    context: frozenset[str]
    title: frozenset[str]
    values: frozenset[Value]
    names: frozenset[str]
    modality: str
    negations: int
    has_exception: bool
    sides: frozenset[tuple[int, str]]
    years: frozenset[str]
    title_years: frozenset[str]
    is_past: bool

    def of_unit(self, unit: str) -> set[Value]:
        """Return the numbers of one unit."""
        return {value for value in self.values if value.unit == unit}


_EXCEPTION = re.compile(
    r"\b(?:except|unless|other than|apart from|but|exceto|salvo|a menos que|a nao ser|fora|mas)\b"
)


def claim_of(sentence: Sentence, title: str, language: str) -> Claim:
    """Read a sentence of a node with that title, in that language."""
    folded = fold(sentence.said).replace("’", "'")
    values, spans, names = _values(folded)
    rest = _blanked(folded, spans)
    modality, rest = _modality(rest)
    harmless = known.HARMLESS_NEGATION.sub(" ", rest)
    negations = len(known.NEGATION.findall(harmless))
    words = frozenset(_WORD.findall(folded))
    called = fold(title)
    above = " ".join((called, fold(" ".join((*sentence.headings, sentence.header)))))
    subject = " ".join(word for word in _WORD.findall(called) if word not in known.GENERIC_TITLE)
    return Claim(
        sentence=sentence,
        language=base_language(language),
        words=words,
        terms=frozenset(_terms(known.NEGATION.sub(" ", harmless), language)) | names,
        context=frozenset(_terms(above, language)),
        title=frozenset(_terms(subject, language)),
        values=frozenset(values),
        names=frozenset(names),
        modality=modality,
        negations=negations,
        has_exception=_EXCEPTION.search(folded) is not None,
        sides=frozenset(_sides(words)),
        years=frozenset(_YEAR.findall(above)),
        title_years=frozenset(_YEAR.findall(called)),
        is_past=known.PAST.search(folded) is not None,
    )


def _terms(text: str, language: str) -> Iterator[str]:
    for word in _WORD.findall(text):
        if _CODE.fullmatch(word):
            yield word
            continue
        for part in re.split(r"['’-]", word):
            term = term_of(part, language)
            if term and not term.isdigit() and len(part) > 1:
                yield term


def _sides(words: frozenset[str]) -> Iterator[tuple[int, str]]:
    for number, row in enumerate(known.SIDES):
        for word in row & words:
            yield number, word


def _modality(text: str) -> tuple[str, str]:
    """Return the one modality of a text, and the text without its modal words."""
    kinds = []
    for kind, pattern in known.MODALS:
        text, count = pattern.subn(" ", text)
        if count:
            kinds.append(kind)
    return (kinds[0] if len(kinds) == 1 else ""), text


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], " "]
        at = end
    return "".join([*parts, text[at:]])


# -- numbers ---------------------------------------------------------------------------------------


def _values(text: str) -> tuple[list[Value], list[tuple[int, int]], set[str]]:
    """Return the numbers of a folded text, the spans that they take, and those that are names."""
    found: list[Value] = []
    spans: list[tuple[int, int]] = []
    names: set[str] = set()
    for match in _PLACE.finditer(text):
        read = _read(match, text)
        if read is None:
            continue
        unit, amount, end = read
        before = text[max(0, match.start() - 24) : match.start()]
        label = _LABEL.search(before) if unit.startswith("#") and match["number"] else None
        if label and label[1] in known.LABELS:
            unit = known.LABELS[label[1]]
        elif label and (unit == "#" or label[1] in known.NAMERS):
            names.add(f"{label[1]} {amount:g}")
            continue
        elif unit == "#":
            continue
        bound = next((name for name, bound in known.BOUNDS if bound.search(before)), "")
        found.append(Value(unit, round(amount, 6), bound))
        spans.append((match.start(), end))
    free = _FREE.search(text)
    if free and not _FREE_OF.match(text, free.start()):
        found.append(Value(MONEY, 0.0))
    return found, spans, names


def _read(match: re.Match[str], text: str) -> tuple[str, float, int] | None:
    """Return unit, amount and end of a number."""
    part = match.groupdict()
    if part["iso"]:
        _year, month, day = map(int, part["iso"].split("-"))
        return DATE, month * 100 + day, match.end()
    if part["slashed"]:
        numbers = [int(each) for each in part["slashed"].split("/")]
        return DATE, numbers[1] * 100 + numbers[0], match.end()
    if part["month"] or part["month2"]:
        month = known.MONTHS[part["month"] or part["month2"]]
        return DATE, month * 100 + int(part["day"] or part["day2"]), match.end()
    if part["hour"] or part["hour2"]:
        hour = int(part["hour"] or part["hour2"]) % 24
        half = part["half"] or part["half2"] or ""
        hour = hour % 12 + (12 if half.startswith("p") else 0) if half else hour
        return TIME, hour * 60 + int(part["minute"] or 0), match.end()
    if part["currency"]:
        return MONEY, _number(part["amount"]), match.end()
    return _counted(match, text)


def _counted(match: re.Match[str], text: str) -> tuple[str, float, int] | None:
    """Read a number with what is counted behind it."""
    word = match["word"]
    amount = known.NUMBER_WORDS[word] if word else _number(match["number"])
    rest = "rest2" if word else "rest"
    following, end = (match[rest] or "").strip(), max(match.end(), match.end(rest))
    if following in {"percent", "%"} or text.startswith(" por cento", match.end()):
        return PERCENT, amount, end
    if following in {"reais", "real", "euros", "euro", "dollars", "pounds"}:
        return MONEY, amount, end
    after = _WORD.match(text, end + 1)
    if following in known.WORKING and after is not None and after[0] in known.UNITS:
        unit, factor = known.UNITS[after[0]]
        return f"working {unit}", amount * factor, after.end()
    if following in known.UNITS:
        unit, factor = known.UNITS[following]
        if after is not None and after[0] in known.WORKING:
            return f"working {unit}", amount * factor, after.end()
        return unit, amount * factor, end
    if word in {"twice", "thrice"}:
        return "#times", amount, match.end()
    if word and (word in known.VAGUE_NUMBERS or not following):
        return None
    if not word and _YEAR.fullmatch(match["number"]):
        return YEAR, amount, match.end()
    return f"#{following}" if len(following) > 2 else "#", amount, match.end()


def _number(text: str) -> float:
    """Return a number that either language may have written; 1.200 is a thousand more than 200."""
    plain = text.replace("\u00a0", "").replace(" ", "")
    places = [place for place, sign in enumerate(plain) if sign in ".,"]
    if not places:
        return float(plain)
    last = places[-1]
    whole, rest = "".join(filter(str.isdigit, plain[:last])), plain[last + 1 :]
    is_decimal = len(rest) != 3 or (len(places) > 1 and plain[last] != plain[places[0]])
    return float(f"{whole}.{rest}") if is_decimal else float(whole + rest)
