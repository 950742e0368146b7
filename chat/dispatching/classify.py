"""What kind of message it is, by rules in English and Portuguese. Pure.

Rules for anything but questions match whole messages: "Tell me a joke" is out of scope, "Who may
tell jokes on the ferry?" is a question. In doubt it is a question: to answer one costs less than
not to.
"""

import re
import unicodedata
from dataclasses import dataclass

from chat.answering.confidence import is_about_the_talk, is_small_talk
from chat.choices import MessageClass
from chat.guarding.spam import spam_signs
from chat.handoff.wording import asks_for_person
from chat.rewriting import leans

MOST_CHARS = 160  # of a message that a rule may match
COMMANDS = frozenset(
    ("help", "ajuda", "new", "space", "again", "why", "share", "export", "commands", "comandos")
)
_COMMAND = re.compile(r"/(?P<name>[^\W\d_][\w-]{0,19})(?:\s+(?P<rest>.*))?", re.DOTALL)
_AGREES = frozenset(
    ["yes", "no", "ok", "okay", "please", "sure", "sim", "não", "nao", "claro", "certo"]
)
_LONE = re.compile(r"[^\W\d_]{6,}")
_VOWELS = frozenset("aeiouy")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
# Without words before it "10-12" may be a number of something, and "1/2" a date.
_SUM = re.compile(
    r"[\d(][\d\s.,()]*(?:[+*x×÷^]\s*[\d(][\d\s.,()%]*)+=?"
    r"|(?:what is|what s|how much is|quanto e|quanto da|calculate|calcule) "
    r"[\d(][\d\s.,()]*(?:[+*x×÷^]\s*[\d(][\d\s.,()%]*|\s[-/]\s+[\d(][\d\s.,()%]*)+=?"
)

_EN = r"""
(?:(?:hi|hello|hey|ok|okay|please|now|acervo|so|and)\ )*
(?:(?:can|could|will|would)\ you\ (?:please\ )?(?=(?:tell|sing|write|make|play|order|buy|call|turn
   |book|set|wake|remind)\ (?:me|us|up|on|off)\ ))?
(?:
  (?:tell|give)\ (?:me|us)\ (?:a|another|some|one\ more)\ (?:\w+\ )?
    (?:jokes?|riddles?|stor(?:y|ies))(?:\ about\ .+)?
 |sing(?:\ (?:me|us))?\ (?:a|another)\ (?:\w+\ )?song(?:\ about\ .+)?
 |(?:write|make|compose)\ (?:(?:me|us)\ )?(?:a|an|another)\ (?:\w+\ )?(?:poem|song|haiku|limerick
    |rap|sonnet|love\ letter|fairy\ tale)(?:\ (?:about|for|on)\ .+)?
 |(?:write|make|code)\ (?:(?:me|us)\ )?(?:a|an|some)\ (?:(?:python|javascript|java|bash|sql|c|php)
    \ )?(?:script|program|code|function|query)(?:\ (?:that|to|for|in|which)\ .+)?
 |translate\ (?!that|this|it\ |your|the\ |my\ ).+\ (?:in)?to
    \ (?:english|french|spanish|german|italian|portuguese|chinese|japanese)
 |recommend\ (?:(?:me|us)\ )?(?:a|an|some)\ (?:good\ )?(?:movies?|films?|books?|songs?|series
    |restaurants?|games?)(?:\ .{1,40})?
 |what\ (?:is|s)\ the\ meaning\ of\ life
 |play\ (?:(?:me|us)\ )?(?:some\ |a\ )?(?:music|songs?|games?|chess)(?:\ with\ (?:me|us))?
 |(?:order|buy|get)\ (?:me|us)\ (?:a|an|some|two)\ (?:\w+\ )?(?:pizzas?|coffees?
    |tea|beers?|sandwich|burger|lunch|dinner|food|taxi|cab|uber|gift|flowers)(?:\ .{1,40})?
 |(?:book|reserve)\ (?:(?:me|us)\ )?(?:a|an)\ (?:flight|taxi|cab|hotel|hotel\ room|table|uber)
    (?:\ (?:to|for|in|at|from)\ .+)?
 |(?:set|start)\ (?:(?:me|us)\ )?(?:an?\ )(?:alarm|timer|reminder)(?:\ (?:for|in|at|to)\ .+)?
 |wake\ me\ up(?:\ (?:at|in)\ .+)?
 |turn\ (?:on|off)\ the\ (?:lights?|tv|television|radio|music)
 |(?:what\ s|what\ is|whats|how\ s|how\ is|tell\ me)\ the\ weather(?:\ like)?
    (?:\ (?:today|tomorrow|now|outside|this\ week|in\ .{2,30}))*
 |will\ it\ rain(?:\ (?:today|tomorrow|tonight|this\ week))?
 |what\ (?:time|day|date)\ is\ (?:it|today)(?:\ (?:now|today|right\ now|there))?
 |(?:what\ is|what\ s|whats)\ the\ (?:time|date)(?:\ (?:now|today|right\ now))?
 |(?:do|can)\ you\ (?:love|like|hate|dream|sleep|feel)(?:\ (?:me|anything|things))?
 |(?:will\ you\ )?marry\ me|i\ (?:love|hate)\ you
 |are\ you\ (?:alive|conscious|single|married|happy|sad)
 |who\ (?:will|is\ going\ to)\ win\ the\ (?:game|match|election|world\ cup|league)(?:\ .{1,30})?
)
(?:\ (?:please|now|thanks|thank\ you|today))*
"""
_PT = r"""
(?:(?:oi|ola|ei|por\ favor|agora|acervo|entao|e)\ )*
(?:(?:voce\ )?(?:pode|poderia|consegue)\ (?:por\ favor\ )?(?:me\ )?)?
(?:
  (?:me\ )?(?:cont(?:a|e|ar)|diga|dizer|fal(?:a|e|ar))\ (?:um|uma|outra|outro|mais\ uma)\ (?:\w+\ )?
    (?:piada|charada|adivinha|historia)(?:\ (?:sobre|de)\ .+)?
 |(?:me\ )?(?:cant(?:a|e|ar))\ (?:um|uma|outra)\ (?:\w+\ )?(?:musica|cancao)(?:\ (?:sobre|de)\ .+)?
 |(?:me\ )?(?:escrev(?:a|e|er)|faz|faca|fazer|compo(?:e|nha|r))\ (?:(?:pra|para)\ mim\ )?
    (?:um|uma|outro|outra)\ (?:\w+\ )?(?:poema|poesia|haicai|cancao|rap|soneto|carta\ de\ amor)
    (?:\ (?:sobre|para|de)\ .+)?
 |(?:me\ )?(?:escrev(?:a|e|er)|faz|faca|fazer)\ (?:um|uma)\ (?:script|programa|codigo|funcao)
    (?:\ (?:que|para|em|de)\ .+)?
 |traduz(?:a|ir)?\ (?!isso|isto|ess[ae]\ |[oa]\ |sua).+\ (?:para|pra|em)\ (?:o\ )?
    (?:ingles|frances|espanhol|alemao|italiano|portugues)
 |(?:me\ )?(?:recomend|indi[cq])(?:a|e|ue|ar)\ (?:um|uma)\ (?:bom\ |boa\ )?(?:filme|livro|musica
    |serie|restaurante|jogo)(?:\ .{1,40})?
 |qual\ (?:e\ )?o\ sentido\ da\ vida
 |(?:toc(?:a|ar)|toque|poe|coloca|coloque)\ (?:uma\ |um\ pouco\ de\ )?(?:musica|cancao)
 |(?:pede|peca|pedir|compra|compre|comprar)\ (?:pra\ mim\ |para\ mim\ |me\ )?(?:um|uma|uns|duas)
    \ (?:pizza|lanche|cafe|hamburguer|comida|almoco|taxi|uber|carro)(?:\ .{1,40})?
 |(?:reserv(?:a|e|ar))\ (?:pra\ mim\ |para\ mim\ |me\ )?(?:um|uma)
    \ (?:voo|taxi|hotel|quarto|mesa|passagem)(?:\ (?:para|em|no|na|de)\ .+)?
 |(?:coloca|coloque|poe|cria|crie|programa|programe)\ (?:um|uma)\ (?:alarme|despertador|lembrete
    |timer)(?:\ (?:para|pra|as|em)\ .+)?
 |me\ (?:acorda|acorde)(?:\ (?:as|em)\ .+)?
 |(?:acend(?:e|a)|apag(?:a|ue)|lig(?:a|ue)|deslig(?:a|ue))\ (?:a|as|o)\ (?:luz|luzes|tv|televisao
    |radio|som)
 |(?:como\ (?:esta|ta|vai\ estar)|qual\ (?:e\ )?a\ previsao\ d)\ ?o\ tempo
    (?:\ (?:hoje|amanha|agora|la\ fora|em\ .{2,30}))*
 |vai\ chover(?:\ (?:hoje|amanha|esta\ semana))?
 |que\ (?:horas\ sao|dia\ e\ hoje)(?:\ agora)?
 |voce\ (?:me\ ama|gosta\ de\ mim|sonha|dorme|esta\ viv[oa]|e\ casad[oa]|e\ feliz)
 |(?:quer\ )?casa(?:r)?\ comigo|eu\ te\ (?:amo|odeio)
 |quem\ vai\ ganhar\ (?:o\ jogo|a\ eleicao|a\ copa|o\ campeonato)(?:\ .{1,30})?
)
(?:\ (?:por\ favor|agora|obrigad[oa]|hoje))*
"""
_OUTSIDE = (re.compile(_EN, re.VERBOSE), re.compile(_PT, re.VERBOSE))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The class of a message; `why` says which rule found it, where it is not plain."""

    message_class: MessageClass
    why: str = ""


def classify(text: str, *, has_history: bool) -> Verdict:
    """Return what kind of message it is; `has_history`: something was said before it."""
    if is_command(text):
        return Verdict(MessageClass.COMMAND)
    is_short = len(text) <= MOST_CHARS
    if is_short and asks_for_person(text):
        return Verdict(MessageClass.PERSON)
    if is_short and is_small_talk(text):
        # "Yes" to what was offered goes on with the conversation.
        is_reply = has_history and _words(text) <= _AGREES
        return Verdict(MessageClass.FOLLOW_UP if is_reply else MessageClass.SMALL_TALK)
    if is_gesture(text):
        return Verdict(MessageClass.SMALL_TALK)
    if not has_history and is_unclear(text):
        return Verdict(MessageClass.OUT_OF_SCOPE, "unclear")
    if is_short and is_outside(text):
        return Verdict(MessageClass.OUT_OF_SCOPE, "outside")
    if has_history and (leans(text) or is_about_the_talk(text)):
        return Verdict(MessageClass.FOLLOW_UP)
    return Verdict(MessageClass.QUESTION)


def is_command(text: str) -> bool:
    """Whether a message is a command: a known one, or a lone word with a slash before it.

    "/tmp is full, what now?" is a question.
    """
    found = _COMMAND.fullmatch(text.strip())
    return found is not None and (found["name"].casefold() in COMMANDS or not found["rest"])


def is_gesture(text: str) -> bool:
    """Whether a message is of emoji only: a wave, a thumb."""
    signs = [char for char in text if unicodedata.category(char) == "So"]
    return bool(signs) and not any(char.isalnum() for char in text)


def is_unclear(text: str) -> bool:
    """Whether nobody could tell what is wanted: no letter or digit, or hands on a keyboard."""
    if not any(char.isalnum() for char in text):
        return True
    if "gibberish" in spam_signs(text):
        return True
    words = text.split()
    return len(words) <= 3 and all(_is_keys(word) for word in words)


def is_outside(text: str) -> bool:
    """Whether a message asks for what no knowledge base does: to entertain, to act, to reckon."""
    folded = _folded(text)
    if _SUM.fullmatch(" ".join(re.sub(r"[^\w\s.,()+*/×÷^%=-]+", " ", folded).split())):
        return True
    plain = " ".join(re.sub(r"[^\w\s-]+", " ", folded).split())
    return any(rule.fullmatch(plain) for rule in _OUTSIDE)


def _is_keys(word: str) -> bool:
    """Whether a word of six letters or more has no vowel, one letter, or lies in a row of keys."""
    folded = _folded(word).strip(".,!?")
    if not _LONE.fullmatch(folded) or not folded.isascii() or word.isupper():
        return False
    letters = set(folded)
    if len(letters) == 1 or not letters & _VOWELS:
        return True
    runs = sum(folded[at : at + 3] in row for row in _ROWS for at in range(len(folded) - 2))
    return runs >= (len(folded) - 1) // 2


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))
