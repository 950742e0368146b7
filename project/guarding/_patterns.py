"""Wordings by which a text gives orders to a model, in English and Portuguese.

Matched against folded text: small letters, no accents. Every gap between words is bounded and stays
inside a sentence, so that matching takes time in proportion to the text. `needs` are pieces of
which one must be there; `weight` is how much one match says (see `_signals`). An order says little
where it only belongs to a sentence about people: then `is_order` looks at what stands before it.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One wording. `is_order`: it counts only where somebody is told to do it."""

    name: str
    weight: float
    needs: tuple[str, ...]
    pattern: re.Pattern[str]
    is_order: bool = False


def _rule(name: str, weight: float, needs: str, pattern: str, *, is_order: bool = False) -> Rule:
    compiled = re.compile(pattern, re.VERBOSE | re.MULTILINE)
    return Rule(name, weight, tuple(needs.split("|")), compiled, is_order)


_GAP = r"[^.!?\n]{0,40}?"
_THINGS = r"""(?:instructions?|prompts?|rules?|directions?|guidelines?|directives?|commands?|orders
    |constraints?|restrictions?|programming|guardrails?|training|context|text|content|messages?
          |passages?|documents?)"""
_COISAS = r"""(?:instruc(?:ao|oes)|ordens|ordem|regras?|diretrizes|diretiva|comandos?
    |orientac(?:ao|oes)|restric(?:ao|oes)|prompts?|mensagens|texto|conteudo|contexto)"""

RULES = (
    # -- forget what you were told ---------------------------------------------------------------
    _rule("override", 0.8, "instruct|prompt|rule|direct|guid|command|order|constr|restric|programm"
          "|guardrail|training|context|text|content|message|passage|document", rf"""
        \b(?:ignore|disregard|forget|override|bypass|discard|neglect|erase|(?:do\ not|don['’]?t
          |never|stop)
          \ (?:follow|obey|apply|use)(?:ing)?|pay\ no\ attention\ to)\b
        (?:
          [^.!?\n]{{0,25}}?\b(?:previous|prior|above|earlier|preceding|foregoing|system|initial
          |original
            |existing|all\ your|(?:all|every|any|the)\ other)\b[^.!?\n]{{0,20}}?\b{_THINGS}\b
          |\ (?:all\ (?:of\ )?)?your\ (?:\w+\ ){{0,2}}(?:instructions?|prompts?|rules|guidelines
            |programming|guardrails?|restrictions|training|constraints)\b
          |\ (?:all\ )?(?:the\ )?{_THINGS}\ (?:above|before\ this|you\ (?:were|have\ been|got
          |received)|so\ far)\b
        )""", is_order=True),
    _rule("override", 0.7, "everything|anything|what|all that", r"""
        \b(?:ignore|disregard|forget|discard)\ (?:about\ )?(?:everything|anything|all\ that|all
          |what)\ (?:that\ )?
        (?:was\ (?:said|written)|you\ (?:were|have\ been|know|learned|read)|above|before|i\ said
          |so\ far|came)\b""",
        is_order=True),
    _rule("override", 0.8, "instruc|orden|ordem|regra|diretri|diretiva|comando|orientac|restric"
          "|prompt|mensage|texto|conteudo|contexto", rf"""
        \b(?:ignor(?:e|em|ar|a)|desconsider(?:e|em|ar|a)|esque(?:ca|cam|cer|ce)|descart(?:e|em|ar)
          |desobede(?:ca|cer)|anul(?:e|ar)|burl(?:e|ar)|contorn(?:e|ar)|nao\ (?:siga|sigam
          |obedeca|cumpra|use)
          |pare\ de\ (?:seguir|obedecer))\b
        (?:
          [^.!?\n]{{0,25}}?\b{_COISAS}\b[^.!?\n]{{0,20}}?\b(?:anterior(?:es)?|acima|previas?
          |originais|iniciais
            |(?:do|de)\ sistema|que\ (?:voce\ )?(?:recebeu|tem|te\ deram)|ja\ dadas?|ate\ aqui
          |ate\ agora)\b
          |\ (?:todas\ )?(?:as\ )?(?:suas|tuas|seus|teus)\ (?:\w+\ ){{0,1}}(?:instrucoes|regras
          |diretrizes|ordens
            |restricoes|comandos|orientacoes|prompts?)\b
        )""", is_order=True),
    _rule("override", 0.7, "tudo", r"""
        \b(?:ignor(?:e|em)|desconsidere|esqueca|descarte)\ tudo\ (?:o\ )?(?:que\ )?
        (?:acima|antes|(?:te|lhe)\ (?:foi|disseram)|foi\ (?:dito|escrito)|voce\ (?:sabe|leu
          |aprendeu)|veio|ate)\b""",
        is_order=True),
    # -- tell me what you were told ----------------------------------------------------------------
    _rule("reveal", 0.65, "prompt|instruc|system message|developer message|sistema|rules", rf"""
        \b(?:reveal|show|print|output|repeat|display|leak|expose|disclose|recite|dump|give|tell
          |write|copy|what
          |translate|summari[sz]e|quote)\b
        {_GAP}
        (?:\byour\ (?:\w+\ ){{0,2}}(?:system\ |hidden\ |secret\ |initial\ |internal\ |original\ )
            (?:prompts?|instructions?|rules|messages?|guidelines)
          |\byour\ (?:prompt|instructions)\b(?!\ (?:for|on|about|regarding|how|to|concerning|in
          |when)\b)
          |\b(?:the|this|any)\ (?:system\ prompt|system\ message(?!\s*["'“‘(]|\ (?:when|if|means?
          |about|on|that
            |says?|appears?|shown|for)\b)|hidden\ (?:prompt|instructions|rules)
            |initial\ prompt|secret\ (?:prompt|instructions)|developer\ message|prompt\ above
          |instructions\ above))\b""",
        is_order=True),
    _rule("reveal", 0.65, "prompt|instruc|sistema|regras|diretrizes", rf"""
        \b(?:revel(?:e|a|ar)|mostr(?:e|a|ar)|exib(?:a|ir)|imprim(?:a|ir)|repit(?:a)|repet(?:e|ir)
          |dig(?:a)|list(?:e|ar)
          |cont(?:e|a)|copi(?:e|ar)|traduz(?:a)|resum(?:a)|quais|qual)\b
        {_GAP}
        (?:\b(?:seu|o\ seu|o|teu|este)\ (?:prompt|system\ prompt)\b(?!\ d[aeo]\ (?!sistema))
          |\bmensagem\ (?:de|do)\ sistema\b(?!\ (?:quando|se|que|sobre|aparece|significa|diz
          |para)\b)
          |\b(?:suas|tuas)\ (?:instrucoes|regras|diretrizes)\ (?:internas|secretas|ocultas
          |originais|iniciais|(?:de|do)\ sistema)
          |\b(?:suas|tuas)\ instrucoes\b(?!\ (?:para|sobre|de|do|da|quanto|em|no
          |na)\b))""", is_order=True),
    _rule("reveal", 0.6, "above|acima", r"""
        \b(?:repeat|print|output|copy|translate|recite|repita|imprima|copie
          |traduza)\b[^.!?\n]{0,20}?
        \b(?:everything|all\ (?:the\ )?(?:text|words)|the\ (?:text|words)|tudo|o\ texto
          |as\ palavras)\b[^.!?\n]{0,20}?
        \b(?:above|before\ this|acima|antes\ d(?:isto|isso|esta))\b""", is_order=True),
    # -- be somebody else --------------------------------------------------------------------------
    _rule("role", 0.75, "you are|you're|act as|pretend|you will|roleplay|simulate|behave", r"""
        \b(?:you\ are\ (?:now|no\ longer|going\ to\ be)|you['’]re\ now|act\ as|pretend\ (?:to\ be
          |you\ are|that\ you\ are)
          |you\ will\ (?:now\ )?(?:act|play|become)|roleplay\ as|simulate|behave\ (?:as
          |like))\b[^.!?\n]{0,40}?
        \b(?:dan|jailbroken|unrestricted|unfiltered|uncensored|evil|hacker|(?:no
          |without(?:\ any)?)\ (?:rules|limits|restrictions
          |filters|guidelines|ethics|morals)|not\ bound|an?\ ai|a\ language\ model
          |developer\ mode|root|admin(?:istrator)?\ mode
          |free\ (?:of|from)|bound\ by)\b"""),
    _rule("role", 0.7, "developer mode|jailbreak|do anything now|god mode|modo desenvolvedor"
          "|modo dan"
          "|modo irrestrito|modo deus|dan mode", r"""
        \b(?:developer\ mode|jailbreak(?:\ mode)?|do\ anything\ now|god\ mode|dan\ mode
          |modo\ (?:desenvolvedor|dan|irrestrito|deus))
        \b[^.!?\n]{0,20}?(?:\b(?:on(?!\ (?:the|a|my|our|your|this))|enabled|activated?|unlocked
          |ativad[oa]|ligado|liberado)\b
          |[:,;!]|$)"""),
    _rule("role", 0.7, "enter|enable|activate|switch|ative|entre|habilite", r"""
        \b(?:enter|enable|activate|switch\ (?:in)?to|entre\ (?:em|no)|ative
          |habilite)\b[^.!?\n]{0,15}?
        \b(?:developer|debug|god|dan|jailbreak|unrestricted|maintenance|desenvolvedor|irrestrito
          |depuracao|deus)\ ?
        (?:mode|modo)?\b(?=[^\n]*(?:mode|modo|prompt|filter|filtro|answer
          |respon))""", is_order=True),
    _rule("role", 0.7, "from now on|henceforth|a partir de agora|de agora em diante", r"""
        \b(?:from\ now\ on|henceforth|a\ partir\ de\ agora
          |de\ agora\ em\ diante)\b[,:]?\ (?:you\ |voce\ )?
        (?:(?:will|must|shall|should|only|always|are\ to|vai|deve|so|apenas|sempre)\ ){0,2}
        (?:answer|respond|reply|say|ignore|obey|act|speak|output|pretend|call\ yourself
          |respond(?:a|er)|diga|dizer|ignor(?:e|ar)
          |obede(?:ca|cer)|aja|agir|finja|fale)\b"""),
    _rule("role", 0.75, "voce|finja|aja como|tu ", r"""
        \b(?:voce\ (?:agora\ e|e\ agora|nao\ e\ mais|sera\ agora)|finja\ (?:ser|que\ (?:e|voce))
          |aja\ como|comporte-se\ como
          |faca\ de\ conta)\b[^.!?\n]{0,40}?
        \b(?:dan|(?:sem|livre\ de)\ (?:restricoes|limites|filtros|regras|censura)|irrestrit[oa]
          |uma?\ ia|modelo\ de\ linguagem
          |hacker|modo\ desenvolvedor|administrador\ do\ sistema|mal(?:igno|vado))\b"""),
    _rule("role", 0.55, "new instruction|new rule|new task|novas instruc|nova instruc|nova tarefa"
          "|novas regras"
          "|updated instruction|real instruction", r"""
        \b(?:new|updated|real|novas?)\ (?:system\ )?(?:instructions?|rules|task|instruc(?:ao|oes)
          |regras|tarefa)
        (?:\ (?:for\ (?:you|the\ (?:ai|assistant|model))|do\ sistema|para\ voce))?\s*[:=]"""),
    # -- marks of a prompt -----------------------------------------------------------------------
    _rule("marks", 0.8, "<|im|<|system|<|user|<|assist|<|end|<|eot|<|start|[inst]|[/inst]|<<sys>>"
          "|<start_of_turn>"
          "|\\n\\nhuman:", r"""
        <\|(?:im_start|im_end|system|user|assistant|endoftext|end|eot_id|start_header_id
          |end_header_id)\|>
        |\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>"""),
    _rule("marks", 0.7, "</passage|</question|</memor|</system|</instruction|</summary|</context"
          "|</document", r"""
        </(?:passages?|question|memor(?:y|ies)|system|instructions?|summary|context
          |documents?)\s*>\s*(?=[^<\s]|<)"""),
    _rule("marks", 0.6, "system|sistema|assistant|assistente|developer", r"""
        ^[\s>*\#"'\[(]*(?:system|sistema|assistant|assistente|developer)(?:\ (?:prompt|message
          |override|instructions?|mensagem))?
        [\]\)*"']*\s*[:>]\s*(?=[^\n]{0,80}\b(?:you|your|ignore|disregard|answer|respond
          |voce|responda|always|never|sempre|nunca)\b)"""),
    # -- talking to machines ---------------------------------------------------------------------
    _rule("addressed", 0.65, "ai|llm|language model|chatbot|assistant|gpt| ia"
          "|modelo de linguagem|inteligencia", r"""
        \b(?:if|when|since|as|because|se|caso|quando|como)\ (?:you|voce|tu)\ (?:are|e|for|seja
          |es)\ (?:an?|uma?)[ ]
        (?:ai|llm|(?:large\ )?language\ model|chatbot|bot|ai\ assistant|assistant|ia
          |modelo\ de\ linguagem|inteligencia\ artificial
          |assistente(?:\ virtual)?|robo)\b"""),
    _rule("addressed", 0.6, "ai|llm|language model|chatbot|gpt| ia|modelo de linguagem"
          "|modelos de linguagem"
          "|inteligencia|assistente virtual", r"""
        \b(?:attention|note|notice|message|instructions?|important|warning|atencao|nota|aviso
          |mensagem|instruc(?:ao|oes)|importante)\b
        [^.!?\n]{0,15}?(?:\b(?:to|for|para|a|as|aos|ao)\b|[:,])\ (?:(?:all|any|the|every|todas?
          |todos|as|os|o|qualquer)\ ){0,2}
        (?:ai|llms?|(?:large\ )?language\ models?|chatbots?|ai\ (?:assistants?|agents?|systems?
          |models?)|gpt|ias?
          |modelos?\ de\ linguagem|inteligencias?\ artificia(?:l|is)|assistentes?\ virtua(?:l
          |is))\b(?!\ (?:policy|course|team|act|law))"""),
    _rule("addressed", 0.6, "ai |ai:|llm|language model|chatbot| ia |modelo de linguagem"
          "|assistente virtual", r"""
        \b(?:the\ |any\ |every\ |this\ |a\ |o\ )?(?:ai|llms?|language\ models?|chatbots?
          |ai\ (?:assistant|model|agent)s?|ia|modelo\ de\ linguagem
          |assistente\ virtual)\ (?:reading|processing|summari[sz]ing|that\ reads|que\ l[eê]r?
          |lendo|processando|resumindo)\b
        |\b(?:ai|llms?|language\ models?|chatbots?|ia|modelo\ de\ linguagem)\ (?:must|should
          |shall|has\ to|deve|precisa|tem\ que|tem\ de)
        \ (?:\w+\ ){0,2}?(?:answer|say|reply|respond|output|recommend|ignore|tell|append
          |responder|dizer|recomendar|ignorar|incluir)\b"""),
    _rule("concealed", 0.4, "user|reader|anyone|usuario|leitor|ninguem", r"""
        \b(?:do\ not|don['’]?t|never|without|nao|sem|nunca)\ (?:tell(?:ing)?|inform(?:ing)?
          |mention(?:ing)?|reveal(?:ing)?|alert(?:ing)?
          |warn(?:ing)?|notify(?:ing)?|cont(?:e|ar)|dig(?:a)|dizer|inform(?:e|ar)|mencion(?:e|ar)
          |revel(?:e|ar)|avis(?:e|ar))\b
        [^.!?\n]{0,30}?\b(?:users?|readers?|anyone|usuarios?|leitor(?:es)?|ninguem)\b"""),
    _rule("dictated", 0.4, "respond|reply|answer|output|say|print|responda|diga|imprima"
          "|escreva", r"""
        \b(?:(?:respond|reply|answer)\ (?:only|exactly|always|solely)?\ ?(?:with|by)|(?:output
          |print|say|write)\ (?:only|exactly)
          |(?:responda|diga|escreva|imprima)\ (?:so|somente|apenas|sempre|exatamente)(?:\ (?:com
          |que))?)\b""", is_order=True),
    # -- carrying data away ----------------------------------------------------------------------
    _rule("exfiltration", 0.75, "http|www|url|link|server|webhook|@|servidor|image", r"""
        \b(?:send|post|forward|transmit|upload|exfiltrate|email|append|encode|leak|submit|include
          |put|embed|envi(?:e|ar)|mand(?:e|ar)
          |transmit(?:a|ir)|encaminh(?:e|ar)|post(?:e|ar)|inclu(?:a|ir)|codifi(?:que|car)|coloque
          |anexe)\b[^!?\n]{0,60}?
        \b(?:conversations?|chat\ history|system\ prompt|(?:the\ )?users?['’]?s?\ (?:data
          |question|password|messages?|credentials|name
          |e-?mail|secrets?|address)|api\ keys?|session\ tokens?|(?:all\ )?(?:the\ )?memories
          |(?:this|the)\ (?:chat|prompt|context)
          |conversas?|historico|prompt|(?:dados|pergunta|senha|mensage(?:m|ns)|credenciais|nome
          |segredos?)\ do\ usuario
          |chaves?\ (?:de\ )?api|(?:as\ )?memorias|o\ contexto)\b
        [^!?\n]{0,50}?(?:https?://|\bwww\.|\b(?:url|link|image|server|webhook|imagem|servidor)\b
          |\S@\w)"""),
    _rule("tools", 0.7, "<tool_call|<function_call|<invoke|\"tool_calls\"|\"function_call\"", r"""
        <(?:tool_call|function_calls?|invoke)\b|"(?:tool_calls|function_call)"\s*:"""),
    _rule("tools", 0.5, "tool|function|ferramenta|funcao", r"""
        \b(?:call|invoke|use|execute|run|chame|invoque|use|execute)\ (?:the|a
          |o)\ (?:\w+[_\w]*\ )?(?:tool|function|ferramenta|funcao)\b
        [^.!?\n]{0,30}?\b(?:now|immediately|to\ (?:delete|send|post|read|fetch)
          |with\ (?:the\ )?(?:arguments?|parameters?)|agora
          |imediatamente|para\ (?:apagar|enviar|ler|excluir))\b""", is_order=True),
)  # fmt: skip
