"""What the admin says of nodes: the columns and filters of the list, and the moves of one."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.core.cache import cache
from django.db.models import Count, F, Func, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import DropdownFilter

from knowledge.choices import NodeStatus
from knowledge.models import Node
from knowledge.quality.scoring import FAIR, GOOD
from project.accounts.choices import Role

STATUS_TONES = {
    NodeStatus.DRAFT: "default",
    NodeStatus.IN_REVIEW: "warning",
    NodeStatus.PUBLISHED: "success",
    NodeStatus.ARCHIVED: "muted",
}
MOST_TAGS = 80
TAGS_KEPT = 60  # seconds


class ValueFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """A drop-down of the values that one column has."""

    column: ClassVar[str]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the values of the rows that the person sees."""
        rows = model_admin.get_queryset(request).order_by(self.column)
        values = rows.values_list(self.column, flat=True).distinct()
        return [(value, value) for value in values[:100] if value]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the rows with the chosen value."""
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class KindFilter(ValueFilter):
    """The kinds in use."""

    title = gettext_lazy("kind")
    parameter_name = "kind"
    column = "kind"


class LanguageFilter(ValueFilter):
    """The languages in use."""

    title = gettext_lazy("language")
    parameter_name = "language"
    column = "language"


class TagFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """The most used tags; counted at most once a minute, because it reads every row."""

    title = gettext_lazy("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        """Return the most used tags with their counts."""
        key = f"admin-tags:{request.user.pk}"
        known: list[tuple[str, str]] | None = cache.get(key)
        if known is None:
            tags = (
                model_admin.get_queryset(request)
                .order_by()
                .annotate(tag=Func(F("tags"), function="unnest"))
            )
            rows = tags.values_list("tag").annotate(count=Count("pk")).order_by("-count", "tag")
            known = [(tag, f"{tag} ({count})") for tag, count in rows[:MOST_TAGS]]
            cache.set(key, known, TAGS_KEPT)
        return known

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the nodes with the tag; the index of tags finds them."""
        return queryset.filter(tags__contains=[self.value()]) if self.value() else queryset


class AttentionFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """What somebody should look at."""

    title = gettext_lazy("needs attention")
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the kinds of attention."""
        return [
            ("review", _("Review overdue")),
            ("behind", _("Index behind")),
            ("expired", _("Validity over")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the nodes in need."""
        now = timezone.now()
        match self.value():
            case "review":
                return queryset.filter(review_due__lte=now.date()).exclude(
                    status=NodeStatus.ARCHIVED
                )
            case "behind":
                return queryset.filter(status=NodeStatus.PUBLISHED).filter(
                    Q(indexed_version=None) | ~Q(indexed_version=F("version"))
                )
            case "expired":
                return queryset.filter(status=NodeStatus.PUBLISHED, valid_until__lte=now)
        return queryset


class ScoreFilter(DropdownFilter):  # type: ignore[misc]  # the theme has no types
    """How good the checks found them."""

    title = gettext_lazy("score")
    parameter_name = "score"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the bands of the scores."""
        return [
            ("poor", _("Below %(score)s") % {"score": FAIR}),
            ("fair", _("%(low)s to %(high)s") % {"low": FAIR, "high": GOOD - 1}),
            ("good", _("%(score)s and more") % {"score": GOOD}),
            ("none", _("Not checked yet")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Keep the nodes of a band."""
        match self.value():
            case "poor":
                return queryset.filter(quality__score__lt=FAIR)
            case "fair":
                return queryset.filter(quality__score__gte=FAIR, quality__score__lt=GOOD)
            case "good":
                return queryset.filter(quality__score__gte=GOOD)
            case "none":
                return queryset.filter(quality__score=None)
        return queryset


def index_state(node: Node) -> tuple[str, str]:
    """Return in a word whether search knows the current version, and the tone of the word."""
    if node.status != NodeStatus.PUBLISHED:
        return "–", "plain"
    if node.indexed_version == node.version:
        return _("Current"), "success"
    if node.indexed_version is None:
        return _("Waiting"), "warning"
    return _("Behind"), "warning"


def moves_of(node: Node, role: Role | None) -> list[dict[str, str]]:
    """Return the buttons that change the status of a node, as far as the role allows."""
    submit = {"to": "in_review", "text": _("Submit for review"), "icon": "rate_review"}
    publish = {"to": "published", "text": _("Publish"), "icon": "publish", "tone": "primary"}
    archive = {"to": "archived", "text": _("Archive"), "icon": "archive"}
    draft = {"to": "draft", "text": _("Back to draft"), "icon": "undo"}
    match node.status:
        case NodeStatus.DRAFT:
            moves = [submit, publish, archive]
        case NodeStatus.IN_REVIEW:
            moves = [publish, draft, archive]
        case NodeStatus.PUBLISHED:
            moves = [{**draft, "text": _("Unpublish")}, archive]
        case _:
            moves = [draft, publish]
    if role is None or role < Role.EDITOR:
        return []
    is_open = node.status in {NodeStatus.DRAFT, NodeStatus.IN_REVIEW}
    open_moves = {"in_review", "draft"} if is_open else set()
    return [each for each in moves if role >= Role.CURATOR or each["to"] in open_moves]
