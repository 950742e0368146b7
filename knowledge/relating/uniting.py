"""One text of two that are nearly the same: nothing that only one of them says is lost. Pure."""

from __future__ import annotations

import re

from knowledge.quality.texts import jaccard, normalised, shingles

SAME = 0.6
"""Jaccard index of the words of two blocks, from which on they say the same."""

_BLOCK = re.compile(r"\n[ \t]*\n+")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s")
_FENCE = re.compile(r"^\s*(?:`{3,}|~{3,})", re.MULTILINE)


def united(kept: str, other: str) -> str:
    """Return the kept text, with the blocks of the other at its end that it does not have.

    Blocks are parted by blank lines; a heading comes along with the first block below it that is
    new. A text with fenced code is taken whole or not at all: code has blank lines of its own.
    """
    known = [_words(block) for block in _blocks(kept)]
    new: list[str] = []
    heading = ""
    for block in _blocks(other):
        if _HEADING.match(block):
            heading = block
            continue
        if _is_known(_words(block), known):
            continue
        if heading:
            new.append(heading)
            heading = ""
        new.append(block)
    return "\n\n".join([kept.rstrip(), *new]) + ("\n" if new or kept.endswith("\n") else "")


def _blocks(text: str) -> list[str]:
    if _FENCE.search(text):
        return [text.strip()]
    return [block.strip("\n") for block in _BLOCK.split(text) if block.strip()]


def _words(block: str) -> tuple[str, frozenset[str], frozenset[int]]:
    words = normalised(block)
    return words, frozenset(words.split()), shingles(words)


def _is_known(
    block: tuple[str, frozenset[str], frozenset[int]],
    known: list[tuple[str, frozenset[str], frozenset[int]]],
) -> bool:
    words, single, marks = block
    if not words:
        return True
    for there, theirs, there_marks in known:
        if words == there or words in there:
            return True
        share = jaccard(marks, there_marks) if marks and there_marks else 0.0
        common = len(single & theirs) / max(1, len(single | theirs))
        if max(share, common) >= SAME and _numbers(words) <= _numbers(there):
            return True
    return False


def _numbers(words: str) -> set[str]:
    """Return the words with a digit: a block that differs in one says something else."""
    return {word for word in words.split() if any(letter.isdigit() for letter in word)}
