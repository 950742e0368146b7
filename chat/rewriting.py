"""Making a follow-up question stand on its own, for retrieval, without a model.

"And how much does it cost?" finds nothing by itself. When a question leans on what was said
before, the content words of the previous question are put in front of it. What is asked of the
language model stays as it was written: it sees the conversation.
"""

import re
from collections.abc import Sequence

from chat.types import PastMessage

SHORT_WORDS = 4  # content words from which a question stands alone
MAX_ADDED_WORDS = 12
_WORD = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")

# English and Portuguese words that carry no topic.
_EMPTY_WORDS = """
    a about also am an and any are as at be been but by can could did do does for from had has have
    he her him his how i if in into is it its just like many may me more much must my no not of on
    one only or our please she should so some such tell than that the their them then there these
    they this those to too us was we were what when where which who whom whose why will with would
    yes you your
    ai ainda algum alguma ao aos até com como da das de dela dele delas deles depois do dos e é
    ela elas ele eles em entre era essa essas esse esses esta está estão estas este estes eu foi
    fosse há isso isto já lá lhe mais mas me mesmo meu minha muito na não nas nem no nos nós nossa
    nosso num numa o onde os ou para pela pelas pelo pelos pode podem por porque pra qual quais
    quando quanto quanta quantos quantas que quem se sem ser seu seus sua suas só também tem têm ter
    um uma umas uns você vocês
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_LEANS = re.compile(
    r"""
    ^\W*(?:and|but|so|also|or|then|what\ about|how\ about|why\ not|e|mas|ou|então|também|e\ se)\b
    | \b(?:it|its|they|them|their|theirs|this|that|these|those|there|he|she|him|her|his|same
          |former|latter|one|ones|else|more|above|instead
          |ele|ela|eles|elas|dele|dela|deles|delas|nele|nela|isso|isto|aquilo|esse|essa|esses
          |essas|este|esta|estes|estas|aquele|aquela|disso|nisso|disto|lá|mesmo|mesma|outro|outra
          |outros|outras|acima)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)


def standalone_question(question: str, history: Sequence[PastMessage]) -> str:
    """Return what to search for: the question, led by the topic of the last one if it leans on it.

    A question leans when it begins as a continuation, holds a pronoun, or has hardly any words of
    its own; short ones only: a long question brings its topic along.
    """
    previous = next((each.content for each in reversed(history) if each.role == "user"), "")
    own = content_words(question)
    if not previous or not leans(question):
        return question
    known = {word.casefold() for word in own}
    added = [word for word in content_words(previous) if word.casefold() not in known]
    return " ".join([*added[:MAX_ADDED_WORDS], question]) if added else question


def leans(question: str) -> bool:
    """Return whether a question cannot be understood without the one before it."""
    own = len(content_words(question))
    if own < 2:
        return True
    return own <= SHORT_WORDS and _LEANS.search(question) is not None


def content_words(text: str) -> list[str]:
    """Return the words of a text that say what it is about, each once, in order."""
    seen: dict[str, str] = {}
    for word in _WORD.findall(text):
        folded = word.casefold()
        if folded not in _EMPTY and (len(folded) > 1 or folded.isdigit()):
            seen.setdefault(folded, word)
    return list(seen.values())
