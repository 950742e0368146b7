"""What is said to small talk and to commands: set answers in English and Portuguese. Pure.

Nothing of this is knowledge, so nothing is searched for, and no model is asked.
"""

import re

from chat.choices import MessageClass

_KINDS = (
    ("commands", re.compile(r"^\W*/")),
    (
        "about",
        re.compile(
            r"who are you|what can you do|can you help|(?<!how )are you (?:an? )?\w+\W*$|your name"
            r"|seu nome|voc[eê] [eé] |quem [eé] voc[eê]|o que voc[eê]"
            r"|voc[eê] pode me ajudar",
            re.IGNORECASE,
        ),
    ),
    (
        "well",
        re.compile(
            r"how are you|it going|s up\b|tudo (?:bem|bom|certo)|como (?:vai|voc|est)",
            re.IGNORECASE,
        ),
    ),
    (
        "bye",
        re.compile(
            r"\b(?:bye|goodbye|good night|see you|have a \w+|tchau|at[eé] (?:logo|mais|amanh[aã])"
            r"|tenha um|bom fim de semana)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "thanks",
        re.compile(r"\b(?:thanks?|thx|ty|cheers|obrigad[oa]|obg|valeu|vlw)\b", re.IGNORECASE),
    ),
    (
        "hello",
        re.compile(
            r"\b(?:hi|hello|hey|yo|good (?:morning|afternoon|evening)|to meet you|ol[aá]|oi|e a[ií]"
            r"|bom dia|boa (?:tarde|noite)|prazer)\b|\U0001f44b",
            re.IGNORECASE,
        ),
    ),
)
_ABOUT = {
    "en": "I answer questions from the knowledge base, and name the passages that I rely on."
    " What would you like to know?",
    "pt": "Respondo a perguntas com o que está na base de conhecimento, e cito os trechos em que me"
    " apoio. O que você quer saber?",
}
_COMMANDS = {
    "en": """These commands are in the chat page; type `/` in the empty box to choose one:

- `/new` begins a conversation
- `/space` chooses what is asked
- `/again` has the last question answered again
- `/why` shows how the last answer came about
- `/share` shares the conversation
- `/export markdown` and `/export json` save it
- `/help` shows the keyboard shortcuts

Without a command, just ask. To talk to a person, say so.""",
    "pt": """Estes comandos existem na página de conversa; digite `/` na caixa vazia para escolher:

- `/new` começa uma conversa
- `/space` escolhe o que é consultado
- `/again` responde de novo à última pergunta
- `/why` mostra como a última resposta foi feita
- `/share` compartilha a conversa
- `/export markdown` e `/export json` salvam a conversa
- `/help` mostra os atalhos do teclado

Sem comando, é só perguntar. Para falar com uma pessoa, diga isso.""",
}
_REPLIES = {
    "hello": {"en": f"Hello! {_ABOUT['en']}", "pt": f"Olá! {_ABOUT['pt']}"},
    "about": _ABOUT,
    "well": {
        "en": "I am well, thank you. What would you like to know?",
        "pt": "Tudo bem, obrigado. O que você quer saber?",
    },
    "bye": {"en": "Goodbye! The conversation stays here.", "pt": "Até logo! A conversa fica aqui."},
    "thanks": {
        "en": "You are welcome. Is there anything else?",
        "pt": "De nada. Precisa de mais alguma coisa?",
    },
    "other": {
        "en": "All right. Ask whenever there is something else.",
        "pt": "Certo. Pergunte quando precisar de mais alguma coisa.",
    },
    "commands": _COMMANDS,
}


def has_set_answer(message_class: str) -> bool:
    """Whether messages of this class are answered without searching."""
    return message_class in {MessageClass.SMALL_TALK, MessageClass.COMMAND}


def set_answer(text: str, language: str) -> str:
    """Return the answer to small talk or a command, as Markdown; Portuguese or else English."""
    spoken = "pt" if language.startswith("pt") else "en"
    kind = next((name for name, rule in _KINDS if rule.search(text)), "other")
    return _REPLIES[kind][spoken]
