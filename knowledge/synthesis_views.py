"""The pages of a summary: quoted at once, written by a language model while that is read, kept."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from knowledge import services
from knowledge.models import Space
from knowledge.synthesis import Synthesis, markdown_of, synthesise
from knowledge.synthesis.limits import rate_require
from project.accounts.models import User
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none
from project.inference.choices import Tier
from project.inference.routing import chat_endpoints

MOST_CONTENT = 200_000


@login_required
@require_safe
def synthesis_page(request: HttpRequest) -> HttpResponse:
    """Show a summary of `q`, quoted from the sources; where a model is set up, it then writes one.

    `writer=model` waits for the model, for browsers without scripts.
    """
    topic, problem = request.GET.get("q", "").strip()[:500], ""
    made: Synthesis | None = None
    is_asked = request.GET.get("writer") == "model"
    if topic:
        try:
            made = _made(request, topic, by_model=is_asked)
        except ApiError as refusal:
            problem = refusal.message
    context = {
        "area": "knowledge",
        "topic": topic,
        "problem": problem,
        "space": request.GET.get("space", ""),
        "spaces": list(Space.objects.visible_to(request.user).order_by("name")),
        "waits": bool(made and made.is_found and not is_asked and chat_endpoints(Tier.MODERATE)),
        **(_shown(request, made) if made else {}),
    }
    return render(request, "knowledge/synthesis.html", context)


@login_required
@require_POST
def synthesis_write(request: HttpRequest) -> HttpResponse:
    """Return the summary in the words of a language model, as a piece of HTML."""
    topic = request.POST.get("q", "").strip()[:500]
    try:
        if not topic:
            raise Invalid(_("Say what to summarise."), field="topic")
        made = _made(request, topic, by_model=True)
    except ApiError as refusal:
        return HttpResponse(refusal.message, status=refusal.status, content_type="text/plain")
    return render(request, "knowledge/_synthesis.html", _shown(request, made))


@login_required
@require_POST
def synthesis_keep(request: HttpRequest) -> HttpResponse:
    """Keep a summary as a draft or a proposal, for editors of a space."""
    user = request.user
    assert isinstance(user, User)
    post = request.POST
    space = get_object_or_404(Space.objects.editable_by(user), slug=post.get("space", ""))
    wanted: dict[str, Any] = {
        "acting_user": user,
        "space": space,
        "title": post.get("title", "").strip(),
        "content": post.get("content", "").replace("\r\n", "\n")[:MOST_CONTENT],
        "language": post.get("language", "")[:10] or space.language,
        "cited": [key for each in post.getlist("cited") if (key := uuid_or_none(each))],
    }
    try:
        if post.get("as") == "proposal":
            proposal = services.synthesis_propose(**wanted)
            messages.success(
                request, _("The summary is a proposal now. Look it through, then submit.")
            )
            return HttpResponseRedirect(_address("knowledge_proposal_change", proposal.pk))
        node = services.synthesis_keep(**wanted)
    except ApiError as refusal:
        messages.error(request, refusal.message)
        return HttpResponseRedirect(f"{reverse('knowledge-synthesis')}")
    messages.success(request, _("The summary is a draft now, related to its sources."))
    is_staff = user.is_staff
    address = _address("knowledge_node_change", node.pk) if is_staff else node.get_absolute_url()
    return HttpResponseRedirect(address)


def _made(request: HttpRequest, topic: str, *, by_model: bool) -> Synthesis:
    user = request.user
    assert isinstance(user, User)
    if by_model:
        rate_require(user.pk)
    values = request.POST if request.method == "POST" else request.GET
    spaces = None
    if slug := values.get("space", ""):
        rows = Space.objects.visible_to(user).filter(slug=slug)
        spaces = tuple(rows.values_list("pk", flat=True))
    return synthesise(topic, user=user, spaces=spaces, by_model=by_model)


def _shown(request: HttpRequest, made: Synthesis) -> dict[str, Any]:
    titles = {each.node: each for each in made.sources}
    relations = [
        (titles[each.source], each.kind.replace("_", " "), titles[each.target])
        for each in made.relations
        if each.source in titles and each.target in titles
    ]
    editable = Space.objects.editable_by(request.user).order_by("name")
    site = request.build_absolute_uri("/").rstrip("/")
    return {
        "made": made,
        "relations": relations,
        "to_copy": markdown_of(made, base_url=site),
        "to_keep": markdown_of(made),
        "editable": list(editable),
        "own_space": made.sources[0].space if made.sources else None,
    }


def _address(name: str, pk: object) -> str:
    try:
        return reverse(f"admin:{name}", args=[pk])
    except NoReverseMatch:
        return reverse("knowledge")
