"""The words by which the check for contradictions reads a statement, English and Portuguese.

Folded: small letters without accents. Compiled for Acervo.
"""

from __future__ import annotations

import re

# -- modality --------------------------------------------------------------------------------------

OBLIGATION, PROHIBITION, PERMISSION, EXEMPTION = "must", "must not", "may", "need not"

_EXEMPT = (
    r"needs? not|needn't|(?:do|does|did)(?: not|n't) (?:have|need) to"
    r"|(?:is|are)(?: not|n't) (?:required|mandatory|compulsory|obligatory|obliged|necessary)"
    r"|(?:is|are) optional|exempt(?:ed)? from"
    r"|nao (?:precisam?|necessitam?|e preciso|e necessari[oa]|e obrigatori[oa]|sao obrigados"
    r"|sao obrigatori[oa]s|sao necessari[oa]s|exig\w+|ha necessidade)"
    r"|e opcional|sao opcionais|e facultativ[oa]|sao facultativ[oa]s"
    r"|(?:esta|estao|e|sao|fica|ficam) (?:isent|dispensad)[oa]s?"
)
_FORBIDDEN = (
    r"(?:must|may|shall|should|can|could)(?: not|n't)|cannot|can't"
    r"|(?:is|are|be)(?: strictly)? (?:forbidden|prohibited|banned)"
    r"|(?:is|are)(?: not|n't) (?:allowed|permitted|accepted)|under no circumstances"
    r"|nao (?:deve(?:m|ra|rao)?|pode(?:m|ra|rao)?|e permitid[oa]|sao permitid[oa]s"
    r"|e admitid[oa]|sao admitid[oa]s|e aceit[oa]|sao aceit[oa]s|e autorizad[oa])"
    r"|(?:e|sao|esta|estao|fica|ficam)(?: terminantemente)? (?:proibid|vedad)[oa]s?"
    r"|proib(?:e|em|ido)|em nenhuma hipotese"
)
_REQUIRED = (
    r"must|shall|should|(?:has|have|had) to|ought to|(?:is|are|be) (?:required|obliged)"
    r"|(?:is|are) (?:mandatory|compulsory|obligatory)|needs? to"
    r"|deve(?:m|ra|rao)?|tem (?:de|que)|precisam?|(?:e|sao) obrigatori[oa]s?"
    r"|(?:e|sao) obrigad[oa]s?|(?:e|sao) necessari[oa]s?|e preciso"
)
_ALLOWED = (
    r"may|can|could|(?:is|are|be) (?:allowed|permitted|accepted|entitled)"
    r"|pode(?:m|ra|rao)?|(?:e|sao) (?:permitid|admitid|aceit|autorizad)[oa]s?"
)
MODALS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"\b(?:{pattern})\b"))
    for kind, pattern in (
        (EXEMPTION, _EXEMPT),
        (PROHIBITION, _FORBIDDEN),
        (OBLIGATION, _REQUIRED),
        (PERMISSION, _ALLOWED),
    )
)
"""Tried in order: what the first matches is none of the others."""
CLASHES = frozenset(
    {
        frozenset({OBLIGATION, PROHIBITION}),
        frozenset({PERMISSION, PROHIBITION}),
        frozenset({OBLIGATION, EXEMPTION}),
        frozenset({OBLIGATION, PERMISSION}),
    }
)

NEGATION = re.compile(
    r"\b(?:not|never|no|nobody|none|nothing|neither|nor|without|\w+n't|nao|nunca|jamais|nenhum[ao]?"
    r"|ninguem|nada|nem|sem)\b"
)
# Not a denial of anything: "no more than", "not only", "sem falta".
HARMLESS_NEGATION = re.compile(
    r"\b(?:no (?:more|less|fewer|later|earlier|sooner) than|not (?:more|less|fewer|later|only) than"
    r"|not only|no\.? ?\d+|nao mais (?:de|do) que|nao so|nao apenas|sem falta|nem sempre"
    r"|no (?:maximo|minimo|entanto|dia|caso|local|site|prazo|mesmo|ramal|final|inicio|primeiro"
    r"|segundo|proximo|verao|inverno|sabado|domingo|museu|porto|terminal|balcao|app|sistema))\b"
)

# -- what excludes each other ----------------------------------------------------------------------

OPPOSITES: tuple[tuple[str, str], ...] = (
    ("open", "closed"), ("always", "never"), ("included", "excluded"), ("includes", "excludes"),
    ("enabled", "disabled"), ("mandatory", "optional"), ("compulsory", "optional"),
    ("required", "optional"), ("refundable", "non-refundable"), ("valid", "invalid"),
    ("active", "inactive"), ("public", "confidential"), ("public", "private"),
    ("aberto", "fechado"), ("aberta", "fechada"), ("abertos", "fechados"), ("sempre", "nunca"),
    ("incluido", "excluido"), ("incluida", "excluida"), ("inclui", "exclui"),
    ("ligado", "desligado"), ("obrigatorio", "opcional"), ("obrigatoria", "opcional"),
    ("obrigatorio", "facultativo"), ("obrigatoria", "facultativa"), ("valido", "invalido"),
    ("ativo", "inativo"), ("publico", "sigiloso"), ("publico", "privado"),
)  # fmt: skip
"""Said of one thing, the two cannot both be true."""

SIDES: tuple[frozenset[str], ...] = tuple(
    frozenset(row.split())
    for row in (
        "adult adults child children baby babies senior seniors student students teenager",
        "adulto adultos crianca criancas bebe bebes idoso idosos estudante estudantes",
        "day daytime night nightly morning afternoon evening",
        "dia diurno noite noturno noturna manha tarde",
        "weekday weekdays weekend weekends saturday saturdays sunday sundays holiday holidays",
        "monday mondays tuesday tuesdays wednesday wednesdays thursday thursdays friday fridays",
        "semana sabado sabados domingo domingos feriado feriados",
        "segunda terca quarta quinta sexta",
        "summer winter spring autumn",
        "verao inverno primavera outono",
        "january february march april june july august september october november december",
        "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
        "minimum maximum least most",
        "minimo maximo menos mais",
        "first second third last",
        "primeiro segundo terceiro ultimo primeira segunda ultima",
        "north south east west",
        "norte sul leste oeste",
        "before after",
        "antes depois apos",
        "arrival departure",
        "chegada saida partida",
        "indoor outdoor indoors outdoors inside outside",
        "dentro fora",
        "opens closes opening closing",
        "abre fecha abertura fechamento",
        "single return",
        "ida volta",
        "left right",
        "esquerda direita",
        "upper lower",
        "superior inferior",
        "hot cold",
        "quente frio quente fria",
        "small medium large",
        "pequeno medio grande pequena media",
        "resident residents visitor visitors",
        "morador moradores visitante visitantes",
        "member members non-member",
        "associado associados",
        "employee employees contractor contractors",
        "funcionario funcionarios terceirizado",
        "car cars motorcycle motorcycles bicycle bicycles truck trucks van vans",
        "carro carros moto motos bicicleta bicicletas caminhao caminhoes",
        "daily weekly monthly quarterly annual annually yearly",
        "diario semanal mensal trimestral anual diaria diariamente semanalmente mensalmente",
        "cash card transfer",
        "dinheiro cartao transferencia",
        "urgent normal routine",
        "urgente normal rotina",
        "more less",
        "above below",
        "acima abaixo",
        "old new",
        "velho novo antigo",
        "full half reduced",
        "inteira meia",
        "domestic international",
        "nacional internacional",
        "red green blue yellow orange",
        "vermelho verde azul amarelo laranja vermelha amarela",
        "first-time repeat",
        "gross net",
        "bruto liquido",
        "buy sell",
        "start end",
        "inicio fim comeco termino",
        "entry exit",
        "entrada saida",
    )
)
"""Words of one row name different things: two statements with different ones are not of one."""

# -- numbers ---------------------------------------------------------------------------------------

NUMBER_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30,
    "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100,
    "dois": 2, "duas": 2, "tres": 3, "quatro": 4, "cinco": 5, "seis": 6, "sete": 7, "oito": 8,
    "nove": 9, "dez": 10, "onze": 11, "doze": 12, "quinze": 15, "vinte": 20, "trinta": 30,
    "quarenta": 40, "cinquenta": 50, "sessenta": 60, "noventa": 90, "cem": 100,
    "half": 0.5, "twice": 2, "thrice": 3,
}  # fmt: skip
VAGUE_NUMBERS = frozenset({"one", "half", "hundred"})
"""Too often no number: they count only before a unit."""

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan janeiro", "february feb fevereiro fev", "march mar marco",
            "april apr abril abr", "may maio mai", "june jun junho", "july jul julho",
            "august aug agosto ago", "september sep sept setembro set", "october oct outubro out",
            "november nov novembro", "december dec dezembro dez",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip

UNITS: dict[str, tuple[str, float]] = {
    word: (unit, factor)
    for unit, factor, words in (
        ("minute", 1, "minute minutes min mins minuto minutos"),
        ("minute", 60, "hour hours h hr hrs hora horas"),
        ("minute", 1440, "day days dia dias"),
        ("minute", 10080, "week weeks semana semanas"),
        ("minute", 1 / 60, "second seconds segundo segundos s"),
        ("month", 1, "month months mes meses"),
        ("month", 12, "year years ano anos"),
        ("metre", 1, "m metre metres meter meters metro metros"),
        ("metre", 1000, "km kilometre kilometres kilometer kilometers quilometro quilometros"),
        ("metre", 0.01, "cm centimetre centimetres centimeter centimeters centimetro centimetros"),
        ("metre", 0.001, "mm millimetre millimetres milimetro milimetros"),
        ("gram", 1, "g gram grams grama gramas"),
        ("gram", 1000, "kg kilo kilos kilogram kilograms quilo quilos quilograma quilogramas"),
        ("gram", 1_000_000, "t ton tons tonne tonnes tonelada toneladas"),
        ("litre", 1, "l litre litres liter liters litro litros"),
        ("litre", 0.001, "ml millilitre millilitres mililitro mililitros"),
        ("degree", 1, "degree degrees grau graus °c"),
        ("knot", 1, "knot knots nos"),
        ("byte", 1, "kb"), ("byte", 1000, "mb"), ("byte", 1_000_000, "gb"),
        ("percent", 1, "percent pct %"),
        ("volt", 1, "v volt volts"), ("watt", 1, "w watt watts"), ("watt", 1000, "kw"),
    )
    for word in words.split()
}  # fmt: skip
WORKING = frozenset({"working", "business", "uteis", "util"})

AT_LEAST, AT_MOST, OVER, UNDER = "at least", "at most", "over", "under"
BOUNDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (bound, re.compile(rf"(?:{pattern})\s*\Z"))
    for bound, pattern in (
        (
            AT_MOST,
            (
                r"at most|up to|(?:no|not) (?:more|longer|later) than|within|maximum(?: of)?|until"
                r"|till|by|ate|no maximo|em ate|maximo(?: de)?|nao mais (?:de|do) que"
            ),
        ),
        (
            AT_LEAST,
            (
                r"at least|(?:no|not) (?:less|fewer|shorter) than|minimum(?: of)?|pelo menos"
                r"|no minimo|ao menos|minimo(?: de)?|a partir d[aeo]s?"
            ),
        ),
        (
            OVER,
            (
                r"more than|over|above|exceed(?:s|ing)?|older than|after|mais de|acima de|apos"
                r"|depois d[aeo]s?|superior(?:es)? a"
            ),
        ),
        (
            UNDER,
            (
                r"less than|fewer than|under|below|younger than|before|menos de|abaixo de"
                r"|antes d[aeo]s?|inferior(?:es)? a"
            ),
        ),
    )
)
"""What stands before a number and bounds it, tried in order. The last two are mostly conditions:
"payments above 500" and "payments above 5,000" are of different payments."""

# -- names ---------------------------------------------------------------------------------------

LABELS = {
    word: name
    for name, words in (
        ("extension", "extension ext ramal"),
        ("telephone", "telephone phone tel telefone"),
        ("port", "port porta"),
    )
    for word in words.split()
}
"""Before a number, they make it a value; any other word makes it a name, as in "line 2"."""

_GENERIC = (
    "policy policies procedure procedures guide manual handbook rule rules faq question questions "
    "answer answers checklist note notes overview list table proposal draft incident report trial "
    "general information about politica politicas procedimento procedimentos guia manual regra "
    "regras pergunta perguntas resposta respostas lista tabela proposta rascunho incidente "
    "relatorio aviso sobre informacoes norma normas"
)
_NAMERS = (
    "line room gate floor version level step section chapter article form train unit building zone "
    "phase class type channel page box table list berth pier deck route number platform linha sala "
    "portao andar versao nivel etapa secao capitulo artigo formulario predio zona fase classe tipo "
    "canal pagina tabela lista vaga rota numero plataforma bloco"
)
NAMERS = frozenset(_NAMERS.split())
"""With these before it, a number is a name even where a word follows."""

GENERIC_TITLE = frozenset(_GENERIC.split())
"""Words of titles that say what a text is, and not what it is about."""

PAST = re.compile(
    r"\b(?:was|were|had|did|been|foi|foram|era|eram|estava|estavam|tinha|tinham|teve|tiveram|houve"
    r"|ficou|ficaram|ate entao|at that time|na epoca)\b"
)
