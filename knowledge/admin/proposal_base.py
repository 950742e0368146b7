"""What the mix-ins of the proposal admin share: opening one, showing a page, going back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from knowledge.admin.access import SpaceScopedAdmin
from knowledge.admin.proposal_heads import head_of
from knowledge.models import Proposal, ProposalChange
from project.http.errors import ApiError
from project.http.ids import uuid_or_none

if TYPE_CHECKING:
    _Base = SpaceScopedAdmin
else:
    _Base = object

TEMPLATES = "admin/knowledge/proposal"


class ProposalBase(_Base):
    """Opening a proposal for the person who asks, and answering with one of its pages."""

    def opened(self, request: HttpRequest, object_id: object) -> Proposal:
        """Return a proposal that the person may see. Raises Http404."""
        proposal = self.get_object(request, unquote(str(object_id)))
        if proposal is None or not self.has_view_permission(request, proposal):
            raise Http404(_("There is no such proposal, or it is not yours to see."))
        assert isinstance(proposal, Proposal)
        return proposal

    def change_of(self, proposal: Proposal, change_id: str) -> ProposalChange:
        """Return a change of a proposal. Raises Http404."""
        change = self.change_named(proposal, change_id)
        if change is None:
            raise Http404(_("The proposal has no such change any more."))
        return change

    def change_named(self, proposal: Proposal, change_id: str) -> ProposalChange | None:
        """Return a change of a proposal by an id that a form sent; None without one."""
        pk = uuid_or_none(change_id)
        return proposal.changes.filter(pk=pk).first() if pk else None

    def proposal_page(
        self,
        request: HttpRequest,
        proposal: Proposal,
        template: str,
        *,
        here: str = "",
        conflicts: int | None = None,
        status: int = 200,
        **extra: Any,
    ) -> HttpResponse:
        """Answer with a page of a proposal, its head above it; `here` names the open tab."""
        head = head_of(request, proposal, conflicts=conflicts)
        context = self.page_context(
            request,
            title=proposal.title,
            subtitle=None,
            original=proposal,
            proposal=proposal,
            head=head,
            here=here,
            **extra,
        )
        return TemplateResponse(request, f"{TEMPLATES}/{template}", context, status=status)

    def back_to(
        self, proposal: Proposal, page: str = "change", *, after: str = ""
    ) -> HttpResponseRedirect:
        """Return the way to a page of a proposal; `after` is a query or an anchor."""
        return HttpResponseRedirect(self.address(page, proposal.pk) + after)

    def retry_page(
        self, request: HttpRequest, proposal: Proposal, error: ApiError, title: str, back: str
    ) -> HttpResponse:
        """Show what was typed again with the reason why it was refused: nothing is lost."""
        left_out = {"csrfmiddlewaretoken", "body", "comment"}
        fields = [
            (name, value)
            for name, values in request.POST.lists()
            for value in values
            if name not in left_out
        ]
        name = "body" if "body" in request.POST else "comment"
        return self.proposal_page(
            request,
            proposal,
            "retry.html",
            status=error.status,
            what=title,
            error=error.message,
            fields=fields,
            text_name=name,
            text=request.POST.get(name, ""),
            back=back,
        )


@contextmanager
def told(request: HttpRequest, text: str) -> Iterator[None]:
    """Tell the good news when the work inside is done, or what a service refuses."""
    try:
        yield
    except ApiError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, text)


def number_of(text: str | None) -> int | None:
    """Return a number that a form sent; None for anything else."""
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if is_number and text is not None else None
