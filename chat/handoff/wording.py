"""Whether a message asks for a person, by rules in English and Portuguese.

The whole message must be such a request: "How do I talk to a person overboard?" is a question.
"""

import re
import unicodedata

MOST_CHARS = 160

_EN = r"""
(?:(?:hi|hello|hey|ok|okay|no|please|sorry|thanks|thank\ you|well|so|but|then
  |good\ (?:morning|afternoon|evening)|{NO_BOT}
  |(?:this|that|it|you)\ (?:(?:is|are)\ not|(?:isn|aren)\ t|s\ not|re\ not)
     \ (?:helping|helpful|working|useful)(?:\ me)?)\ )*
(?:
  (?:(?:i\ (?:just\ )?(?:want|need|wish|would\ (?:like|rather|prefer)|d\ (?:like|rather|prefer))
     (?:\ to)?|i\ prefer\ to|can\ (?:i|you)(?:\ please)?|could\ (?:i|you)(?:\ please)?
     |may\ i|let\ me|how\ (?:do|can)\ i|is\ it\ possible\ to|i\ must)\ )?
  (?:please\ )?
  (?:(?:talk|speak|chat)\ (?:to|with)
    |(?:connect|transfer|switch|pass|hand)\ me(?:\ (?:over|through))?\ (?:to|with)
    |put\ me\ (?:through\ to|in\ touch\ with)|escalate(?:\ (?:this|it|me))?\ to
    |get\ me|call\ me|give\ me|call|contact|reach|get)
  \ {WHO}
 |i\ (?:just\ )?(?:want|need|would\ like|d\ like|prefer)\ {WHO}
 |is\ there\ (?:anyone|anybody|{WHO})\ (?:(?:here|there)\ )?(?:here|there|(?:that\ |who\ )?
    i\ (?:can|could)\ (?:talk|speak|chat)\ (?:to|with))
 |(?:(?:i\ (?:just\ )?(?:want|need|would\ like|d\ like)\ to|can\ i|could\ i|may\ i|let\ me|please)
     \ )?(?:talk|speak|chat)\ (?:to|with)\ {DESK}
 |(?:(?:can|could|will|would)\ you\ )?(?:please\ )?(?:put|connect|transfer|pass)\ me
    (?:\ (?:over|through))?\ (?:to|with)\ {DESK}
 |{WHO_ALONE}|{NO_BOT}
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
    r"(?:(?:a\ )?(?:real|live|human)\ (?:person|human|agent|operator)|human|agent|operator"
    r"|representative)"
)
_EN_DESK = (
    r"(?:(?:the|your|a|customer|technical|tech)\ )*"
    r"(?:service|support|care|help\ ?desk|service\ desk|manager|supervisor)(?:\ team)?"
)
_EN_NO_BOT = (
    r"i\ (?:don\ t|do\ not)\ (?:want|like)\ (?:to\ (?:talk|speak|chat)\ (?:to|with)\ )?"
    r"(?:a\ |an\ |the\ |this\ )?(?:bots?|robots?|machines?|ai|computers?)(?:\ any\ ?more)?"
)

_PT = r"""
(?:(?:oi|ola|bom\ dia|boa\ tarde|boa\ noite|por\ favor|ok|entao|mas|desculpe|obrigad[oa]|{NO_BOT}
  |(?:isso\ |voce\ )?nao\ (?:esta|ta)\ (?:me\ )?(?:ajudando|funcionando))\ )*
(?:
  (?:(?:eu\ )?(?:so\ )?(?:quero|queria|gostaria\ de|preciso(?:\ de)?|prefiro|desejo|posso|poderia
     |pode|podem|podia|da\ para|tem\ como|como\ (?:eu\ )?(?:faco\ para|posso|consigo)
     |e\ possivel|quero\ que)\ )?
  (?:por\ favor\ )?(?:me\ )?
  (?:(?:falar|fala|conversar|ser\ atendid[oa]|tratar)\ (?:com|por)
    |(?:transfer(?:e|ir|ira)|pass(?:a|e|ar)|encaminh(?:a|e|ar)|conect(?:a|e|ar)|liga(?:r)?|coloca(?:r)?)
     (?:-me|\ me)?\ (?:para|pra|pro|a|ao|com|por)
    |cham(?:a|e|ar))
  \ {WHO}
 |(?:eu\ )?(?:so\ )?(?:quero|queria|preciso\ de|gostaria\ de|prefiro)\ {WHO}
 |tem\ {WHO}\ (?:(?:ai|aqui)\ )?(?:ai|aqui|com\ quem\ eu\ possa\ falar
    |(?:que\ possa|que\ pode|para|pra)\ (?:me\ )?(?:atender|ajudar))
 |(?:(?:eu\ )?(?:quero|queria|gostaria\ de|preciso(?:\ de)?|posso|poderia)\ )?
    (?:falar|conversar)\ com\ {DESK}
 |(?:me\ )?(?:transfer(?:e|ir|ira)|pass(?:a|e|ar)|encaminh(?:a|e|ar))\ (?:para|pra|pro|ao)\ {DESK}
 |{WHO_ALONE}|{NO_BOT}
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
_PT_ALONE = r"(?:atendimento\ humano|atendente(?:\ humano)?|pessoa\ (?:real|de\ verdade)|humano)"
_PT_DESK = (
    r"(?:o\ |a\ |um\ |uma\ |seu\ |sua\ )?(?:suporte(?:\ tecnico)?|sac|atendimento(?:\ ao\ cliente)?"
    r"|central\ de\ atendimento|gerente|supervisor|supervisora)"
)
_PT_NO_BOT = (
    r"(?:eu\ )?nao\ quero\ (?:mais\ )?(?:falar\ com\ |conversar\ com\ )?"
    r"(?:um\ |uma\ |esse\ |este\ |o\ |a\ )?(?:robos?|bots?|maquinas?|ia)"
)


def _pattern(rule: str, **parts: str) -> re.Pattern[str]:
    for name, part in parts.items():
        rule = rule.replace(f"{{{name}}}", part)
    return re.compile(rule, re.VERBOSE)


_RULES = (
    _pattern(_EN, WHO=_EN_WHO, WHO_ALONE=_EN_ALONE, DESK=_EN_DESK, NO_BOT=_EN_NO_BOT),
    _pattern(_PT, WHO=_PT_WHO, WHO_ALONE=_PT_ALONE, DESK=_PT_DESK, NO_BOT=_PT_NO_BOT),
)


def asks_for_person(text: str) -> bool:
    """Return whether the message asks for somebody to talk to, and nothing else."""
    if len(text) > MOST_CHARS:
        return False
    folded = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(each for each in folded if not unicodedata.combining(each))
    words = " ".join(re.sub(r"[^\w\s-]+", " ", letters).split())
    return any(rule.fullmatch(words) for rule in _RULES)
