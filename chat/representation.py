"""The rows of chat as JSON: one form for REST, sockets and the log of a turn."""

from typing import Any

from chat.choices import MessageRole, TurnStatus
from chat.models import Citation, Conversation, Message, Turn
from chat.rendering import citation_url, citation_urls, render_answer, verdicts_of
from project.markdown import render_markdown


def conversation_body(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation."""
    return {
        "id": str(conversation.pk),
        "space": _id(conversation.space_id),
        "title": conversation.title,
        "model_tier": conversation.model_tier,
        "pinned": conversation.pinned_at is not None,
        "archived": conversation.archived_at is not None,
        "url": conversation.get_absolute_url(),
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }


def citation_body(citation: Citation) -> dict[str, Any]:
    """Return a citation, as `answer.citation` and the turn have it."""
    return {
        "index": citation.index,
        "node": _id(citation.node_id),
        "version": citation.version,
        "chunk": str(citation.chunk_id),
        "title": citation.title,
        "snippet": citation.snippet,
        "start": citation.start,
        "end": citation.end,
        "page": citation.page,
        "place": citation.place,
        "url": citation_url(citation),
    }


def message_body(message: Message) -> dict[str, Any]:
    """Return a message; an answer has its citations, a question the newest turn that answers it.

    Expects `Message.objects.with_turns()`, or a query for each.
    """
    turn = _turn_of(message)
    is_answer = message.role == MessageRole.ASSISTANT
    citations = list(turn.citations.all()) if turn is not None and is_answer else []
    urls = [citation_url(each) for each in citations]
    return {
        "id": str(message.pk),
        "conversation": str(message.conversation_id),
        "parent": _id(message.parent_id),
        "role": message.role,
        "author": {"name": message.author_name} if message.author_name else None,
        "content": message.content,
        "html": (
            render_answer(message.content, urls, verdicts_of(turn))
            if is_answer
            else render_markdown(message.content)
        ),
        "client_message_id": message.client_message_id,
        "created_at": message.created_at.isoformat(),
        "turn": _id(turn.pk if turn is not None else None),
        "turn_status": turn.status if turn is not None else None,
        "partial": bool(turn is not None and is_answer and turn.is_partial),
        "notice": turn.trace.get("notice", "") if turn is not None and is_answer else "",
        **(_state(turn) if turn is not None else dict.fromkeys(("as_of", "release"))),
        "citations": [citation_body(each) for each in citations],
    }


def turn_body(turn: Turn) -> dict[str, Any]:
    """Return a turn with its answer."""
    answer = turn.answer
    error = None
    if turn.status == TurnStatus.FAILED:
        error = {"code": turn.error_code, "message": turn.error_message}
    return {
        "id": str(turn.pk),
        "conversation": str(turn.conversation_id),
        "question": str(turn.question_id),
        "status": turn.status,
        "route": turn.route,
        "message_class": turn.message_class,
        "dispatched_to": turn.dispatched_to,
        "cache": turn.cache,
        "model": turn.model,
        "prompt_version": turn.prompt_version,
        "timings": turn.timings,
        "tokens": {"prompt": turn.prompt_tokens, "completion": turn.completion_tokens},
        "cost": float(turn.cost),
        "message": _id(turn.answer_id),
        "answer": answer.content if answer is not None else None,
        "html": render_answer(answer.content, citation_urls(turn), verdicts_of(turn))
        if answer is not None
        else "",
        "citations": [citation_body(each) for each in turn.citations.all()],
        "verification": verdicts_of(turn),
        "partial": turn.is_partial,
        "degraded": turn.trace.get("degraded", []),
        "notice": turn.trace.get("notice", ""),
        **_state(turn),
        "error": error,
        "attempts": turn.attempts,
        "last_seq": turn.last_seq,
        "trace_id": turn.trace_id,
        "created_at": turn.created_at.isoformat(),
        "started_at": turn.started_at.isoformat() if turn.started_at else None,
        "finished_at": turn.finished_at.isoformat() if turn.finished_at else None,
    }


def final_fields(turn: Turn) -> dict[str, Any]:
    """Return the last event of a finished turn."""
    if turn.status == TurnStatus.FAILED:
        return {"type": "turn.failed", "code": turn.error_code, "message": turn.error_message}
    message = message_body(turn.answer) if turn.answer is not None else None
    fields: dict[str, Any] = {
        "type": f"turn.{turn.status}",
        "message": message,
        "answer": message["content"] if message else "",
        "html": message["html"] if message else "",
        "citations": message["citations"] if message else [],
        "cache": turn.cache,
        "route": turn.route,
        "model": turn.model,
        "usage": {
            "prompt_tokens": turn.prompt_tokens,
            "completion_tokens": turn.completion_tokens,
            "total_tokens": turn.prompt_tokens + turn.completion_tokens,
            "cost": float(turn.cost),
        },
        "partial": turn.is_partial,
    }
    if turn.trace.get("notice"):
        fields["notice"] = turn.trace["notice"]
    return fields


def _state(turn: Turn) -> dict[str, Any]:
    """Return the state of knowledge that a turn asks, as `as_of` and `release`."""
    release = {"id": _id(turn.release_id), "name": turn.release_name}
    return {
        "as_of": turn.as_of.isoformat() if turn.as_of is not None else None,
        "release": release if turn.release_name else None,
    }


def _turn_of(message: Message) -> Turn | None:
    if message.role == MessageRole.ASSISTANT:
        return getattr(message, "answered_by", None)
    return max(message.turns.all(), key=lambda each: each.created_at, default=None)


def _id(value: object) -> str | None:
    return None if value is None else str(value)
