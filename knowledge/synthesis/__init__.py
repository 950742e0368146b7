"""A summary of a topic across nodes: every sentence with its place, and what relates its sources.

1. `types`: what comes of it; `units`: the sentences of the passages that were found, with how much
   they say of the topic and how alike they are; `choosing`: aspects, and the sentences to quote;
   both without a model, but for the vectors of sentences where a model reads their language.
2. `naming`: headings of aspects; `disagreeing`: sentences that cannot both be true.
3. `checking`: whether a sentence is borne out by what it cites; `writing`: the same summary in the
   words of a language model, of which only sentences are kept that are borne out.
4. `composing`: the one way through all of it; `markdown`: a summary as a text to copy or to keep.

Modules import in that direction. Passages come from the one search, through its gate.
"""

from knowledge.synthesis.composing import synthesise, written
from knowledge.synthesis.markdown import markdown_of
from knowledge.synthesis.types import Synthesis

__all__ = ["Synthesis", "markdown_of", "synthesise", "written"]
