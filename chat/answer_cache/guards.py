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

from knowledge.analysis import base_language, fold
from knowledge.languages import detect_language
from knowledge.quality.claims import Claim, claim_of
from knowledge.quality.sentences import Sentence
from knowledge.quality.vocabulary import OPPOSITES

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
POLES: tuple[tuple[str, str], ...] = (
    *OPPOSITES,
    ("enable", "disable"), ("activate", "deactivate"), ("block", "unblock"), ("lock", "unlock"),
    ("add", "remove"), ("add", "delete"), ("create", "delete"), ("install", "uninstall"),
    ("increase", "decrease"), ("raise", "lower"), ("start", "stop"), ("begin", "end"),
    ("open", "close"), ("accept", "refuse"), ("accept", "reject"), ("allow", "forbid"),
    ("send", "receive"), ("lend", "borrow"), ("import", "export"), ("upload", "download"),
    ("deposit", "withdraw"), ("login", "logout"), ("subscribe", "unsubscribe"), ("win", "lose"),
    ("with", "without"), ("earliest", "latest"), ("cheapest", "dearest"), ("best", "worst"),
    ("highest", "lowest"), ("incoming", "outgoing"), ("internal", "external"),
    ("ativar", "desativar"), ("bloquear", "desbloquear"), ("ligar", "desligar"),
    ("adicionar", "remover"), ("incluir", "excluir"), ("criar", "excluir"), ("criar", "apagar"),
    ("instalar", "desinstalar"), ("aumentar", "diminuir"), ("aumentar", "reduzir"),
    ("iniciar", "parar"), ("comecar", "terminar"), ("abrir", "fechar"), ("aceitar", "recusar"),
    ("permitir", "proibir"), ("enviar", "receber"), ("importar", "exportar"),
    ("depositar", "sacar"), ("entrar", "sair"), ("com", "sem"), ("melhor", "pior"),
    ("maior", "menor"), ("interno", "externo"), ("interna", "externa"),
)  # fmt: skip
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

    `digits` are its numbers as written, `names` its words with a capital inside a sentence and its
    identifiers, folded; `roles` says what is led from, to, before or after; `kind` is the type of
    question, empty where rules cannot tell.
    """

    claim: Claim
    words: frozenset[str]
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
    folded = fold(question).replace("’", "'")
    words = frozenset(_WORD.findall(folded))
    sentence = Sentence(question, question, 0, len(question), ())
    return Sense(
        claim=claim_of(sentence, "", language or "en"),
        words=words,
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
    one, other = here.claim, there.claim
    if here.language and there.language and here.language != there.language:
        return "language"
    if one.values != other.values or here.digits != there.digits or one.names != other.names:
        return "numbers"
    if here.relative != there.relative or are_of_other_sides(one, other):
        return "dates or sides"
    # A name that the other question writes in small letters is the same name.
    if here.names - there.words or there.names - here.words:
        return "names"
    if one.negations % 2 != other.negations % 2:
        return "negation"
    if one.modality != other.modality and one.modality and other.modality:
        return "modality"
    if are_opposite(here.words - there.words, there.words - here.words):
        return "opposites"
    if _are_swapped(here, there):
        return "roles"
    if here.kind != there.kind and here.kind and there.kind:
        return "type of question"
    return ""


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


def are_opposite(here: frozenset[str], there: frozenset[str]) -> bool:
    return any(
        (one in here and other in there) or (other in here and one in there) for one, other in POLES
    )


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
