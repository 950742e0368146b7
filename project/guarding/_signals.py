"""Scoring a text: which signals it has, and how much they say together."""

import base64
import binascii
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from project.guarding._characters import BIDI, ZERO_WIDTH, cleaned, written_in_tags
from project.guarding._folding import folded
from project.guarding._patterns import RULES, Rule

SUSPECT = 0.5
"""The score from which on a text is treated with care."""

_ASKED = 0.35  # of the weight, where the words belong to a question about them
_IN_CODE = 0.4  # of the weight, where a picture or a frame is shown as code
_MOST = 40_000  # characters of a text that are read at once
_TOLD = re.compile(
    r"""(?:^|[.!?:;,\n"'(\[\]>*\-–—#»|/]\s*|\b(?:please|now|then|and|but|must|should|you|to|shall"
          r"|will|just|also|first|can|could
    |immediately|simply|instead|por\ favor|agora|e|mas|deve|devem|voce|favor|entao|ou|or|so
          |apenas|primeiro|also|tambem|pode
    |poderia|precisa|need\ to|want\ you\ to|me|que)\s+)\Z""",
    re.VERBOSE,
)
_TO_MODEL = re.compile(r"\b(?:you|voce|please|por favor)\s+(?:\w+\s+)?\Z")
_QUESTION = re.compile(
    r"""\s*(?:how|what|when|where|who|why|which|can|could|should|may|must|is|are|do|does|did|will
          |would|if|como|qual|quais|quando
    |onde|quem|por\ que|posso|pode|podemos|devo|deve|e\ possivel|o\ que|existe|se)\b""",
    re.VERBOSE,
)
_REPORTED = re.compile(
    r"""\b(?:such\ as|e\.g\.|for\ example|like|phrases?|patterns?|attacks?|injections?|examples?
          |called|exemplos?|como|frases?
    |ataques?|injec(?:ao|oes)|tipo)\b[^.!?\n]{0,60}["'“”‘’«`(]\s*\Z""",
    re.VERBOSE,
)
_SENTENCE_START = re.compile(r"[.!?\n]")
_PICTURE = re.compile(r"!\[[^\]]{0,300}\]\(\s*<?((?:https?:)?//[^)\s>]{1,2000})", re.IGNORECASE)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]]{1,100}\]:\s*<?(https?://[^\s>]{1,2000})", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]{0,300}\]\(\s*<?(https?://[^)\s>]{1,2000})", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"=(?:[^&#]*[{<\[$%]|[^&#]*(?:DATA|SECRET|PASSWORD|PROMPT|HISTORY|CONVERSATION|ANSWER|SENHA"
    r"|DADOS)\b)"
)
_LOADING = re.compile(
    r"<(?:img|iframe|script|object|embed|link|form|meta|video|audio|base|svg|input|source)\b"
    r"[^>]{0,300}?(?:src|href|action|data|srcset|content"
    r"|poster)\s*=\s*[\"']?[^\"'>]{0,40}?(?:https?:)?//",
    re.IGNORECASE,
)
_UNSHOWN = re.compile(
    r"display\s*:\s*none|font-size\s*:\s*0|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.\d])"
    r"|color\s*:\s*(?:white|#fff(?:fff)?|transparent)\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_BLOB = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,8000}={0,2}")
_DECODE = re.compile(r"\b(?:decode|base64|decodifi\w+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signal:
    """One finding: which rule, how much it says (0 to 1), and the words that it found."""

    rule: str
    weight: float
    found: str


@dataclass(frozen=True, slots=True)
class Signals:
    """What was found in a text. `score` is from 0 to 1."""

    found: tuple[Signal, ...] = ()

    @property
    def score(self) -> float:
        """Return the chance that not all findings are chance: each rule once, by its strongest."""
        strongest: dict[str, float] = {}
        for each in self.found:
            strongest[each.rule] = max(each.weight, strongest.get(each.rule, 0.0))
        harmless = 1.0
        for weight in strongest.values():
            harmless *= 1.0 - weight
        return round(1.0 - harmless, 3)

    @property
    def is_suspect(self) -> bool:
        """Whether the text should be treated with care."""
        return self.score >= SUSPECT

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the names of the rules, each once, in order."""
        return tuple(dict.fromkeys(each.rule for each in self.found))


@functools.lru_cache(maxsize=2048)
def signals_of(text: str) -> Signals:
    """Return the signs that a text speaks to a model, or would carry data away."""
    found: list[Signal] = []
    for start in range(0, len(text), _MOST):
        found += _signals(text[start : start + _MOST], depth=0)
    return Signals(tuple(found))


def _signals(text: str, depth: int) -> Iterator[Signal]:
    view = folded(text)
    for rule in RULES:
        if any(piece in view for piece in rule.needs):
            yield from _matches(rule, view)
    yield from _carriers(text)
    yield from _unseen(text)
    if depth < 2:
        yield from _encoded(text, depth)


def _matches(rule: Rule, view: str) -> Iterator[Signal]:
    for match in rule.pattern.finditer(view):
        before = view[max(0, match.start() - 100) : match.start()]
        weight = rule.weight
        if _REPORTED.search(before):
            weight *= _ASKED
        elif rule.is_order:
            if not _TOLD.search(before):
                continue
            if _is_asked_about(view, match.start(), before):
                weight *= _ASKED
        yield Signal(rule.name, weight, match[0][:120])


def _is_asked_about(view: str, start: int, before: str) -> bool:
    """Whether the words belong to a question about them, and not to one that asks for them."""
    if _TO_MODEL.search(before):
        return False
    begin = max((each.end() for each in _SENTENCE_START.finditer(before)), default=0)
    sentence_before = before[begin:] if begin or start <= len(before) else ""
    if not sentence_before.strip() or not _QUESTION.match(sentence_before):
        return False
    end = _SENTENCE_START.search(view, start)
    return end is not None and end[0] == "?"


def _carriers(text: str) -> Iterator[Signal]:
    """Yield pictures, links and elements by which an answer or a page could call another server."""
    code = [match.span() for match in _CODE.finditer(text)]

    def weighed(weight: float, match: re.Match[str]) -> Signal:
        is_code = any(start <= match.start() < end for start, end in code)
        return Signal("exfiltration", weight * (_IN_CODE if is_code else 1.0), match[0][:120])

    for match in [*_PICTURE.finditer(text), *_REFERENCE.finditer(text)]:
        address = unquote(match[1])
        if "?" not in address:
            continue
        is_open = _PLACEHOLDER.search(address) is not None
        is_reference = match.re is _REFERENCE
        yield weighed(0.9 if is_open else 0.3 if is_reference else 0.6, match)
    for match in _LINK.finditer(text):
        if _PLACEHOLDER.search(unquote(match[1])):
            yield weighed(0.5, match)
    for match in _LOADING.finditer(text):
        yield weighed(0.55, match)


def _unseen(text: str) -> Iterator[Signal]:
    """Yield text that readers do not see."""
    tagged = written_in_tags(text)
    if len(tagged) >= 4:
        yield Signal("hidden", 0.8, tagged[:120])
    if len(BIDI.findall(text)) >= 2:
        yield Signal("hidden", 0.4, "bidi")
    if len(ZERO_WIDTH.findall(text)) >= 40 and _zero_width_share(text) > 0.1:
        yield Signal("hidden", 0.5, "zero width")
    style = _UNSHOWN.search(_CODE.sub(" ", text))
    if style is not None:
        yield Signal("hidden", 0.45, style[0])


def _zero_width_share(text: str) -> float:
    return len(ZERO_WIDTH.findall(text)) / max(1, len(text))


def _encoded(text: str, depth: int) -> Iterator[Signal]:
    """Yield what is written in tag characters or base64 and would be a signal in plain."""
    tagged = written_in_tags(text)
    if tagged and Signals(tuple(_signals(tagged, depth + 1))).is_suspect:
        yield Signal("hidden", 0.9, tagged[:120])
    asks = _DECODE.search(text) is not None
    for match in _BLOB.finditer(text):
        plain = _decoded(match[0])
        if plain is None:
            continue
        if Signals(tuple(_signals(plain, depth + 1))).is_suspect:
            yield Signal("encoded", 0.85, plain[:120])
        elif asks:
            yield Signal("encoded", 0.35, plain[:120])


def _decoded(blob: str) -> str | None:
    """Return the text that base64 stands for; None where it is none."""
    standard = blob.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        plain = raw.decode()
    except (binascii.Error, ValueError):
        return None
    return plain if len(plain) > 8 and cleaned(plain).removed == 0 and plain.isprintable() else None
