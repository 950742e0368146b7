"""Characters that a reader does not see, and a program does."""

import re
from dataclasses import dataclass

# Control characters but tab and line feed; embeddings and overrides of the writing direction, and
# isolates; what has no width and no business in plain text; annotations; variation selectors of
# which no emoji has need. Joiners (emoji, Persian, Indic scripts) and direction marks stay.
_UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0100-\U000e01ef"
)
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]{2,6}\U000e007f"  # of England, Scotland, Wales
_REMOVED = re.compile(f"({_FLAG})|[{_UNSEEN}]|[\U000e0000-\U000e007f]")
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
ZERO_WIDTH = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text without characters that nobody sees, and how many there were."""

    text: str
    removed: int


def cleaned(text: str) -> Cleaned:
    """Return a text as it may be kept: line ends are line feeds, unseen characters are gone."""
    lines = _LINE_ENDS.sub("\n", text)
    plain = _REMOVED.sub(lambda match: match[1] or "", lines)
    return Cleaned(plain, len(lines) - len(plain))


def written_in_tags(text: str) -> str:
    """Return what is written in tag characters, which show as nothing and which models read."""
    spans = _TAGS.findall(re.sub(_FLAG, "", text))
    return " ".join("".join(chr(ord(char) - 0xE0000) for char in span) for span in spans)
