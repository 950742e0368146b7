"""A summary as Markdown: to copy, or to keep as a node."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _

from knowledge.synthesis.types import Citation, Sentence, Synthesis


def markdown_of(made: Synthesis, *, base_url: str = "") -> str:
    """Return sections with the numbers of their sources, and the sources.

    The numbers are links to the places; `base_url` goes before them, for use outside.
    """
    blocks: list[str] = []
    for section in made.sections:
        if section.heading:
            blocks.append(f"## {section.heading}")
        blocks += _blocks(section.sentences, base_url)
    if made.disagreements:
        blocks.append(f"## {_('Where the sources disagree')}")
        for each in made.disagreements:
            blocks.append("\n".join(f"- {_said(side, base_url)}" for side in each.sides))
    if made.sources:
        blocks.append(f"## {_('Sources')}")
        blocks.append(
            "\n".join(
                f"{each.index}. [{_plain(each.title)}]({base_url}{each.url})"
                for each in made.sources
            )
        )
    return "\n\n".join(blocks)


def _blocks(sentences: Iterable[Sentence], base_url: str) -> list[str]:
    """Return paragraphs; what was an item or a row in its source is one again."""
    blocks: list[str] = []
    was_prose = False
    for each in sentences:
        is_prose = each.kind == "sentence"
        said = _said(each, base_url)
        if blocks and is_prose == was_prose:
            blocks[-1] += f" {said}" if is_prose else f"\n- {said}"
        else:
            blocks.append(said if is_prose else f"- {said}")
        was_prose = is_prose
    return blocks


def _said(sentence: Sentence, base_url: str) -> str:
    marks = " ".join(_mark(each, base_url) for each in sentence.citations)
    return f"{_plain(sentence.text)} {marks}".strip()


def _mark(citation: Citation, base_url: str) -> str:
    return f"[\\[{citation.index}\\]]({base_url}{citation.url})"


def _plain(text: str) -> str:
    """Return plain words in which Markdown finds no links and no HTML."""
    return "".join(f"\\{each}" if each in "[]<>\\`*_" else each for each in text)
