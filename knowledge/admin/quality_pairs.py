"""What can be done with two nodes that are nearly the same."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import staff
from knowledge.models import Node
from knowledge.quality.refreshing import node_check
from project.http.admin_base import refusals_as_messages


def pair_done(request: HttpRequest, left: Node, right: Node) -> HttpResponse:
    """Propose to merge two nodes, keeping the one that the pressed button names, or part them."""
    user, work = staff(request), request.POST.get("do", "")
    with refusals_as_messages(request):
        if work in {"left", "right"}:
            kept, gone = (left, right) if work == "left" else (right, left)
            proposal = services.pair_merge_propose(acting_user=user, kept=kept, gone=gone)
            messages.success(request, _("Look through the proposal, then submit it."))
            return HttpResponseRedirect(
                reverse("admin:knowledge_proposal_change", args=[proposal.pk])
            )
        if work in {"part", "join"}:
            is_distinct = work == "part"
            services.pair_part(acting_user=user, nodes=(left, right), is_distinct=is_distinct)
            for node in (left, right):
                node_check(node.pk)  # so that the list shows it at once
            told = (
                _("They are no duplicates: the checks leave this pair alone.")
                if is_distinct
                else _("The checks look at this pair again.")
            )
            messages.success(request, told)
        else:
            messages.warning(request, _("Choose what to do."))
    return HttpResponseRedirect(request.get_full_path())
