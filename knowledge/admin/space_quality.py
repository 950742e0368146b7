"""The part of the space admin about quality: the score, and when texts are to be read again."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from knowledge.admin.access import SpaceScopedAdmin, has_role
from knowledge.models import ReviewInterval
from knowledge.quality import space_scores, tone_of_score
from knowledge.quality.scoring import space_score_of
from project.accounts.choices import Role
from project.http.admin_base import AcervoTabularInline, badge, display

if TYPE_CHECKING:
    _Base = SpaceScopedAdmin
else:
    _Base = object


class ReviewIntervals(AcervoTabularInline):
    """Days until the next review, for the space and for single kinds; managers set them."""

    model = ReviewInterval
    fields = ("kind", "days")

    def _may(self, request: HttpRequest, obj: Any) -> bool:
        return has_role(request, Role.MANAGER, obj.pk if obj else None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the person manages the space."""
        return self._may(request, obj)


class SpaceQuality(_Base):
    """Scores of spaces, in the list and on the page of one."""

    @display(description=gettext_lazy("score"), ordering="quality_score")
    def score(self, space: Any) -> SafeString:
        """Show the mean of its published nodes."""
        score = None if space.quality_score is None else round(space.quality_score)
        return badge("–" if score is None else score, tone_of_score(score))

    def scored(self, rows: Any) -> Any:
        """Add the score to the rows of the list."""
        return rows.annotate(quality_score=space_score_of("pk"))

    def form_context(self, request: HttpRequest, obj: Any, form: Any) -> dict[str, Any]:
        """Add the score of a stored space."""
        around = super().form_context(request, obj, form)
        found = space_scores([obj.pk]).get(obj.pk) if obj is not None else None
        if found:
            around["space_score"] = {**found, "tone": tone_of_score(found["score"])}
        return around
