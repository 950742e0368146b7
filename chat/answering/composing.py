"""From the text of a model to the events of an answer: marks, citations, blocks."""

import re
from collections.abc import Sequence

from chat.answering.marks import MarkRewriter, Piece
from chat.answering.snippets import best_sentence
from chat.rendering import render_answer
from chat.types import AnswerBlock, AnswerCitation, AnswerDelta, AnswerEvent, Passage
from project.markdown_blocks import BlockClosed, BlockSplitter, BlockText

_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


class Composer:
    """Feed the text as it comes; every call returns the events that became certain.

    A citation is announced before the text that shows its mark. The text of the deltas has no
    white space at its ends and nothing that a database cannot store.
    """

    def __init__(self, passages: Sequence[Passage], question: str) -> None:
        self._passages = passages
        self._question = question
        self._marks = MarkRewriter(len(passages))
        self._blocks = BlockSplitter()
        self._urls: list[str] = []
        self._cited: list[Passage] = []
        self._text: list[str] = []
        self._space = ""  # white space that is shown only if text follows
        self.has_text = False

    @property
    def cited(self) -> int:
        """How many passages have been cited."""
        return len(self._urls)

    @property
    def text(self) -> str:
        """The answer as far as it has been shown."""
        return "".join(self._text)

    @property
    def cited_passages(self) -> dict[int, Passage]:
        """What has been cited, by the numbers that are shown."""
        return dict(enumerate(self._cited, 1))

    def feed(self, text: str) -> list[AnswerEvent]:
        """Take the next text of the model."""
        return self._events(self._marks.feed(_UNSTORABLE.sub("", text)))

    def finish(self) -> list[AnswerEvent]:
        """Take the end of the text."""
        events = self._events(self._marks.finish())
        return events + self._shown(self._blocks.finish())

    def _events(self, piece: Piece) -> list[AnswerEvent]:
        events: list[AnswerEvent] = [self._citation(number) for number in piece.cited]
        text = self._trimmed(piece.text)
        return events + self._shown(self._blocks.feed(text)) if text else events

    def _trimmed(self, text: str) -> str:
        text = self._space + text
        stripped = text.rstrip()
        self._space = text[len(stripped) :]
        if not self.has_text:
            stripped, self._space = stripped.lstrip(), self._space if stripped else ""
        self.has_text = self.has_text or bool(stripped)
        return stripped

    def _shown(self, pieces: Sequence[BlockText | BlockClosed]) -> list[AnswerEvent]:
        self._text += [each.text for each in pieces if isinstance(each, BlockText)]
        return [
            AnswerDelta(each.text, each.block)
            if isinstance(each, BlockText)
            else AnswerBlock(each.block, render_answer(each.markdown, self._urls))
            for each in pieces
        ]

    def _citation(self, number: int) -> AnswerCitation:
        passage = self._passages[number - 1]
        self._urls.append(passage.url)
        self._cited.append(passage)
        return AnswerCitation(
            index=len(self._urls),
            node=str(passage.node),
            version=passage.version,
            chunk=str(passage.chunk),
            title=passage.title,
            snippet=best_sentence(passage.text, self._question),
            start=passage.start,
            end=passage.end,
            page=passage.page,
            url=passage.url,
            place=passage.place,
        )
