"""Words that turn a question round: "allowed" and "forbidden", "legal" and "illegal". Pure.

Folded, English and Portuguese.
"""

from __future__ import annotations

import itertools
from collections.abc import Set

from knowledge.quality.vocabulary import OPPOSITES

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

_ASKED: frozenset[frozenset[str]] = frozenset(
    frozenset(pair)
    for pair in (
        *POLES,
        *itertools.product(
            ("allowed", "permitted", "legal", "accepted", "acceptable", "okay", "ok", "welcome"),
            ("forbidden", "prohibited", "banned", "illegal", "refused", "unacceptable"),
        ),
        *itertools.product(
            ("permitido", "permitida", "autorizado", "autorizada"),
            ("proibido", "proibida", "vedado", "vedada"),
        ),
        ("support", "lack"), ("supports", "lacks"), ("have", "lack"), ("has", "lacks"),
        ("true", "false"), ("always", "sometimes"), ("in", "out"), ("on", "off"), ("up", "down"),
        ("up", "out"), ("agree", "refuse"), ("success", "failure"), ("someone", "nobody"),
        ("anyone", "nobody"), ("alguem", "ninguem"), ("verdadeiro", "falso"),
        ("verdade", "mentira"), ("sempre", "raramente"), ("concordar", "discordar"),
        ("concordar", "recusar"),
    )
)  # fmt: skip
"""What turns a question round; some of it, such as "in" and "out", says little in a sentence."""
_DENYING = ("non-", "non", "not-", "un", "in", "im", "il", "ir", "dis", "des", "nao-", "i")


def are_opposite(here: Set[str], there: Set[str]) -> bool:
    """Whether a folded word of one question is the opposite of one of the other's, or denies it."""
    if any(frozenset((one, other)) in _ASKED for one in here for other in there):
        return True
    stems, others = ({word.rstrip("s") for word in words} for words in (here, there))
    return any(
        denying + word in denied
        for words, denied in ((stems, others), (others, stems))
        for word in words
        if len(word) > 3
        for denying in _DENYING
    )
