"""Steps of a proposal through its states, reviews, reviewers and comments."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from knowledge import services
from knowledge.admin.access import staff
from knowledge.admin.proposal_base import ProposalBase, number_of, told
from knowledge.choices import Verdict
from knowledge.models import Proposal, ProposalComment, SpaceRole
from project.accounts.choices import Role
from project.accounts.models import User
from project.http.admin_base import refusals_as_messages
from project.http.errors import ApiError, Invalid
from project.http.ids import uuid_or_none

REJECT = "reject"


class ReviewPages(ProposalBase):
    """The part of the proposal admin in which people decide and talk."""

    def review_urls(self) -> list[URLPattern]:
        """Return the addresses of these actions."""
        wrap, base = self.admin_site.admin_view, "<uuid:object_id>/"
        pages = {
            "edit": self.words_view,
            "submit": self.submit_view,
            "reopen": self.reopen_view,
            "review": self.review_view,
            "reviewers": self.reviewers_view,
            "drop": self.drop_view,
            "comment": self.comment_view,
            "resolve": self.resolve_view,
        }
        return [
            path(f"{base}{name}/", wrap(view), name=f"knowledge_proposal_{name}")
            for name, view in pages.items()
        ]

    # -- words and states ------------------------------------------------------------------------

    def words_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Change title and description; a refusal shows what was typed beside what is stored."""
        proposal = self.opened(request, object_id)
        typed: dict[str, Any] = {"title": proposal.title, "description": proposal.description}
        error = ""
        if request.method == "POST":
            typed = {name: request.POST.get(name, "") for name in typed}
            try:
                services.proposal_update(
                    acting_user=staff(request),
                    proposal=proposal,
                    expected_revision=number_of(request.POST.get("revision")),
                    **typed,
                )
            except ApiError as refusal:
                error = refusal.message
                proposal.refresh_from_db()
            else:
                messages.success(request, _("Title and description are stored."))
                return self.back_to(proposal)
        return self.proposal_page(
            request, proposal, "words.html", status=409 if error else 200, typed=typed, error=error
        )

    def submit_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Hand a proposal in for review."""
        return self._step(
            request, object_id, services.proposal_submit, _("The proposal is in review.")
        )

    def reopen_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Make a proposal a draft again."""
        return self._step(
            request, object_id, services.proposal_reopen, _("The proposal is a draft again.")
        )

    def _step(
        self, request: HttpRequest, object_id: uuid.UUID, service: Any, text: str
    ) -> HttpResponse:
        proposal = self.opened(request, object_id)
        if request.method != "POST":
            return self.back_to(proposal)  # from the sign-in page, when a session had ended
        with told(request, text):
            service(
                acting_user=staff(request),
                proposal=proposal,
                expected_revision=number_of(request.POST.get("revision")),
            )
        return self.back_to(proposal)

    def drop_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Ask whether to delete a proposal, and do it."""
        proposal = self.opened(request, object_id)
        if request.method != "POST":
            return self.proposal_page(request, proposal, "delete.html")
        try:
            services.proposal_delete(acting_user=staff(request), proposal=proposal)
        except ApiError as error:
            messages.error(request, error.message)
            return self.back_to(proposal)
        messages.success(request, _("“%(title)s” is deleted.") % {"title": proposal})
        return HttpResponseRedirect(self.address("changelist"))

    # -- reviews ---------------------------------------------------------------------------------

    def review_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Approve, ask for changes or reject, for the revision that the person saw."""
        proposal = self.opened(request, object_id)
        if request.method != "POST":
            return self.back_to(proposal)  # from the sign-in page, when a session had ended
        verdict = request.POST.get("verdict", "")
        seen = number_of(request.POST.get("revision"))
        comment = request.POST.get("comment", "").strip()
        user = staff(request)
        try:
            if verdict == REJECT:
                services.proposal_reject(
                    acting_user=user, proposal=proposal, comment=comment, expected_revision=seen
                )
                text = _("The proposal is closed without a merge.")
            else:
                if verdict == Verdict.CHANGES_REQUESTED and not comment:
                    message = _("Say what should change: the author has only your words.")
                    raise Invalid(message, field="comment")
                services.proposal_review(
                    acting_user=user,
                    proposal=proposal,
                    verdict=verdict,
                    comment=comment,
                    expected_revision=seen,
                )
                is_yes = verdict == Verdict.APPROVED
                text = _("You approved it.") if is_yes else _("You asked for changes.")
        except ApiError as error:
            proposal.refresh_from_db()
            back = self.address("change", proposal.pk)
            return self.retry_page(request, proposal, error, _("Your review"), back)
        messages.success(request, text)
        return self.back_to(proposal)

    def reviewers_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Choose who is asked to review."""
        proposal = self.opened(request, object_id)
        people = curators_of(proposal)
        if request.method == "POST":
            wanted = set(request.POST.getlist("reviewers"))
            with refusals_as_messages(request):
                services.reviewers_set(
                    acting_user=staff(request),
                    proposal=proposal,
                    users=[person for person in people if str(person.pk) in wanted],
                )
                messages.success(request, _("The reviewers are stored."))
            return self.back_to(proposal)
        asked = set(proposal.reviewers.values_list("user", flat=True))
        return self.proposal_page(
            request,
            proposal,
            "reviewers.html",
            people=[(each, each.pk in asked) for each in people],
        )

    # -- comments --------------------------------------------------------------------------------

    def comment_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Comment on the proposal, a change or a line, or reply; then go back to where it was."""
        proposal = self.opened(request, object_id)
        if request.method != "POST":
            return self.back_to(proposal)  # from the sign-in page, when a session had ended
        back = self._way_back(request, proposal)
        change_id, line = request.POST.get("change", ""), request.POST.get("line")
        try:
            stored = services.comment_add(
                acting_user=staff(request),
                proposal=proposal,
                body=request.POST.get("body", "").strip(),
                change=self.change_of(proposal, change_id) if change_id else None,
                line=number_of(line),
                parent=self._comment(proposal, request.POST.get("parent", "")),
            )
        except ApiError as error:
            return self.retry_page(request, proposal, error, _("Your comment"), back)
        address, *_anchor = back.split("#")
        return HttpResponseRedirect(f"{address}#comment-{stored.parent_id or stored.pk}")

    def resolve_view(self, request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        """Mark a thread as settled, or open it again."""
        proposal = self.opened(request, object_id)
        if request.method != "POST":
            return self.back_to(proposal)  # from the sign-in page, when a session had ended
        comment = self._comment(proposal, request.POST.get("comment", ""))
        if comment is not None:
            with refusals_as_messages(request):
                services.comment_resolve(
                    acting_user=staff(request),
                    comment=comment,
                    resolved=request.POST.get("resolved") == "1",
                )
        address, *_anchor = self._way_back(request, proposal).split("#")
        return HttpResponseRedirect(f"{address}#comment-{comment.pk if comment else ''}")

    def _comment(self, proposal: Proposal, text: str) -> ProposalComment | None:
        pk = uuid_or_none(text)
        return proposal.comments.filter(pk=pk).first() if pk else None

    def _way_back(self, request: HttpRequest, proposal: Proposal) -> str:
        wanted = request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/"):
            return wanted
        return self.address("conversation", proposal.pk)


def curators_of(proposal: Proposal) -> list[User]:
    """Return who may review a proposal through a role in its space."""
    roles = SpaceRole.objects.filter(space=proposal.space_id, role__gte=Role.CURATOR)
    people = User.objects.filter(groups__in=roles.values("group"), is_active=True)
    return list(people.order_by("username").distinct())
