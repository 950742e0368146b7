"""The part of a conversation that a page shows: one path through the tree of its messages."""

import uuid
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Prefetch
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.choices import FINAL_STATUSES, CacheOutcome, MessageRole, TurnRoute, TurnStatus
from chat.explaining import ContextUse, context_use
from chat.follow_ups import follow_ups
from chat.golden import GoldenOffer, golden_offers
from chat.models import Citation, Conversation, Feedback, Message, Turn
from chat.rendering import citation_urls, render_answer, verdicts_of
from chat.states import AskedState, state_of
from project.accounts.models import User

PAGE = 50
"""How many messages of a path a page shows at once."""

_Row = tuple[uuid.UUID, uuid.UUID | None, str]


@dataclass(frozen=True, slots=True)
class Siblings:
    """Other tries at the same place of the tree: this is `number` of `total`."""

    number: int
    total: int
    previous: uuid.UUID | None
    next: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answering as the page shows it: finished, or a place for what is still to come."""

    turn: Turn
    message: Message | None
    html: SafeString = field(default=mark_safe(""))
    citations: list[Citation] = field(default_factory=list)
    feedback: int = 0
    siblings: Siblings | None = None
    golden: GoldenOffer | None = None
    follow_ups: list[str] = field(default_factory=list)

    @property
    def context(self) -> ContextUse | None:
        """How full the context of the answer was, where that was noted."""
        return context_use(self.turn)

    @property
    def is_finished(self) -> bool:
        """Whether no more events will come."""
        return self.turn.status in FINAL_STATUSES

    @property
    def is_failed(self) -> bool:
        """Whether the answering broke off with an error."""
        return self.turn.status == TurnStatus.FAILED

    @property
    def is_stopped(self) -> bool:
        """Whether a person stopped it."""
        return self.turn.status == TurnStatus.STOPPED

    @property
    def state(self) -> AskedState | None:
        """The earlier state of knowledge that was asked, if any."""
        return state_of(self.turn)

    @property
    def lacking(self) -> str:
        """What could not take part in finding passages, as a sentence, or the empty string."""
        degraded = self.turn.trace.get("degraded", [])
        if "keyword" in degraded:
            return _("Too many texts of that time have to be prepared first: some may be missing.")
        if "vector" in degraded and self.turn.as_of is not None:
            return _("Some texts of that time could be found by their words only.")
        if "vector" in degraded:
            return _("Search by meaning was not available: passages were found by words.")
        return ""

    @property
    def given_before(self) -> str:
        """That this is a kept answer, as a sentence, or the empty string.

        Whoever asked before stays unnamed, and so does what they wrote.
        """
        if self.turn.cache == CacheOutcome.EXACT:
            return _("This answer was given before, and its sources have not changed since.")
        if self.turn.cache == CacheOutcome.SEMANTIC:
            return _(
                "This answer was given before, to a question in other words. If it does not fit,"
                " have it answered again."
            )
        return ""

    @property
    def doubts(self) -> str:
        """How many sentences do not stand in their sources, as a sentence, or the empty string."""
        found = verdicts_of(self.turn) or {}
        count = found.get("unsupported", 0) + found.get("partly", 0)
        words = ngettext(
            "%(count)s of %(all)s sentences does not, or not wholly, stand in its sources: it is"
            " marked.",
            "%(count)s of %(all)s sentences do not, or not wholly, stand in their sources: they"
            " are marked.",
            count,
        )
        checked = count + found.get("supported", 0)
        return words % {"count": count, "all": checked} if count else ""

    @property
    def notice(self) -> str:
        """A sentence that the answering left for the reader, or the empty string."""
        return str(self.turn.trace.get("notice", ""))


@dataclass(frozen=True, slots=True)
class Question:
    """A message of the person."""

    message: Message
    siblings: Siblings | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """What a page shows, oldest first; `earlier` is the message before which there is more."""

    items: list[Question | Answer]
    earlier: uuid.UUID | None = None


def thread_of(
    conversation: Conversation,
    user: User,
    *,
    leaf: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
) -> Thread:
    """Return the newest messages of a path: the newest one, or the newest below `leaf`.

    `before`: only what precedes that message. An unknown `leaf` or `before` counts as absent.
    """
    rows: list[_Row] = list(
        conversation.messages.order_by("created_at", "id").values_list("id", "parent_id", "role")
    )
    path = _path(rows, before or leaf)
    if before is not None and before in path:
        path = path[: path.index(before)]
    elif before is not None:
        path = []
    shown = path[-PAGE:]
    earlier = shown[0] if len(path) > len(shown) else None
    is_newest = before is None and leaf is None
    items = _items(conversation, user, shown, _siblings(rows), is_newest=is_newest)
    return Thread(items, earlier)


def path_of(conversation: Conversation, *, leaf: uuid.UUID | None = None) -> list[uuid.UUID]:
    """Return the messages of the newest path, or of the newest through `leaf`, oldest first."""
    rows = conversation.messages.order_by("created_at", "id")
    return _path(list(rows.values_list("id", "parent_id", "role")), leaf)


def answer_of(turn: Turn, user: User) -> Answer:
    """Return one answering by itself, as it is stored now."""
    rows: list[_Row] = list(
        Message.objects.filter(parent=turn.question)
        .order_by("created_at", "id")
        .values_list("id", "parent_id", "role")
    )
    opinions = _opinions(user, [turn.answer_id] if turn.answer_id else [])
    return _led_on(_answer(turn, opinions, _siblings(rows), golden_offers(user, [turn])), user)


def turns_with_answers(conversation: Conversation) -> Any:
    """Return the turns of a conversation with all that an answer shows of them."""
    return conversation.turns.select_related("answer", "question", "conversation").prefetch_related(
        Prefetch("citations", Citation.objects.order_by("index"))
    )


def _path(rows: list[_Row], through: uuid.UUID | None) -> list[uuid.UUID]:
    """Return the ids from the root to the newest message, by way of `through` when it exists."""
    parents = {pk: parent for pk, parent, _role in rows}
    newest_child = {parent: pk for pk, parent, _role in rows}  # oldest first: the last one wins
    leaf = rows[-1][0] if rows else None
    if through in parents:
        leaf = through
        while leaf in newest_child:
            leaf = newest_child[leaf]
    path: list[uuid.UUID] = []
    while leaf is not None:
        path.append(leaf)
        leaf = parents.get(leaf)
    return path[::-1]


def _siblings(rows: list[_Row]) -> dict[uuid.UUID, Siblings]:
    groups: dict[tuple[uuid.UUID | None, str], list[uuid.UUID]] = {}
    for pk, parent, role in rows:
        groups.setdefault((parent, role), []).append(pk)
    return {
        pk: Siblings(
            number=place + 1,
            total=len(group),
            previous=group[place - 1] if place else None,
            next=group[place + 1] if place + 1 < len(group) else None,
        )
        for group in groups.values()
        if len(group) > 1
        for place, pk in enumerate(group)
    }


def _items(
    conversation: Conversation,
    user: User,
    path: list[uuid.UUID],
    siblings: dict[uuid.UUID, Siblings],
    *,
    is_newest: bool,
) -> list[Question | Answer]:
    messages = conversation.messages.in_bulk(path)
    turns = turns_with_answers(conversation)
    question = _regenerated(turns, path, messages) if is_newest else None
    if question is not None:
        path = path[: path.index(question) + 1]
    answered = {turn.answer_id: turn for turn in turns.filter(answer__in=path)}
    unanswered = _unanswered(turns, path, messages)
    opinions = _opinions(user, path)
    offers = golden_offers(user, [*answered.values(), *unanswered.values()])
    items: list[Question | Answer] = []
    for pk in path:
        if messages[pk].role == MessageRole.USER:
            items.append(Question(messages[pk], siblings.get(pk)))
        turn = unanswered.get(pk) or answered.get(pk)
        if turn is not None:
            items.append(_answer(turn, opinions, siblings, offers))
    if items and isinstance(items[-1], Answer):
        items[-1] = _led_on(items[-1], user)
    return items


def _led_on(answer: Answer, user: User) -> Answer:
    """Return a finished answer with what may be asked next, of today's knowledge."""
    if not answer.is_finished or answer.turn.as_of is not None or not answer.citations:
        return answer
    if answer.turn.route == TurnRoute.HUMAN:
        return answer
    asked = answer.turn.question.content
    return replace(answer, follow_ups=follow_ups(answer.citations, user, asked))


def _unanswered(
    turns: Any, path: list[uuid.UUID], messages: dict[uuid.UUID, Message]
) -> dict[uuid.UUID, Turn]:
    """Return the newest turn of each question of the path that no answer follows."""
    followers = [*path[1:], None]
    alone = [
        pk
        for pk, following in zip(path, followers, strict=True)
        if messages[pk].role == MessageRole.USER
        and (following is None or messages[following].role == MessageRole.USER)
    ]
    newest = turns.filter(question__in=alone).order_by("created_at", "id")
    # What a person has answered stands where they said it, and what waits for them needs no word.
    by_person = [each for each in newest if each.route == TurnRoute.HUMAN]
    silent = {each.pk for each in by_person if each.answer_id or not each.trace.get("notice")}
    return {turn.question_id: turn for turn in newest if turn.pk not in silent}


def _regenerated(
    turns: Any, path: list[uuid.UUID], messages: dict[uuid.UUID, Message]
) -> uuid.UUID | None:
    """Return the last question of the path when it is being answered once more just now."""
    questions = [pk for pk in path if messages[pk].role == MessageRole.USER]
    if not questions:
        return None
    turn: Turn | None = turns.filter(question=questions[-1]).order_by("-created_at", "id").first()
    return None if turn is None or turn.status in FINAL_STATUSES else questions[-1]


def _opinions(user: User, path: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Return what the person thought of the answers: 1 or -1 by message."""
    rows = Feedback.objects.filter(message__in=path, user=user)
    return dict(rows.values_list("message_id", "value"))


def _answer(
    turn: Turn,
    opinions: dict[uuid.UUID, int],
    siblings: dict[uuid.UUID, Siblings],
    offers: dict[uuid.UUID, GoldenOffer],
) -> Answer:
    message = turn.answer
    citations = list(turn.citations.all())
    if message is None:
        return Answer(turn, None, citations=citations)
    html = render_answer(message.content, citation_urls(turn), verdicts_of(turn))
    return Answer(
        turn,
        message,
        html=mark_safe(html),  # noqa: S308 - render_answer sanitises
        citations=citations,
        feedback=opinions.get(message.pk, 0),
        siblings=siblings.get(message.pk),
        golden=offers.get(turn.pk),
    )
