"""Whether a message asks for a person, by rules in English and Portuguese.

The whole message must be such a request: "How do I talk to a person overboard?" is a question.
"""

import re
import unicodedata

MOST_CHARS = 160

_EN = r"""
(?:(?:hi|hello|hey|ok|okay|no|please|sorry|thanks|thank\ you|well|so|but|then)\ )*
(?:
  (?:(?:i\ (?:just\ )?(?:want|need|wish|would\ (?:like|rather|prefer)|d\ (?:like|rather|prefer))
     (?:\ to)?|i\ prefer\ to|can\ (?:i|you)(?:\ please)?|could\ (?:i|you)(?:\ please)?
     |may\ i|let\ me|how\ (?:do|can)\ i|is\ it\ possible\ to|i\ must)\ )?
  (?:please\ )?
  (?:(?:talk|speak|chat)\ (?:to|with)
    |(?:connect|transfer|switch|pass|hand)\ me(?:\ (?:over|through))?\ (?:to|with)
    |put\ me\ (?:through\ to|in\ touch\ with)|get\ me|call\ me|give\ me|call|contact|reach|get)
  \ {WHO}
 |i\ (?:just\ )?(?:want|need|would\ like|d\ like|prefer)\ {WHO}
 |is\ there\ {WHO}\ (?:here|there|i\ can\ (?:talk|speak)\ (?:to|with))
 |{WHO_ALONE}
)
(?:\ (?:please|now|here|instead|right\ now|thanks|thank\ you|directly
  |not\ (?:a\ |an\ |the\ )?(?:bot|robot|machine|ai)))*
"""
_EN_WHO = r"""
(?:(?:a|an|another|some|the|your)\ )?(?:(?:real|live|actual|human)\ )*
(?:person|people|human|human\ being|agent|operator|someone|somebody|representative|attendant
   |assistant\ who\ is\ human|member\ of\ staff|staff\ member|support\ agent|advisor|adviser)
(?:\ (?:real|human))?
"""
_EN_ALONE = (
    r"(?:(?:a\ )?(?:real|live|human)\ (?:person|human|agent|operator)|human\ please|agent\ please)"
)

_PT = r"""
(?:(?:oi|ola|bom\ dia|boa\ tarde|boa\ noite|por\ favor|ok|entao|mas|desculpe|obrigad[oa])\ )*
(?:
  (?:(?:eu\ )?(?:so\ )?(?:quero|queria|gostaria\ de|preciso(?:\ de)?|prefiro|desejo|posso|poderia
     |pode|podem|podia|da\ para|tem\ como|como\ (?:eu\ )?(?:faco\ para|posso|consigo)
     |e\ possivel|quero\ que)\ )?
  (?:por\ favor\ )?(?:me\ )?
  (?:(?:falar|fala|conversar|ser\ atendid[oa]|tratar)\ (?:com|por)
    |(?:transfer(?:e|ir|ira)|pass(?:a|e|ar)|encaminh(?:a|e|ar)|conect(?:a|e|ar)|liga(?:r)?|coloca(?:r)?)
     (?:-me|\ me)?\ (?:para|a|ao|com|por)
    |cham(?:a|e|ar))
  \ {WHO}
 |(?:eu\ )?(?:so\ )?(?:quero|queria|preciso\ de|gostaria\ de|prefiro)\ {WHO}
 |tem\ {WHO}\ (?:ai|aqui|com\ quem\ eu\ possa\ falar)
 |{WHO_ALONE}
)
(?:\ (?:por\ favor|agora|aqui|ai|ja|obrigad[oa]|diretamente
  |e\ nao\ com\ (?:um\ |uma\ )?(?:robo|maquina|ia|bot)))*
"""
_PT_WHO = r"""
(?:(?:um|uma|o|a|algum|alguma|outro|outra|seu|sua)\ )?
(?:atendente|atendimento\ humano|pessoa|humano|humana|ser\ humano|operador|operadora|alguem|gente
   |representante|funcionario|funcionaria|colaborador|colaboradora)
(?:\ (?:humano|humana|real|de\ verdade|de\ carne\ e\ osso))?
"""
_PT_ALONE = (
    r"(?:atendimento\ humano|atendente\ (?:humano|por\ favor)|pessoa\ (?:real|de\ verdade)"
    r"|humano\ por\ favor)"
)


def _pattern(rule: str, who: str, alone: str) -> re.Pattern[str]:
    return re.compile(rule.replace("{WHO_ALONE}", alone).replace("{WHO}", who), re.VERBOSE)


_RULES = (_pattern(_EN, _EN_WHO, _EN_ALONE), _pattern(_PT, _PT_WHO, _PT_ALONE))


def asks_for_person(text: str) -> bool:
    """Return whether the message asks for somebody to talk to, and nothing else."""
    if len(text) > MOST_CHARS:
        return False
    folded = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in folded if not unicodedata.combining(each))
    words = " ".join(re.sub(r"[^\w\s-]+", " ", letters).split())
    return any(rule.fullmatch(words) for rule in _RULES)
