"""What operators write, and what knowledge is made of it."""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.choices import MessageRole, TurnRoute
from chat.handoff.desk import messages_of, question_before
from chat.handoff.news import tell_after_commit
from chat.handoff.opening import human_turn, log_ended
from chat.models import Citation, Conversation, Handoff, Message, Turn
from chat.querysets import remember_related
from chat.services._common import absent, as_title
from chat.services.handoffs import handoff_lock, name_of
from knowledge.models import Chunk, Node, Proposal
from knowledge.services import Asked, golden_from_message, proposal_create
from project.accounts.models import User
from project.events.services import emit
from project.http.errors import Conflict, Invalid
from project.markdown import plain_text

MOST_CHARS = 10_000
MOST_CITED = 20
SNIPPET_CHARS = 280
_MARK = re.compile(r"\[(\d{1,2})\]")


def handoff_answer(
    *,
    acting_user: User,
    handoff_id: uuid.UUID,
    content: str,
    client_message_id: str,
    citations: Sequence[uuid.UUID] = (),
) -> Message:
    """Store what the operator of a handoff answers; the same client id again returns the first.

    `citations` are passages (chunks), `[1]` in the text the first of them; both the operator and
    the person who asked must be able to read them. Raises NotFound, Invalid, and Conflict:
    `wrong_status`, `not_assigned`, `client_message_id_reused`.
    """
    _check(content, client_message_id, citations)
    try:
        return _store(acting_user, handoff_id, content, client_message_id, citations)
    except IntegrityError:
        return _store(acting_user, handoff_id, content, client_message_id, citations)


@transaction.atomic
def _store(
    user: User,
    handoff_id: uuid.UUID,
    content: str,
    client_message_id: str,
    citations: Sequence[uuid.UUID],
) -> Message:
    known = _sent_before(user, handoff_id, content, client_message_id)
    if known is not None:
        return known
    handoff = handoff_lock(user, handoff_id)
    conversation = handoff.conversation
    passages = _passages(user, conversation.user, citations)
    parent = (
        Message.objects.filter(conversation=conversation).order_by("-created_at", "-id").first()
    )
    asked = Message.objects.filter(conversation=conversation, role=MessageRole.USER)
    question = asked.order_by("-created_at", "-id").first()
    if parent is None or question is None:
        raise absent()
    message = Message.objects.create(
        conversation=conversation,
        parent=parent,
        role=MessageRole.ASSISTANT,
        content=content,
        author=user,
        author_name=name_of(user),
        client_message_id=client_message_id,
    )
    turn = human_turn(conversation, question, answer=message)
    remember_related(turn, citations=_cite(turn, passages))
    message.answered_by = turn
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=Now())
    if handoff.answered_at is None:
        Handoff.objects.filter(pk=handoff.pk).update(answered_at=timezone.now())
    _announce(turn, handoff)
    return message


def _sent_before(
    user: User, handoff_id: uuid.UUID, content: str, client_message_id: str
) -> Message | None:
    handoff = Handoff.objects.visible_to(user).filter(pk=handoff_id).first()
    if handoff is None:
        raise absent()
    rows = Message.objects.with_turns().filter(
        conversation=handoff.conversation_id, client_message_id=client_message_id
    )
    message: Message | None = rows.first()
    if message is not None and (message.content != content or message.author_id != user.pk):
        raise Conflict(
            _("This client_message_id was used for another message."),
            code="client_message_id_reused",
            field="client_message_id",
        )
    return message


def _check(content: str, client_message_id: str, citations: Sequence[uuid.UUID]) -> None:
    if not content.strip():
        raise Invalid(_("The message is empty."), field="content", code="empty_message")
    if len(content) > MOST_CHARS:
        message = _("The message has %(count)s characters; %(limit)s are allowed.")
        raise Invalid(
            message % {"count": len(content), "limit": MOST_CHARS},
            field="content",
            code="message_too_long",
        )
    if not 0 < len(client_message_id) <= 100:
        raise Invalid(
            _("client_message_id must have 1 to 100 characters."), field="client_message_id"
        )
    if len(citations) > MOST_CITED:
        message = _("At most %(count)s passages can be cited.") % {"count": MOST_CITED}
        raise Invalid(message, field="citations")
    for name, text in (("content", content), ("client_message_id", client_message_id)):
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise Invalid(_("The text holds characters that cannot be stored."), field=name)


def _passages(user: User, reader: User, citations: Sequence[uuid.UUID]) -> list[Chunk]:
    if not citations:
        return []
    nodes = Node.objects.searchable_by(reader).filter(
        pk__in=Node.objects.visible_to(user).values("pk")
    )
    rows = Chunk.objects.filter(pk__in=citations, node__in=nodes).select_related("node")
    known = {each.pk: each for each in rows.defer("search", "terms", "sequence")}
    if not set(citations) <= set(known):
        raise Invalid(
            _("A passage has changed since, or cannot be read by the person. Look for it again."),
            field="citations",
            code="passage_gone",
        )
    return [known[each] for each in citations]


def _cite(turn: Turn, passages: Sequence[Chunk]) -> list[Citation]:
    return Citation.objects.bulk_create(
        Citation(
            turn=turn,
            index=index,
            node=each.node,
            cited_id=each.node_id,
            version=each.version,
            chunk_id=each.pk,
            title=each.node.title[:300],
            snippet=as_title(plain_text(each.text), limit=SNIPPET_CHARS),
            start=each.start,
            end=each.end,
            page=each.page,
        )
        for index, each in enumerate(passages, start=1)
    )


def _announce(turn: Turn, handoff: Handoff) -> None:
    emit(
        "chat.turn.completed",
        {
            "turn": str(turn.pk),
            "conversation": str(turn.conversation_id),
            "question": str(turn.question_id),
            "answer": str(turn.answer_id),
        },
        space_id=turn.conversation.space_id,
        subject_id=turn.pk,
    )
    log_ended(turn)
    tell_after_commit(handoff.pk)


@transaction.atomic
def answer_propose(
    *, acting_user: User, handoff_id: uuid.UUID, message_id: uuid.UUID
) -> tuple[Proposal, bool]:
    """Propose a node made of an operator's answer, in the space of the handoff.

    Return the proposal, a draft, and whether it was made just now: an answer has one. The marks
    of what it cites become links to those nodes. Raises NotFound, Forbidden and Invalid.
    """
    handoff, turn = _answered(acting_user, handoff_id, message_id)
    known = Proposal.objects.visible_to(acting_user).filter(pk=turn.trace.get("proposal")).first()
    if known is not None:
        return known, False
    assert turn.answer is not None
    question = question_before(handoff, turn.answer)
    title = as_title(question.content if question else turn.answer.content, limit=200)
    made = proposal_create(
        acting_user=acting_user,
        space=handoff.space,
        title=title,
        description=_("From an answer to a person who asked."),
        changes=[
            {
                "action": "create",
                "fields": {
                    "title": title,
                    "content": _linked(turn),
                    "kind": "faq",
                    "language": handoff.queue,
                },
            }
        ],
    )
    turn.trace = {**turn.trace, "proposal": str(made.pk)}
    turn.save(update_fields=["trace"])
    return made, True


def answer_golden(*, acting_user: User, handoff_id: uuid.UUID, message_id: uuid.UUID) -> Asked:
    """Make a golden question of what was asked and the nodes that an operator's answer cites.

    Raises NotFound, and Invalid (`nothing_cited`) for an answer that cites nothing to be found.
    """
    with transaction.atomic():
        handoff, turn = _answered(acting_user, handoff_id, message_id)
        assert turn.answer is not None
        question = question_before(handoff, turn.answer)
        rows = turn.citations.order_by("index").exclude(node=None)
        cited = list(dict.fromkeys(rows.values_list("node_id", flat=True)))
        if not cited or question is None:
            raise Invalid(
                _("A golden question names what must be found: cite a node in the answer."),
                code="nothing_cited",
            )
        return golden_from_message(
            acting_user=acting_user,
            message_id=turn.question_id,
            question=question.content,
            cited=cited,
        )


def _answered(user: User, handoff_id: uuid.UUID, message_id: uuid.UUID) -> tuple[Handoff, Turn]:
    """Return a handoff and the locked turn of an answer that an operator gave in it."""
    rows = Handoff.objects.visible_to(user).select_related("space", "conversation")
    handoff = rows.filter(pk=handoff_id).first()
    if handoff is None:
        raise absent()
    message = messages_of(handoff).filter(pk=message_id).exclude(author_name="").first()
    turns = Turn.objects.select_for_update(of=("self",)).select_related("answer", "conversation")
    turn = turns.filter(answer=message, route=TurnRoute.HUMAN).first() if message else None
    if turn is None:
        raise absent()
    return handoff, turn


def _linked(turn: Turn) -> str:
    titles = {each.index: each.title for each in turn.citations.all()}
    assert turn.answer is not None

    def link(mark: Any) -> str:
        title = titles.get(int(mark[1]))
        return f"[[{title}]]" if title else mark[0]

    return _MARK.sub(link, turn.answer.content)
