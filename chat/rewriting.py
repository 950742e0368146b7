"""Making a follow-up question stand on its own, for retrieval, without a model.

"And how much does it cost?" finds nothing by itself. When a question leans on what was said
before, the words of its topic are put in front of it:

1. the topic is that of the last question that stood alone, however many follow-ups came between;
   they add what they were about, newest first, and small talk adds nothing;
2. what a follow-up names takes the place of what the topic named in the same role: after "in
   Olinda", "and in Recife?" is about Recife only;
3. what a pronoun may stand for in the last answer, its first names, is added, too.

What is asked of the language model stays as it was written: it sees the conversation.
"""

import re
from collections.abc import Sequence

from chat.types import PastMessage

SHORT_WORDS = 4  # content words from which a question stands alone
OWN_TOPIC_WORDS = 3  # content words before a pronoun that it may stand for
MAX_ADDED_WORDS = 12
MAX_FOLLOW_UPS = 4  # between a question and the topic it leans on
MAX_NAMES = 3
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")

# English and Portuguese words that carry no topic.
_EMPTY_WORDS = """
    a about also am an and any are as at be been but by can could did do does for from had has have
    he her him his how i if in into is it its just like many may me more much must my no not of on
    one only or our please she should so some such tell than that the their them then there these
    they this those to too us was we were what when where which who whom whose why will with would
    yes you your hello hi ok okay please thank thanks
    ai ainda algum alguma ao aos até com como da das de dela dele delas deles depois do dos e é
    ela elas ele eles em entre era essa essas esse esses esta está estão estas este estes eu foi
    fosse há isso isto já lá lhe mais mas me mesmo meu minha muito na não nas nem no nos nós nossa
    nosso num numa o onde os ou para pela pelas pelo pelos pode podem por porque pra qual quais
    quando quanto quanta quantos quantas que quem se sem ser seu seus sua suas só também tem têm ter
    um uma umas uns você vocês obrigada obrigado oi olá valeu
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_LEANS = re.compile(
    r"""
    ^\W*(?:and|but|so|also|or|then|what\ about|how\ about|why\ not|e|mas|ou|então|também|e\ se)\b
    | ^\W*(?:quanto\ a|sobre|as\ for|regarding)\b
    | \b(?:it|its|they|them|their|theirs|this|that|these|those|there|he|she|him|her|his|same
          |former|latter|one|ones|else|more|above|instead
          |ele|ela|eles|elas|dele|dela|deles|delas|nele|nela|isso|isto|aquilo|esse|essa|esses
          |essas|este|esta|estes|estas|aquele|aquela|disso|nisso|disto|lá|mesmo|mesma|outro|outra
          |outros|outras|acima|nesse|nessa|nesses|nessas|neste|nesta|desse|dessa|desses|dessas
         |deste|desta|daquele|daquela|naquele|naquela|[aà]quele|[aà]quela|a[ií]|ali|mesmos|mesmas)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|there|he|she|him|her|his|ele|ela|eles|elas|dele|dela|deles|delas"
    r"|nele|nela|neles|nelas|l[aá]|a[ií]|ali)\b",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^\W*(?:and|but|or|what about|how about|as for|e|mas|ou|e quanto a|quanto a|e se)\b",
    re.IGNORECASE,
)
_PLACE_WORDS = "in at to from near em no na nos nas para pra de do da dos das desde até"
_PLACES = frozenset(_PLACE_WORDS.split())
_TIME_WORDS = "on since until during before after by durante antes depois"
_TIMES = frozenset(_TIME_WORDS.split())
_NAME = re.compile(
    r"(?:\b(?P<lead>[^\W\d_]+)\s+)?"
    r"(?<![^\W_])(?P<name>[A-ZÀ-Þ][\w'’-]*(?:\s+(?:d[aeo]s?\s+)?[A-ZÀ-Þ][\w'’-]*)*)"
)
_MARKUP = re.compile(r"[*_`#]|\[\d+\]")


def standalone_question(question: str, history: Sequence[PastMessage]) -> str:
    """Return what to search for: the question, led by its topic if it leans on what was said.

    A question leans when it begins as a continuation, holds a pronoun, or has hardly any words of
    its own; short ones only: a long question brings its topic along.
    """
    if not history or not leans(question):
        return question
    topic = _topic(question, history)
    known = {word.casefold() for word in content_words(question)}
    added = [word for word in topic if word.casefold() not in known]
    return " ".join([*added[:MAX_ADDED_WORDS], question]) if added else question


def _topic(question: str, history: Sequence[PastMessage]) -> list[str]:
    """Return the words of what a leaning question is about, the oldest first."""
    asked = [
        each.content for each in history if each.role == "user" and content_words(each.content)
    ]
    chain: list[str] = []
    for text in reversed(asked[-1 - MAX_FOLLOW_UPS :]):
        chain.append(text)
        if not leans(text):
            break
    topic: list[str] = []
    for text in reversed(chain):
        replaced = _replaced(text, topic, " ".join(chain))
        topic = [word for word in topic if word.casefold() not in replaced]
        topic += [word for word in content_words(text) if word not in topic]
    replaced = _replaced(question, topic, " ".join(chain))
    topic = [word for word in topic if word.casefold() not in replaced]
    if _PRONOUN.search(question) and history[-1].role == "assistant":
        named = {word.casefold() for word in topic}
        topic += [name for name in _names(history[-1].content) if name.casefold() not in named]
    return topic


def _replaced(follow_up: str, topic: Sequence[str], said: str) -> set[str]:
    """Return the words of the topic that a follow-up names anew, folded.

    A place takes the place of places, which stand behind words such as "in"; any other name that
    of names without one.
    """
    if not topic or not _CONTINUES.match(follow_up):
        return set()
    new = {role for role, _name in _named(follow_up, is_inside=True)}
    own = {word.casefold() for word in content_words(follow_up)}
    return {
        word.casefold()
        for role, name in _named(said, is_inside=False)
        if role in new
        for word in _WORD.findall(name)
        if word.casefold() not in own
    }


def _named(text: str, *, is_inside: bool) -> list[tuple[str, str]]:
    """Return the names of a text, each with its role: of a place, of a time, or neither.

    Words with capitals; the first word of a sentence only where `is_inside` an utterance that goes
    on ("And Recife?").
    """
    found = []
    for match in _NAME.finditer(text):
        lead = match["lead"] or ""
        before = text[: match.start("name")].rstrip()
        begins = not before or before[-1] in ".!?:…"
        if (begins and not is_inside) or match["name"].casefold() in _EMPTY:
            continue
        word = lead.casefold()
        role = "place" if word in _PLACES else "time" if word in _TIMES else ""
        found.append((role, match["name"]))
    return found


def _names(answer: str) -> list[str]:
    """Return the first names of an answer, for a pronoun to stand for."""
    first = answer[:400]
    words = [name for _role, name in _named(_MARKUP.sub("", first), is_inside=False)]
    return [word for name in words for word in _WORD.findall(name)][:MAX_NAMES]


def leans(question: str) -> bool:
    """Return whether a question cannot be understood without the one before it.

    What comes after words enough of its own ("the capital of Mongolia, and who lives there?")
    leans on those.
    """
    own = len(content_words(question))
    if own < 2:
        return True
    found = _LEANS.search(question)
    if found is None or own > SHORT_WORDS:
        return False
    return len(content_words(question[: found.start()])) < OWN_TOPIC_WORDS


def content_words(text: str) -> list[str]:
    """Return the words of a text that say what it is about, each once, in order."""
    seen: dict[str, str] = {}
    for word in _WORD.findall(text):
        folded = word.casefold()
        if folded not in _EMPTY and (len(folded) > 1 or folded.isdigit()):
            seen.setdefault(folded, word)
    return list(seen.values())
