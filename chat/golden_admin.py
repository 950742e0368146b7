"""The part of the admin of turns that makes golden questions of them."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from chat import services
from chat.golden import golden_offers
from chat.models import Turn
from project.accounts.models import User
from project.http.admin_base import ReadOnlyAdmin, posted_only, refusals_as_messages

if TYPE_CHECKING:
    _Base = ReadOnlyAdmin
else:
    _Base = object


class GoldenOfTurn(_Base):
    """A button on the page of a turn, for staff who edit what the answer cites."""

    def golden_context(self, request: HttpRequest, turn: Turn) -> dict[str, Any]:
        """Return what the page of a turn offers."""
        assert isinstance(request.user, User)
        return {"golden": golden_offers(request.user, [turn]).get(turn.pk)}

    def get_urls(self) -> list[URLPattern]:
        """Add the button's address."""
        wrap = self.admin_site.admin_view
        own = path("<path:object_id>/golden/", wrap(self.golden_view), name="chat_turn_golden")
        return [own, *super().get_urls()]

    def golden_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make a golden question of a turn, and say where it is."""
        refused = posted_only(request)
        if refused is not None:
            return refused
        turn = self.get_object(request, unquote(object_id))
        if turn is None or not self.has_view_permission(request, turn):
            raise Http404(_("There is no such turn, or it is not yours to see."))
        assert isinstance(turn, Turn)
        assert isinstance(request.user, User)
        with refusals_as_messages(request):
            asked = services.golden_make(acting_user=request.user, turn=turn)
            page = reverse("admin:knowledge_goldenquestion_change", args=[asked.golden.pk])
            text = _("Made a golden question.")
            if not asked.is_new:
                text = _("It is a golden question already.")
            link = '{} <a class="ac-link" href="{}">{}</a>'
            messages.success(request, format_html(link, text, page, _("Edit it")))
        return HttpResponseRedirect(reverse("admin:chat_turn_change", args=[turn.pk]))
