"""Questions that differ in one word only: "Who is maria silva?" and "Who is joao silva?". Pure.

Where everything else is the same, the one word that is not is what the question is about. Vectors
put such questions next to each other, and no list knows all names and kinds. So one word in the
place of another keeps questions apart, and so does one word more, unless both words are known to
say the same, are forms of one word, or say little by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from knowledge.analysis import term_of

_SAME = tuple(
    frozenset(row.split())
    for row in (
        "need want wish like prefer",
        "get got receive received obtain",
        "okay ok acceptable permissible permitted allowed fine",
        "mandatory required necessary needed compulsory obligatory",
        "kids children",
        "closest nearest",
        "id identity identification",
        "price cost fee charge",
        "buy purchase",
        "start begin commence",
        "finish end",
        "big large",
        "fix repair solve resolve",
        "phone telephone",
        "cell mobile",
        "find locate",
        "tell show explain instruct",
        "send transfer",
        "shipped delivered sent",
        "working functioning",
        "change modify alter update",
        "delete remove erase",
        "picture photo image",
        "holiday vacation",
        "rule policy regulation",
        "purpose reason",
        "feature option",
        "replacement new different another",
        "several multiple many",
        "anywhere everywhere",
        "tried attempted",
        "create make",
        "take accept",
        "importance significance",
        "one card",
        "preciso quero desejo gostaria",
        "bilhete passagem ingresso",
        "preco valor custo tarifa",
        "comprar adquirir",
        "obter conseguir receber",
        "alterar mudar modificar trocar",
        "apagar excluir remover",
        "comeca inicia",
        "termina acaba",
        "funciona opera",
        "carro automovel",
        "celular telefone",
        "foto imagem",
        "criancas filhos",
        "permitido autorizado",
        "obrigatorio necessario preciso",
        "regra norma politica",
    )
)
"""Folded words that may stand for each other in a question."""
_LITTLE = frozenset(
    word
    for row in (
        "a an the this that these those some any all both my your our their his her its",
        "i me we us you he she it they one anyone someone everyone",
        "is are was were be been being do does did has have had",
        "can could will would shall should may not no cannot nao",
        "of in on at for by with and or to from as into about over up",
        "please just still yet already really actually exactly currently immediately directly",
        "total approximately possible possibly also even too very so then here there",
        "located available exact quickly normally usually generally guys hi hello help",
        "how what which where when why who",
        "o os um uma uns umas este esta esse essa isto isso meu minha meus minhas seu sua",
        "nosso nossa eu nos voce voces ele ela eles elas e sao foi ser estar esta estao tem ter ha",
        "fica ficam",
        "de do da dos das em no na nos nas por pelo pela para pra com ou que se ao aos as",
        "favor so ainda ja mesmo realmente exatamente atualmente tambem muito mais aqui ai la hoje",
        "como qual quais quem onde aonde quando porque posso pode podemos devo deve gostaria quero",
    )
    for word in row.split()
)
"""Folded words whose coming and going changes no question by itself; what they do change, such as
the type of question or what leads where, is for other rules."""
_WORD = re.compile(r"[^\W_]+(?:['’._/-][^\W_]+)*")
MOST_WORDS = 3
"""Words in place of others from which on two questions are no minimal pair."""


def in_order(folded: str) -> tuple[str, ...]:
    """Return the words of a folded text."""
    return tuple(_WORD.findall(folded))


def is_minimal_pair(here: Sequence[str], there: Sequence[str], language: str) -> bool:
    """Whether folded words differ in one place only, and what stands there says something else."""
    one, other = _different(here, there)
    if not one and not other:
        return False
    if max(len(one), len(other)) > MOST_WORDS:
        return False
    telling, instead = _telling(one, language), _telling(other, language)
    if not one or not other:
        return len(one or other) == 1 and bool(telling or instead)
    return bool(telling) and bool(instead) and not _says_same(telling, instead)


def _different(here: Sequence[str], there: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what is left of both without what they begin and end with alike."""
    start = 0
    while start < min(len(here), len(there)) and here[start] == there[start]:
        start += 1
    end = 0
    while end < min(len(here), len(there)) - start and here[-1 - end] == there[-1 - end]:
        end += 1
    return here[start : len(here) - end], there[start : len(there) - end]


def _telling(words: Sequence[str], language: str) -> set[str]:
    """Return the words that say something, with their stems in place of forms."""
    plain = [word.removesuffix("'s") for word in words if not word.endswith("n't")]
    return {_stem(word, language) for word in plain if word not in _LITTLE}


def _stem(word: str, language: str) -> str:
    forms = {word, word.removesuffix("s")}
    row = next((number for number, row in enumerate(_SAME) if forms & row), None)
    return f"={row}" if row is not None else term_of(word, language) or word


def _says_same(here: set[str], there: set[str]) -> bool:
    """Whether everything that the shorter of two says is in the other."""
    return here <= there or there <= here
