"""The words the extractive answerer knows: English and Brazilian Portuguese. Data only."""

import re

_STOP_EN = """
a about above after again all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further get gets
give had has have having he her here hers him his how i if in into is it its itself just let
like may me might more most must my no nor not now of off on once only or other our ours out
over own please same shall she should so some such tell than that the their theirs them then
there these they this those through to too under until up us very was we were what when where
which while who whom whose why will with would you your yours
"""
_STOP_PT = """
a à ao aos aquela aquele aquilo as às até com como da das de dela dele deles depois do dos e é
ela elas ele eles em entre era essa esse esta está estão este eu foi for foram fica ficam há
isso isto já lá lhe mais mas me mesmo meu meus minha minhas muito na não nas nem no nos nós
nossa nosso num numa o os ou para pela pelas pelo pelos pode podem posso por porque preciso qual
quais quando que quem se sem ser será seu seus sou só sua suas são também te tem tenho ter toda
todas todo todos tu um uma umas uns você vocês vou onde quanto quantos quanta quantas devo deve
devem faço faz se-faz diga
"""
# Words that ask for a kind of answer more than they name its subject: they weigh little.
_FRAME = """
cost costs price prices much many long often soon fast far old big time date day days hour hours
week number amount kind type happen happens mean means way limit custa custam custo preço valor
tempo dia dias hora horas data vez vezes número tipo acontece significa forma quantidade
"""


def _folded(words: str) -> frozenset[str]:
    table = str.maketrans("áàâãäéêëíïóôõöúüçñ", "aaaaaeeeiioooouucn")
    return frozenset(words.translate(table).split())


STOP = {"en": _folded(_STOP_EN), "pt": _folded(_STOP_PT)}
STOP_ANY = STOP["en"] | STOP["pt"]
FRAME = _folded(_FRAME)

_NUMBER = r"""
    \d
    |\b(one|two|three|four|five|six|seven|eight|nine|ten|twelve|twice|once|half|no\ limit|free)\b
    |\b(um|uma|dois|duas|três|quatro|cinco|seis|sete|oito|nove|dez|doze|metade|meia)\b
    |\b(grátis|gratuit[oa])\b
"""
_UNITS = r"""
    seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?|immediately|at\ once
    |segundos?|minutos?|horas?|dias?|semanas?|m[eê]s(es)?|anos?|noites?|imediatamente|na\ hora
"""
_MONTHS = r"""
    january|february|march|april|may|june|july|august|september|october|november|december
    |janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro
"""
_WEEKDAYS = r"""
    (mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?|holidays?
    |segundas?|terças?|quartas?|quintas?|sextas?|sábados?|domingos?|feriados?
"""
_CLOCK = r"\d{1,2}[:h]\d{2}|\d{1,2}\s?(am|pm|h)\b|noon|midnight|meio-dia|meia-noite"

# kind of answer -> how a question asks for it
_ASKS = {
    "money": r"""
        how\ much\ (does|do|is|are|did|will|would|to)\b.*(cost|pay|price|charge|fee)
        |\b(price|fee|fare|cost)\ (of|for)\b|what\ (is|are)\ the\ (price|fee|fare|cost)
        |\b(quanto|quais?)\b.*\b(custa|custam|custo|preço|pago|paga|valor|tarifa|taxa|multa)
    """,
    "duration": r"""
        how\ (long|soon|fast|quickly|often|far\ ahead)|within\ what
        |how\ many\ (\w+\ )?(seconds|minutes|hours|days|weeks|months|years)
        |quanto\ tempo|quantos\ (dias|meses|anos|minutos)|quantas\ (horas|semanas)
        |de\ quanto\ em\ quanto|com\ que\ frequência|qual\ (é\ )?o\ prazo|em\ que\ prazo
    """,
    "number": r"""
        how\ (many|much|high|tall|old|big|large|deep|wide|heavy)|what\ (number|percentage|share)
        |\b(limit|maximum|minimum|amount|age|height|humidity|temperature|level|below\ which)\b
        |\b(up\ to\ what|at\ what|quant[oa]s?)\b
        |\b(limite|máxim[oa]|mínim[oa]|idade|altura|umidade|temperatura|nível|percentual)\b
    """,
    "time": r"""
        ^when\b|\bwhen\ (is|are|does|do|did|will|can|must|should|was)\b|what\ (time|date|day)
        |which\ (day|date|month|year)|(until|by)\ when|^(até\ )?quando\b|(a\ )?que\ horas
        |que\ (dia|data)|em\ que\ (dia|mês|ano)|quais?\ (os\ )?(dias|horários?)
        |\b(deadline|opening\ hours|timetable|schedule|prazo|horários?)\b
    """,
    "person": r"""
        ^who(m|se)?\b|\bwho\ (is|are|can|must|should|approves?|decides?)\b
        |^(a\ |com\ |de\ |para\ )?quem\b
    """,
    "place": r"""
        ^where\b|\bwhere\ (is|are|can|do|does|should)\b
        |which\ (place|island|room|building|office)|^(de\ |para\ |por\ )?onde\b
        |em\ que\ (lugar|sala|ilha|prédio)
    """,
    "cause": r"""
        ^why\b|\bwhy\ (is|are|was|were|did|does|do|can)\b
        |what\ (caused|was\ the\ cause|is\ the\ reason)|^por\ ?qu[eê]\b
        |(o\ )?que\ (causou|provocou)|qual\ (foi|é)\ (a\ causa|o\ motivo)
    """,
    "steps": r"""
        ^how\ (do|can|should|must|to|would|does\ one)\b
        |what\ (should|must|do)\ (i|we)\ do
        |^(como|o\ que)\b.*\b(faço|fazer|posso|devo|consigo|peço|pedir|marco|descubro|se\ faz)
        |^como\b.*\b(solicito|recorro|cancelo|cadastro|inscrevo)
    """,
}
# kind of answer -> what a unit that gives it contains
_GIVES = {
    "money": r"""
        (R\$|US\$|[$€£])\s?\d|\d\s?(reais|euros?|dollars?|%)|\b(free|grátis|gratuit[oa]s?)\b
    """,
    "duration": rf"""
        ({_NUMBER})[^.;]{{0,25}}\b({_UNITS})\b
        |\b(every|daily|weekly|monthly|yearly)\b
        |\b(a\ cada|todas?|diariamente|mensalmente|semanalmente)\b
    """,
    "number": _NUMBER,
    "time": rf"""
        {_CLOCK}|\b({_MONTHS})\b|\b({_WEEKDAYS})\b|\d{{4}}|\d{{1,2}}/\d{{1,2}}
        |({_NUMBER})[^.;]{{0,15}}\b({_UNITS})\b
        |\b(before|after|until|when|if|antes|depois|até|quando|se)\b
    """,
    "person": r"""
        \b(manager|director|officer|lead|head|coordinator|board|team|staff|committee|member|owner)s?\b
        |\b(supervisor|assembly|council|captain|gerente|diretora?|coordena\w+|chefia|equipe)\b
        |\b(conselho|comit[êe]|responsável|associad\w+|assembleia|ouvidoria|comandante)\b
        |\b(família\w*|pessoa\w*)\b|(?<=[a-zà-ú]\ )[A-ZÀ-Ú][a-zà-ú]+\ [A-ZÀ-Ú][a-zà-ú]+
    """,
    "place": r"""
        \b(at|in|on|near|beside|opposite|behind|under|from|next\ to|no|na|nos|nas|em|ao\ lado|perto
        |atrás|sob)\s+(the\ |o\ |a\ )?\w+
    """,
    "cause": r"""
        \b(because|due\ to|caused?|so\ that|therefore|reason|led\ to)\b
        |\b(porque|pois|devido|causou|causa|provocou|por\ isso|motivo|já\ que)\b
    """,
}
ASKS = {kind: re.compile(text, re.IGNORECASE | re.VERBOSE) for kind, text in _ASKS.items()}
GIVES = {kind: re.compile(text, re.IGNORECASE | re.VERBOSE) for kind, text in _GIVES.items()}

CAUSE_HEADING = re.compile(r"^(why|(root )?causes?|por qu[eê]|causas?|motivos?)\b", re.IGNORECASE)

# A sentence that begins so leans on the one before it.
LEANS_BACK = re.compile(
    r"""
    ^(it|they|this|these|those|that|he|she|both|then|also|otherwise|in\ that\ case
    |isso|isto|el[ea]s?|ess[ea]s?|est[ea]s?|nesse\ caso|neste\ caso|também|depois\ disso
    |caso\ contrário)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)

PHRASES = {
    "en": {
        "found": "Found in the knowledge base:",
        "nothing": "I found nothing about this in the knowledge base.",
        "hint": "Try other words, or ask about one thing at a time.",
        "notice": "Extractive answer: sentences quoted from the sources, without a language model.",
    },
    "pt": {
        "found": "Encontrado na base de conhecimento:",
        "nothing": "Não encontrei nada sobre isso na base de conhecimento.",
        "hint": "Tente outras palavras ou pergunte uma coisa de cada vez.",
        "notice": "Resposta extrativa: frases citadas das fontes, sem modelo de linguagem.",
    },
}
