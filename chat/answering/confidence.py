"""How sure retrieval is that what it found answers the question. Pure.

The confidence is the best fused score: similarity of meaning and match of words on fixed scales,
weighed by whether the model reads the language (`knowledge.ranking`). It is 0 to 1 and comparable
between questions to one space; how much is enough depends on the space (`chat.confidence`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from chat.types import Passage

_SMALL_TALK = re.compile(
    r"""
    ^\W*(?:
        (?:hi|hello|hey|good\ (?:morning|afternoon|evening|night)|thanks?|thank\ you|thx|cheers|bye
          |goodbye|ok(?:ay)?|great|perfect|cool|nice|sorry|please|yes|no|got\ it|well\ done
          |how\ are\ you(?:\ doing)?|how(?:['’]s|\ is)\ it\ going|what['’]?s\ up|yo|lol|(?:ha){2,}
          |(?:nice|pleased)\ to\ meet\ you|awesome|excellent|wonderful|no\ problem|you\ too|ty
          |see\ you(?:\ (?:later|soon|tomorrow))?|have\ a\ (?:nice|good|great)
            \ (?:day|evening|night|weekend|one)
          |are\ you\ (?:a\ |an\ )?(?:robot|bot|human|person|machine|ai|real)
          |what(?:['’]?s|\ is)\ your\ name
          |who\ are\ you|what\ can\ you\ do|can\ you\ help(?:\ me)?
          |ol[aá]|oi|bom\ dia|boa\ (?:tarde|noite)|(?:muito\ )?obrigad[oa]|valeu|tchau
          |at[eé]\ (?:logo|mais)|certo|beleza|[oó]timo|perfeito|legal|desculpe?|sim|n[aã]o|entendi
          |tudo\ (?:bem|bom|certo|joia|j[oó]ia)|e\ a[ií]|como\ vai(?:\ voc[eê])?|k{3,}|(?:rs){1,}
          |como\ (?:voc[eê]\ )?(?:est[aá]|vai)|blz|vlw|obg|maravilha|show|de\ nada|igualmente
          |at[eé]\ (?:amanh[aã]|breve)|tenha\ (?:um\ bom|um\ [oó]timo)\ dia|bom\ fim\ de\ semana
          |tenha\ uma\ (?:boa|[oó]tima)\ (?:tarde|noite|semana)|prazer(?:\ em\ conhec[eê]-l[oa])?
          |voc[eê]\ [eé]\ (?:um\ |uma\ )?(?:rob[oô]|humano|humana|pessoa|m[aá]quina|ia|real|bot)
          |qual\ (?:[eé]\ )?o\ seu\ nome|quem\ [eé]\ voc[eê]|o\ que\ voc[eê]\ (?:faz|sabe\ fazer)
          |voc[eê]\ pode\ me\ ajudar)
        (?:\W+(?:there|everyone|acervo|all|again|so\ much|very\ much|a\ lot|for\ (?:the|your)\ help
          |pessoal|de\ novo|mesmo|pela\ ajuda|a\ todos))*\W*
    )+$
    """,
    re.IGNORECASE | re.VERBOSE,
)
_ABOUT_THE_TALK = re.compile(
    r"\b(?:translate|summari[sz]e|shorten|rephrase|reword|rewrite|simplify|in other words"
    r"|explain (?:again|that|it|this)|your (?:last |previous )?answers?|(?:last|previous) answer"
    r"|you (?:just )?said|this conversation|traduz\w*|resum[ae]\w*|reescrev\w*|reformul\w*"
    r"|simplifi\w*|em outras palavras|expli(?:que|ca|car) (?:de novo|melhor|isso)"
    r"|(?:sua|[uú]ltima) resposta|voc[eê] disse|esta conversa)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Confidence:
    """What retrieval found, and the least that is enough."""

    score: float
    nearest: float
    match: float
    threshold: float

    @property
    def is_enough(self) -> bool:
        """Whether the question may be answered."""
        return self.score >= self.threshold

    @property
    def trace(self) -> dict[str, float]:
        """The numbers as the trace of a turn has them."""
        return {
            "score": round(self.score, 4),
            "nearest": round(self.nearest, 4),
            "match": round(self.match, 4),
            "threshold": round(self.threshold, 4),
        }


def confidence_in(passages: Sequence[Passage], threshold: float) -> Confidence:
    """Return how sure retrieval is; 0 without passages."""
    signals = [each.signals for each in passages]
    return Confidence(
        score=max((_score(each) for each in passages), default=0.0),
        nearest=max(((each.get("vector") or {}).get("similarity", 0.0) for each in signals),
                    default=0.0),
        match=max(((each.get("keyword") or {}).get("match", 0.0) for each in signals),
                  default=0.0),
        threshold=threshold,
    )  # fmt: skip


def is_small_talk(text: str) -> bool:
    """Whether a message only greets, thanks or agrees: nothing that knowledge could answer."""
    return _SMALL_TALK.match(text) is not None


def is_about_the_talk(text: str) -> bool:
    """Whether a message asks for something with what was said: to translate it, to shorten it."""
    return _ABOUT_THE_TALK.search(text) is not None


def _score(passage: Passage) -> float:
    """Return the fused score: a reranking model's scores are on a scale of their own."""
    fused = passage.signals.get("fused")
    return float(passage.score if fused is None else fused)
