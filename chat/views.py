"""The chat page, and the pieces of HTML that its scripts load."""

import datetime
import json
import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_http_methods, require_safe

from chat import services
from chat.choices import REASONS_OF
from chat.cold import warmed
from chat.explaining import explained
from chat.exporting import exported
from chat.guest_pages import guests_too, left_of
from chat.handoff.desk import handoff_of
from chat.history.revisions import with_revision
from chat.listing import conversations_listed
from chat.models import Conversation, Share
from chat.once import proposal_answer as answer_once
from chat.services.admission import allowance_use
from chat.sharing import share_opened, shared_items
from chat.states import state_of
from chat.suggestions import SHOWN, suggestions_for
from chat.thread_items import Thread
from chat.threads import answer_of, thread_of, turns_with_answers
from knowledge.models import Proposal, Space
from knowledge.past_reading import releases_offered
from project.accounts.models import User
from project.http.api import id_of
from project.http.errors import ApiError, Invalid, TooMany
from project.http.ids import uuid_or_none

MOST_ASKED = 2000
"""Characters of a question that is answered once."""


@guests_too
@require_safe
@never_cache
def chat_home(request: HttpRequest) -> HttpResponse:
    """Show an empty chat; to a visitor, where a space is open to guests."""
    return render(request, "chat/chat.html", _page(_person(request), None, Thread([])))


@login_required
@never_cache
def proposal_answer(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Answer `q` as if a proposal were merged, once: a page, or with `piece` its answer alone.

    A POST, because it costs the work of a model. Nothing is kept.
    """
    user = _person(request)
    rows = Proposal.objects.visible_to(user).undecided().select_related("space")
    proposal = get_object_or_404(rows, pk=pk)
    question = request.POST.get("q", "").strip()[:MOST_ASKED]
    if not question:
        return redirect("admin:knowledge_proposal_preview", pk)
    retry_after = _retry_after(user)
    context = {"proposal": proposal, "question": question, "area": "knowledge"}
    if not retry_after:
        context["answer"] = answer_once(
            proposal, question, user=user, language=user.language or get_language() or "en"
        )
    else:
        context["retry_after"] = retry_after
    template = "_proposal_answer" if request.POST.get("piece") else "proposal_answer"
    status = 429 if retry_after else 200
    return render(request, f"chat/{template}.html", context, status=status)


@guests_too
@require_safe
@never_cache
def conversation_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show a conversation: its newest path, or the one through the message `leaf`."""
    user = _person(request)
    rows = with_revision(Conversation.objects.visible_to(user)).select_related("space")
    conversation = get_object_or_404(rows, pk=pk)
    thread = thread_of(conversation, user, leaf=_id(request, "leaf"))
    return render(request, "chat/chat.html", _page(user, conversation, thread))


@guests_too
@require_safe
@never_cache
def conversation_list(request: HttpRequest) -> HttpResponse:
    """Return a page of the conversation list as a piece of HTML (`q`: words, `after`: mark).

    `archived`: those that were put away, instead of the others.
    """
    listing = conversations_listed(
        _person(request),
        words=request.GET.get("q", "")[:200],
        after=request.GET.get("after", "")[:100],
        is_archive=bool(request.GET.get("archived")),
    )
    current = _id(request, "current")
    return render(request, "chat/_conversations.html", {"listing": listing, "current_id": current})


@guests_too
@require_safe
@never_cache
def earlier_messages(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Return the messages before the message `before` as a piece of HTML."""
    user = _person(request)
    conversation = get_object_or_404(with_revision(Conversation.objects.visible_to(user)), pk=pk)
    before = _id(request, "before")
    if before is None:
        raise Http404
    thread = thread_of(conversation, user, before=before)
    context = {"thread": thread, "conversation": conversation}
    return render(request, "chat/_thread.html", context)


@guests_too
@require_safe
@never_cache
def turn_answer(request: HttpRequest, pk: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """Return one answer as it is stored now, as a piece of HTML."""
    user = _person(request)
    conversation = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    row = get_object_or_404(turns_with_answers(conversation), pk=turn)
    context = {"item": answer_of(row, user), "conversation": conversation}
    return render(request, "chat/_answer.html", context)


@login_required
@require_safe
@never_cache
def turn_why(request: HttpRequest, pk: uuid.UUID, turn: uuid.UUID) -> HttpResponse:
    """Return how an answer came about as a piece of HTML, for the side panel."""
    user = _person(request)
    conversation = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    row = get_object_or_404(turns_with_answers(conversation), pk=turn)
    return render(request, "chat/_why.html", {"why": explained(row, user)})


@login_required
@require_safe
@never_cache
def conversation_export(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Send a conversation as a file: `as` markdown (its branch `leaf`, or the newest) or json."""
    conversation = get_object_or_404(Conversation.objects.visible_to(_person(request)), pk=pk)
    try:
        return exported(request, conversation, request.GET.get("as", ""), leaf=_id(request, "leaf"))
    except Invalid as error:
        return HttpResponse(error.message, status=400, content_type="text/plain")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def conversation_share(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show who may read a conversation, share it with a space, or take that back."""
    user = _person(request)
    conversation = get_object_or_404(Conversation.objects.visible_to(user), pk=pk)
    warmed(conversation)
    problem = ""
    if request.method == "POST":
        try:
            if request.POST.get("what") == "revoke":
                services.share_delete(acting_user=user, conversation=conversation)
            else:
                space = id_of(request.POST.get("space"))
                services.share_put(acting_user=user, conversation=conversation, space=space)
            return redirect("conversation-share", pk)
        except ApiError as error:
            problem = error.message
    share = Share.objects.filter(conversation=conversation).select_related("space").first()
    context = {
        "conversation": conversation,
        "share": share,
        "link": request.build_absolute_uri(share.get_absolute_url()) if share else "",
        "spaces": Space.objects.visible_to(user).order_by("-is_default", "name"),
        "chosen": share.space_id if share else conversation.space_id,
        "is_older": share is not None
        and conversation.messages.filter(created_at__gt=share.created_at).exists(),
        "memories": any(
            each.get("memories")
            for each in conversation.turns.values_list("trace", flat=True)
            if isinstance(each, dict)
        ),
        "problem": problem,
    }
    return render(request, "chat/share.html", context, status=400 if problem else 200)


@login_required
@require_safe
@never_cache
def shared_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Show a conversation that somebody shared with a space that the reader may read."""
    user = _person(request)
    share = share_opened(user, pk)
    if share is None:
        raise Http404(_("There is no such page, or it is not yours to see."))
    context = {"share": share, "items": shared_items(share, user), "area": "chat"}
    return render(request, "chat/shared.html", context)


@require_safe
@cache_control(max_age=3600)
def manifest(request: HttpRequest) -> JsonResponse:
    """Return what a browser needs to install the page like an application."""
    icon = "acervo/icons/app"
    body = {
        "name": "Acervo",
        "short_name": "Acervo",
        "description": _("Answers from your organisation’s knowledge, with their sources."),
        "lang": get_language() or "en",
        "id": "/",
        "start_url": reverse("chat-home"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#ffffff",
        "theme_color": "#14594f",
        "icons": [
            {"src": static(f"{icon}-192.png"), "sizes": "192x192", "type": "image/png"},
            {"src": static(f"{icon}-512.png"), "sizes": "512x512", "type": "image/png"},
            {
                "src": static(f"{icon}-maskable-512.png"),
                "sizes": "512x512",
                "type": "image/png",
                "purpose": "maskable",
            },
        ],
        "shortcuts": [{"name": _("New conversation"), "url": reverse("chat-home")}],
    }
    return JsonResponse(body, content_type="application/manifest+json")


def _page(user: User, conversation: Conversation | None, thread: Thread) -> dict[str, Any]:
    spaces = list(Space.objects.visible_to(user).order_by("-is_default", "name"))
    suggestions = [] if thread.items else suggestions_for(spaces, get_language() or "en")
    return {
        "conversation": conversation,
        "current_id": conversation.pk if conversation else None,
        "thread": thread,
        "listing": conversations_listed(user),
        "spaces": spaces,
        "suggestions": suggestions,
        "suggestions_shown": SHOWN,
        "suggestions_mixed": len({each.space.pk for each in suggestions}) > 1,
        "releases": releases_offered(user),
        "yesterday": timezone.localdate() - datetime.timedelta(days=1),
        "asked": _asked(conversation),
        "feedback_reasons": REASONS_OF.items(),
        "handoff": handoff_of(conversation),
        "left": left_of(user),
        "guest_days": settings.ACERVO_GUEST_DAYS,
        "message_limit": settings.ACERVO_MESSAGE_MAX_CHARS,
    }


def _asked(conversation: Conversation | None) -> str:
    """Return the state that the last question of a conversation asked as JSON, or nothing."""
    if conversation is None:
        return ""
    turn = conversation.turns.order_by("-created_at", "id").first()
    state = state_of(turn) if turn is not None else None
    if state is None or (state.release_name and state.release_id is None):
        return ""
    return json.dumps({"body": state.query, "label": state.words})


def _retry_after(user: User) -> int:
    """Count a message; return the seconds to wait when it was one too many."""
    try:
        allowance_use(user)
    except TooMany as refusal:
        return refusal.retry_after or 1
    return 0


def _person(request: HttpRequest) -> User:
    """Return who is signed in, or the guest whom `guests_too` let in."""
    user = getattr(request, "guest", request.user)
    assert isinstance(user, User)
    return user


def _id(request: HttpRequest, name: str) -> uuid.UUID | None:
    return uuid_or_none(request.GET.get(name, ""))
