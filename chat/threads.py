"""The part of a conversation that a page shows: one path through the tree of its messages."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.db.models import Prefetch, Q
from django.utils.safestring import mark_safe

from chat.choices import FINAL_STATUSES, MessageRole, TurnRoute
from chat.cold import warm, warmed
from chat.follow_ups import follow_ups
from chat.golden import GoldenOffer, golden_offers
from chat.history.kept import kept
from chat.history.paths import page_read
from chat.history.rows import citations_of, revived
from chat.models import Citation, Conversation, Feedback, Message, Turn
from chat.querysets import remember_related
from chat.rendering import citation_urls, render_answer, verdicts_of
from chat.thread_items import Answer, Question, Siblings, Thread
from project.accounts.models import User

PAGE = 50
"""How many messages of a path a page shows at once."""

_Row = tuple[uuid.UUID, uuid.UUID | None, str]


def thread_of(
    conversation: Conversation,
    user: User,
    *,
    leaf: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
) -> Thread:
    """Return the newest messages of a path: the newest one, or the newest below `leaf`.

    `before`: only what precedes that message. An unknown `leaf` counts as absent; nothing precedes
    an unknown `before`. One statement reads the rows, unless they are kept from the last time.
    """
    warmed(conversation)

    def read() -> dict[str, Any]:
        found = page_read(conversation, user_id=user.pk, leaf=leaf, before=before, page=PAGE)
        if found["is_cold"]:  # it went between two statements
            warm(conversation.pk)
            found = page_read(conversation, user_id=user.pk, leaf=leaf, before=before, page=PAGE)
        page = _Page(conversation, found)
        return {**found, "html": {str(pk): _html(each) for pk, each in page.turns.items()}}

    what = ["thread", user.pk, leaf, before, PAGE]
    page = _Page(conversation, kept(conversation, what, read))
    items = _items(page, user, is_newest=before is None and leaf is None)
    return Thread(items, page.path[0] if page.has_more else None)


def path_of(conversation: Conversation, *, leaf: uuid.UUID | None = None) -> list[uuid.UUID]:
    """Return the messages of the newest path, or of the newest through `leaf`, oldest first."""
    rows = conversation.messages.order_by("created_at", "id")
    return _path(list(rows.values_list("id", "parent_id", "role")), leaf)


def answer_of(turn: Turn, user: User) -> Answer:
    """Return one answering by itself, as it is stored now."""
    question = turn.question
    other = Q(conversation=turn.conversation_id, parent=question.parent_id, role=question.role)
    rows: list[_Row] = list(
        Message.objects.filter(Q(parent=question) | other)
        .order_by("created_at", "id")
        .values_list("id", "parent_id", "role")
    )
    opinions = dict(
        Feedback.objects.filter(message=turn.answer_id, user=user).values_list(
            "message_id", "value"
        )
    )
    offers = golden_offers(user, [turn])
    siblings = _siblings(rows)
    answer = _answer(turn, _html(turn), opinions, siblings, offers)
    return _led_on(replace(answer, question_siblings=siblings.get(question.pk)), user)


def turns_with_answers(conversation: Conversation) -> Any:
    """Return the turns of a conversation with all that an answer shows of them."""
    warmed(conversation)
    return conversation.turns.select_related("answer", "question", "conversation").prefetch_related(
        Prefetch("citations", Citation.objects.order_by("index"))
    )


class _Page:
    """The rows of a page, as `page_read` found them, joined together."""

    def __init__(self, conversation: Conversation, found: dict[str, Any]) -> None:
        self.path = [uuid.UUID(pk) for pk in found["path"]]
        self.follower: str | None = found["follower"]
        self.has_more: bool = found["has_more"]
        self.html: dict[uuid.UUID, str] = _by_id(found.get("html", {}))
        self.opinions: dict[uuid.UUID, int] = _by_id(found["opinions"])
        self.siblings = _siblings(
            [
                (uuid.UUID(pk), uuid.UUID(parent) if parent else None, role)
                for pk, parent, role in found["tree"]
            ]
        )
        rows = [revived(Message, each) for each in found["messages"]]
        self.messages = {each.pk: each for each in rows}
        for message in rows:
            message.conversation = conversation
        citations: dict[str, list[dict[str, Any]]] = {}
        for each in found["citations"]:
            citations.setdefault(each["turn_id"], []).append(each)
        # Oldest first.
        turns = [revived(Turn, each) for each in found["turns"]]
        self.turns = {each.pk: each for each in turns}
        for turn in turns:
            turn.conversation = conversation
            turn.question = self.messages[turn.question_id]
            turn.answer = self.messages[turn.answer_id] if turn.answer_id else None
            remember_related(turn, citations=citations_of(turn, citations.get(str(turn.pk), [])))


def _by_id(found: dict[str, Any]) -> dict[uuid.UUID, Any]:
    return {uuid.UUID(pk): value for pk, value in found.items()}


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


def _siblings(rows: Sequence[_Row]) -> dict[uuid.UUID, Siblings]:
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


def _items(page: _Page, user: User, *, is_newest: bool) -> list[Question | Answer]:
    path = page.path
    question = _regenerated(page) if is_newest else None
    if question is not None:
        path = path[: path.index(question) + 1]
    answered = {turn.answer_id: turn for turn in page.turns.values() if turn.answer_id in path}
    unanswered = _unanswered(page, path)
    offers = golden_offers(user, [*answered.values(), *unanswered.values()])
    items: list[Question | Answer] = []
    for pk in path:
        if page.messages[pk].role == MessageRole.USER:
            items.append(Question(page.messages[pk], page.siblings.get(pk)))
        turn = unanswered.get(pk) or answered.get(pk)
        if turn is not None:
            html = page.html[turn.pk]
            items.append(_answer(turn, html, page.opinions, page.siblings, offers))
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


def _unanswered(page: _Page, path: list[uuid.UUID]) -> dict[uuid.UUID, Turn]:
    """Return the newest turn of each question of the path that no answer follows."""
    if not path:
        return {}
    roles = [page.messages[pk].role for pk in path]
    last = page.follower if path == page.path else None
    followers = [*roles[1:], last or MessageRole.USER]
    alone = {
        pk
        for pk, role, following in zip(path, roles, followers, strict=True)
        if MessageRole.USER == role == following
    }
    newest = [each for each in page.turns.values() if each.question_id in alone]
    # What a person has answered stands where they said it, and what waits for them needs no word.
    by_person = [each for each in newest if each.route == TurnRoute.HUMAN]
    silent = {each.pk for each in by_person if each.answer_id or not each.trace.get("notice")}
    return {turn.question_id: turn for turn in newest if turn.pk not in silent}


def _regenerated(page: _Page) -> uuid.UUID | None:
    """Return the last question of the path when it is being answered once more just now."""
    questions = [pk for pk in page.path if page.messages[pk].role == MessageRole.USER]
    if not questions:
        return None
    turns = [each for each in page.turns.values() if each.question_id == questions[-1]]
    return questions[-1] if turns and turns[-1].status not in FINAL_STATUSES else None


def _html(turn: Turn) -> str:
    if turn.answer is None:
        return ""
    return render_answer(turn.answer.content, citation_urls(turn), verdicts_of(turn))


def _answer(
    turn: Turn,
    html: str,
    opinions: dict[uuid.UUID, int],
    siblings: dict[uuid.UUID, Siblings],
    offers: dict[uuid.UUID, GoldenOffer],
) -> Answer:
    message = turn.answer
    citations = list(turn.citations.all())
    if message is None:
        return Answer(turn, None, citations=citations)
    return Answer(
        turn,
        message,
        html=mark_safe(html),  # noqa: S308 - render_answer sanitises
        citations=citations,
        feedback=opinions.get(message.pk, 0),
        siblings=siblings.get(message.pk),
        golden=offers.get(turn.pk),
    )
