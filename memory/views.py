"""My memory: what is remembered of a person, for them to see, search, switch off and delete."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from memory import services
from memory.models import Episode
from project.accounts.models import User

PAGE = 30


@login_required
@require_safe
def memory_page(request: HttpRequest) -> HttpResponse:
    """List the episodes of the person who is signed in, newest first; `q` filters by words."""
    user = _person(request)
    mine = Episode.objects.visible_to(user).about("")
    query = request.GET.get("q", "").strip()[:200]
    found = mine
    for word in query.split()[:8]:
        found = found.filter(content__icontains=word)
    page = Paginator(found.order_by("-occurred_at", "id"), PAGE).get_page(request.GET.get("page"))
    context = {
        "area": "memory",
        "query": query,
        "page": page,
        "total": mine.count(),
        "remembers": user.remembers,
    }
    return render(request, "memory/memory.html", context)


@login_required
@require_POST
def memory_switch(request: HttpRequest) -> HttpResponse:
    """Turn remembering on or off; what is stored stays until it is deleted."""
    user = _person(request)
    user.remembers = request.POST.get("remembers") == "on"
    user.save(update_fields=["remembers"])
    if user.remembers:
        messages.success(request, _("From now on, finished conversations are remembered."))
    else:
        messages.success(request, _("New conversations are no longer remembered."))
    return redirect("my-memory")


@login_required
@require_POST
def memory_delete(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """Forget one episode."""
    user = _person(request)
    episode = get_object_or_404(Episode.objects.visible_to(user), pk=pk)
    services.episode_delete(acting_user=user, episode=episode)
    messages.success(request, _("That memory is deleted."))
    return redirect("my-memory")


@login_required
@require_POST
def memory_clear(request: HttpRequest) -> HttpResponse:
    """Forget everything."""
    count = services.episodes_delete_all(acting_user=_person(request))
    text = ngettext("%(count)s memory is deleted.", "%(count)s memories are deleted.", count)
    messages.success(request, text % {"count": count})
    return redirect("my-memory")


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
