"""When two questions that sound alike ask different things. Pure.

Vectors of sentences hardly see what a word turns round: "Can I cancel within 7 days?" and "Can I
not cancel within 14 days?" are closer than most paraphrases. So whatever changes an answer is
compared by rules: numbers, dates, names, negation, opposites, the type of question, the language.
English and Portuguese are read; of other languages numbers, names and identifiers.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from chat.answer_cache.minimal_pairs import in_order, is_minimal_pair
from chat.answer_cache.opposites import are_opposite
from knowledge.analysis import base_language, fold
from knowledge.languages import detect_language
from knowledge.quality.claims import Claim, claim_of
from knowledge.quality.sentences import Sentence
from knowledge.quality.vocabulary import NUMBER_WORDS, VAGUE_NUMBERS

_WORD = re.compile(r"[^\W_]+(?:['’._/-][^\W_]+)*")
_DIGIT = re.compile(r"\d+(?:[.,:/-]\d+)*")
RELATIVE = frozenset(
    [
        "today",
        "tomorrow",
        "yesterday",
        "tonight",
        "now",
        "currently",
        "soon",
        "latest",
        "newest",
        "oldest",
        "previous",
        "next",
        "last",
        "hoje",
        "amanha",
        "ontem",
        "agora",
        "atualmente",
        "ultimo",
        "ultima",
        "anterior",
        "proximo",
        "proxima",
        "antigo",
        "antiga",
        "weekend",
        "weekday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "segunda-feira",
        "terca-feira",
        "quarta-feira",
        "quinta-feira",
        "sexta-feira",
        "sabado",
        "domingo",
    ]
)
_EXCEPTIONS = frozenset(
    ["except", "excluding", "unless", "besides", "exceto", "salvo", "excluindo"]
)
_UNMARKED = re.compile(
    r"\b(do|does|did|ca|wo|is|are|was|were|would|should|could|has|have|had|must|need)nt\b",
    re.IGNORECASE,
)
_COUNTED = frozenset(NUMBER_WORDS) - VAGUE_NUMBERS
_ASIDE = (
    "date|time|hour|day|month|year|deadline|schedule|timetable|price|cost|fee|amount|number|reason"
    "|place|address|location|way|procedure|process|step|name|person|owner|purpose|point|duration"
    "|period|horario|data|prazo|preco|valor|motivo|razao|lugar|endereco|nome"
)
"""What "what" may ask for that another word asks for as well: "What is the date of", "When"."""
_TYPES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("how much", r"\bhow (?:much|many)\b|\bquant[oa]s?\b(?! tempo)"),
        (
            "when",
            (
                r"\bwhen\b|\bwhat time\b|\bhow (?:long|soon|fast)\b|\bque horas\b|\bquando\b"
                r"|\bque dia\b|\bquanto tempo\b"
            ),
        ),
        ("where", r"\bwhere\b|\bonde\b|\baonde\b"),
        ("who", r"\bwho(?:m|se)?\b|\bquem\b"),
        ("why", r"\bwhy\b|\bhow come\b|\bpor ?que\b"),
        ("how", r"^(?:how|como)\b"),
        ("what", rf"^(?:what(?: is|'s| are| was| were)|o que (?:e|sao))\b(?!.*\b(?:{_ASIDE})s?\b)"),
    )
)
_COUPLES = re.compile(
    r"\b(?P<word>from|to|into|before|after|para|ao|antes|depois|apos)\b"
    r"(?: (?:the|a|an|my|your|o|os|as|um|uma|meu|minha|d[eao]))* (?P<what>[^\W_]+)"
)
_ROLES = {
    "from": "from", "to": "to", "into": "to", "para": "to", "ao": "to", "before": "before",
    "antes": "before", "after": "after", "depois": "after", "apos": "after",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sense:
    """What of a question a vector may miss.

    `order` are its words as they come, `digits` its numbers as written, `names` its words with a
    capital inside a sentence and its identifiers, folded; `roles` says what is led from, to, before
    or after; `kind` is the type of question, empty where rules cannot tell.
    """

    claim: Claim
    words: frozenset[str]
    order: tuple[str, ...]
    digits: tuple[str, ...]
    names: frozenset[str]
    relative: frozenset[str]
    roles: frozenset[tuple[str, str]]
    kind: str
    language: str


def normalised(question: str) -> str:
    """Return a question as the exact cache compares it: without case, spacing, or a final mark."""
    plain = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(plain.split()).rstrip(" ?!.…")


def sense_of(question: str) -> Sense:
    """Read a question."""
    language = base_language(detect_language(question, default=""))
    marked = _UNMARKED.sub(r"\1n't", question)
    folded = fold(marked).replace("’", "'")
    order = in_order(folded)
    words = frozenset(order)
    sentence = Sentence(marked, marked, 0, len(marked), ())
    return Sense(
        claim=claim_of(sentence, "", language or "en"),
        words=words,
        order=order,
        digits=tuple(sorted(_DIGIT.findall(folded))),
        names=frozenset(names_of(question)),
        relative=words & RELATIVE,
        roles=frozenset(
            (_ROLES[match["word"]], match["what"]) for match in _COUPLES.finditer(folded)
        ),
        kind=next((name for name, pattern in _TYPES if pattern.search(folded)), ""),
        language=language,
    )


def difference(here: Sense, there: Sense) -> str:
    """Return what keeps two questions apart, as a short name; nothing where they may be one."""
    if here.language and there.language and here.language != there.language:
        return "language"
    if not _have_same_numbers(here, there):
        return "numbers"
    if here.relative != there.relative or are_of_other_sides(here.claim, there.claim):
        return "dates or sides"
    # A name that the other question writes in small letters is the same name.
    if here.names - there.words or there.names - here.words:
        return "names"
    if not _deny_the_same(here, there):
        return "negation"
    if _differ(here.claim.modality, there.claim.modality):
        return "modality"
    if are_opposite(here.words - there.words, there.words - here.words):
        return "opposites"
    if _are_swapped(here, there):
        return "roles"
    if _differ(here.kind, there.kind):
        return "type of question"
    if is_minimal_pair(here.order, there.order, here.language or there.language or "en"):
        return "one word"
    return ""


def _have_same_numbers(here: Sense, there: Sense) -> bool:
    one, other = here.claim, there.claim
    return (one.values, one.names, here.digits, here.words & _COUNTED) == (
        other.values, other.names, there.digits, there.words & _COUNTED,
    )  # fmt: skip


def _deny_the_same(here: Sense, there: Sense) -> bool:
    is_same_sign = here.claim.negations % 2 == there.claim.negations % 2
    return is_same_sign and here.words & _EXCEPTIONS == there.words & _EXCEPTIONS


def _differ(here: str, there: str) -> bool:
    """Whether both are known, and not the same."""
    return bool(here and there and here != there)


def names_of(question: str) -> list[str]:
    """Return the words with capitals that a sentence does not begin with, and the identifiers."""
    found = []
    is_shouted = question.isupper()
    for match in _WORD.finditer(question):
        word = match.group()
        begins = not question[: match.start()].rstrip(" \"'“‘([") or (
            question[: match.start()].rstrip(" \"'“‘([")[-1] in ".!?:…\n"
        )
        is_mixed = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
        is_named = word[0].isupper() and not begins and not is_shouted and word not in {"I", "I'm"}
        is_acronym = len(word) > 1 and word.isupper() and not is_shouted
        if is_mixed or is_acronym or (is_named and not word.startswith(("I'", "I’"))):
            found.append(fold(word).replace("’", "'"))
    return found


def _are_swapped(here: Sense, there: Sense) -> bool:
    """Whether what one question leads to, the other names elsewhere, and the other way round."""
    return any(
        role == other and what in there.words and instead in here.words
        for role, what in here.roles - there.roles
        for other, instead in there.roles - here.roles
    )


def are_of_other_sides(here: Claim, there: Claim) -> bool:
    """Whether both name one of several kinds, such as summer and winter, and not the same."""
    rows = {row for row, _word in here.sides} & {row for row, _word in there.sides}
    return any(not _named(here, row) & _named(there, row) for row in rows)


def _named(claim: Claim, row: int) -> set[str]:
    return {word.rstrip("s") for number, word in claim.sides if number == row}
