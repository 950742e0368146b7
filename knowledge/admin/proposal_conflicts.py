"""Settling conflicts: the page with its choices, suggestions, and a branch brought up to date."""

import uuid
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import staff
from knowledge.admin.proposal_base import TEMPLATES, ProposalBase, number_of
from knowledge.admin.proposal_choices import OWN, choices_sent
from knowledge.admin.proposal_results import ConflictPage, conflict_page
from knowledge.models import Proposal
from knowledge.proposal_conflicts import MergeRefused
from project.http.admin_base import posted_only
from project.http.errors import ApiError, Invalid
from project.inference.models import ModelEndpoint

Sent = dict[str, tuple[str, str]]


class ConflictPages(ProposalBase):
    """The part of the proposal admin that settles conflicts."""

    def conflict_urls(self) -> list[URLPattern]:
        """Return the addresses of these pages."""
        wrap, base = self.admin_site.admin_view, "<uuid:object_id>/"
        return [
            path(
                f"{base}conflicts/",
                wrap(self.conflicts_view),
                name="knowledge_proposal_conflicts",
            ),
            path(f"{base}suggest/", wrap(self.suggest_view), name="knowledge_proposal_suggest"),
        ]

    def conflicts_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Show the conflicts with the choices made so far; merge, or settle them for later.

        `piece=1` answers scripts with the results alone. Nothing is stored before everything is
        decided, and what was typed comes back with every refusal.
        """
        proposal = self.opened(request, object_id)
        if proposal.is_decided and request.method != "POST":
            return self.back_to(proposal)
        sent: Sent = choices_sent(request.POST)
        data = request.POST
        suggested: dict[str, tuple[str, str]] = {}
        if request.method == "POST":
            sent = _with_buttons(proposal, sent, data)
            done = self._done(request, proposal, sent)
            if done is not None:
                return done
            if data.get("_suggest"):
                suggested[data["_suggest"]] = self._suggestion(request, proposal, data["_suggest"])
        has_model = ModelEndpoint.objects.active().chat().exists()
        try:
            found = conflict_page(proposal, sent, has_model=has_model)
        except Invalid as error:
            messages.error(request, error.message)
            sent = {key: ("", own) for key, (_choice, own) in sent.items()}
            found = conflict_page(proposal, sent, has_model=has_model)
        _suggestions_put(found, suggested, data)
        if data.get("piece"):
            return TemplateResponse(request, f"{TEMPLATES}/_results.html", {"found": found})
        return self.proposal_page(
            request,
            proposal,
            "conflicts.html",
            here="conflicts",
            conflicts=found.total,
            found=found,
            has_model=has_model,
        )

    def _done(self, request: HttpRequest, proposal: Proposal, sent: Sent) -> HttpResponse | None:
        """Merge or settle when the form asks for it; None to show the page again."""
        wants_merge = "_merge" in request.POST
        if not wants_merge and "_settle" not in request.POST:
            return None
        try:
            found = conflict_page(proposal, sent)
            if found.decided < found.total:
                count = found.total - found.decided
                message = _("%(count)s conflicts are still to be decided.") % {"count": count}
                raise Invalid(message)
            service: Any = services.proposal_merge if wants_merge else services.proposal_rebase
            service(
                acting_user=staff(request),
                proposal=proposal,
                resolutions=found.chosen(),
                expected_revision=number_of(request.POST.get("revision")),
            )
        except MergeRefused as error:
            text = _("The nodes have changed again. What you chose for the same places is kept.")
            messages.error(request, f"{error.message} {text}")
            return None
        except ApiError as error:
            messages.error(request, error.message)
            proposal.refresh_from_db()
            return None
        if wants_merge:
            messages.success(request, _("The proposal is merged."))
            return self.back_to(proposal, "happened")
        text = _("The conflicts are settled: the proposal begins from what is stored now.")
        messages.success(request, text)
        return self.back_to(proposal)

    def suggest_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Answer scripts with what the language model would make of a conflict."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        proposal = self.opened(request, object_id)
        text, problem = self._suggestion(request, proposal, request.POST.get("conflict", ""))
        if problem:
            return JsonResponse({"message": problem}, status=409)
        return JsonResponse({"suggestion": text})

    def _suggestion(
        self, request: HttpRequest, proposal: Proposal, conflict_id: str
    ) -> tuple[str, str]:
        try:
            text = services.conflict_suggest(
                acting_user=staff(request), proposal=proposal, conflict_id=conflict_id
            )
        except ApiError as error:
            return "", error.message
        return text, ""


def _with_buttons(proposal: Proposal, sent: Sent, data: Any) -> Sent:
    """Return the choices with what a button says: one side everywhere, or a suggestion put in."""
    inserted = data.get("_insert", "")
    if inserted:
        return {**sent, inserted: (OWN, data.get(f"suggestion-{inserted}", ""))}
    side = data.get("_all", "")
    if side in {"ours", "theirs"}:
        open_ones = {
            each.id: (side, sent.get(each.id, ("", ""))[1])
            for node in conflict_page(proposal, sent).nodes
            for each in node.conflicts
            if not each.is_decided and side in each.conflict.choices
        }
        return {**sent, **open_ones}
    return sent


def _suggestions_put(found: ConflictPage, asked: dict[str, tuple[str, str]], data: Any) -> None:
    """Put suggestions on their conflicts: the one asked for, and those that came along."""
    for node in found.nodes:
        for at, each in enumerate(node.conflicts):
            text, problem = asked.get(each.id, (data.get(f"suggestion-{each.id}", ""), ""))
            if text or problem:
                node.conflicts[at] = replace(each, suggestion=text, problem=problem)
